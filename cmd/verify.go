package cmd

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"snapmount/imagefmt/layer"
)

// verifyReport is what "verify" tells, in its JSON form.
type verifyReport struct {
	Schema int          `json:"schema"`
	Image  string       `json:"image"`
	Size   int64        `json:"size"` // bytes of the disk
	Hashes []hashReport `json:"hashes"`
	Bad    []badReport  `json:"bad"` // ranges of the disk that are damaged; they count as zeros in the hashes
	Intact bool         `json:"intact"`
}

type hashReport struct {
	Name     string  `json:"name"`
	Stored   *string `json:"stored"` // when the image was made
	Computed string  `json:"computed"`
}

type badReport struct {
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	Error  string `json:"error"`
}

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
	r := verifyReport{Schema: 1, Image: image, Size: disk.Size(), Bad: []badReport{}, Intact: result.Intact()}
	for _, h := range []struct{ name, stored, computed string }{{"MD5", result.Stored.MD5, result.Computed.MD5}, {"SHA1", result.Stored.SHA1, result.Computed.SHA1}} {
		one := hashReport{Name: h.name, Computed: h.computed}
		if h.stored != "" {
			one.Stored = text(h.stored)
		}
		r.Hashes = append(r.Hashes, one)
	}
	for _, b := range result.Bad {
		r.Bad = append(r.Bad, badReport{b.Off, b.Len, oneLine(b.Err)})
	}
	if err := printVerify(c.OutOrStdout(), r, asJSON); err != nil {
		return err
	}
	if !r.Intact {
		return codedError{exitDamaged, fmt.Errorf("%s: is not what it was when it was made", image)}
	}
	return nil
}

func printVerify(w io.Writer, r verifyReport, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	for _, h := range r.Hashes {
		word := "not kept in the image"
		if h.Stored != nil && *h.Stored == h.Computed {
			word = "as stored"
		} else if h.Stored != nil {
			word = "DIFFERS, stored " + *h.Stored
		}
		fmt.Fprintf(w, "%-5s %s  %s\n", h.Name, h.Computed, word)
	}
	for _, b := range r.Bad {
		fmt.Fprintf(w, "BAD   0x%x bytes at 0x%x: %s\n", b.Length, b.Offset, printable(b.Error))
	}
	_, err := fmt.Fprintf(w, "%s: %d bytes, %s\n", printable(r.Image), r.Size, map[bool]string{true: "intact", false: "NOT INTACT"}[r.Intact])
	return err
}
