package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount/report"
)

func newVerify(o *openFlags) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify IMAGE",
		Short: "Read a whole image and compare it with the checksums and hashes that it keeps (E01, Ex01)",
		Args:  args(cobra.ExactArgs(1)),
		RunE:  func(c *cobra.Command, args []string) error { return runVerify(c, o, args[0], asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON document")
	return c
}

func runVerify(c *cobra.Command, o *openFlags, image string, asJSON bool) error {
	s, err := o.open(c.Context(), []string{image})
	if err != nil {
		return err
	}
	defer s.Close()
	disk := s.Images[0].Disk.Evidence()
	if disk == nil {
		return fmt.Errorf("%s: a %s image keeps no hashes: %w", image, s.Images[0].Disk.Format(), layer.ErrUnsupported)
	}
	result, err := disk.Verify(c.Context(), o.progress)
	o.progress("", 0, 0)
	if err != nil {
		return err
	}
	r := report.Verify{Schema: report.Schema, Image: image, Size: disk.Size(), Bad: []report.Bad{}, Intact: result.Intact(), Hashes: []report.Hash{
		report.HashOf("MD5", result.Stored.MD5, result.Computed.MD5), report.HashOf("SHA1", result.Stored.SHA1, result.Computed.SHA1)}}
	for _, b := range result.Bad {
		r.Bad = append(r.Bad, report.Bad{Offset: b.Off, Length: b.Len, Error: report.OneLine(b.Err)})
	}
	out := text.NewOut(c.OutOrStdout())
	if asJSON {
		out.Document(r)
	} else {
		printVerify(out, r)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if !r.Intact {
		return codedError{exitDamaged, fmt.Errorf("%s: is not what it was when it was made", image)}
	}
	return nil
}

func printVerify(out *text.Out, r report.Verify) {
	for _, h := range r.Hashes {
		word := "not kept in the image"
		if h.Stored != nil && *h.Stored == h.Computed {
			word = "as stored"
		} else if h.Stored != nil {
			word = "DIFFERS, stored " + *h.Stored
		}
		fmt.Fprintf(out, "%-5s %s  %s\n", h.Name, h.Computed, word)
	}
	for _, b := range r.Bad {
		fmt.Fprintf(out, "BAD   0x%x bytes at 0x%x: %s\n", b.Length, b.Offset, text.Printable(b.Error))
	}
	fmt.Fprintf(out, "%s: %d bytes, %s\n", text.Printable(r.Image), r.Size, map[bool]string{true: "intact", false: "NOT INTACT"}[r.Intact])
}
