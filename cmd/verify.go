package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/receipt"
	"snapmount/mount/report"
)

const verifyLong = `verify reads all of an image, computes MD5, SHA-1 and SHA-256 of the disk in it, and compares them, and each checksum
that the format has, with what the image keeps. It says intact only where a stored hash agrees.

Of a receipt of restore it says whether the restored files are as they were written: each by its hash, what is missing,
and what is in directories that the restore made and is not of it. DEST is where they are now, or where an archive was
unpacked. Files of the images are compared by size, time and both ends, which is what a receipt has of them. What is not
in the receipt is not concluded. The exit code is 4 where something differs, and 7 where something could not be compared.`

func newVerify(o *openFlags) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify IMAGE | RECEIPT [DEST]",
		Short: "Read a whole image, and compare with all hashes that it keeps; or restored files with their receipt",
		Long:  verifyLong,
		Example: "  snapmount verify disk.E01\n" +
			"  snapmount verify --json disk.E01 >verified.json\n" +
			"  snapmount verify receipt.json found",
		Args: args(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, args []string) error {
			is, err := receipt.Is(args[0])
			switch {
			case err == nil && is:
				return verifyReceipt(c, o, args, asJSON)
			case len(args) > 1:
				return usagef("%s: is no receipt of restore, want one before %s", args[0], args[1])
			}
			return runVerify(c, o, args[0], asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON document")
	inGroup(c.Flags(), groupOutput, "json")
	return c
}

func runVerify(c *cobra.Command, o *openFlags, image string, asJSON bool) error {
	o.keys.ask = nil // what is locked is told
	s, err := o.open(c.Context(), []string{image})
	if err != nil {
		return err
	}
	defer s.Close()
	r, err := report.VerifyOf(c.Context(), s.Images[0], o.progress)
	o.progress("", 0, 0)
	if err != nil {
		return err
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
	if !r.Sound {
		return codedError{exitDamaged, fmt.Errorf("%s: is not what it was when it was made, or that cannot be told", image)}
	}
	return nil
}

func printVerify(out *text.Out, r report.Verify) {
	for _, h := range r.Hashes {
		word := "none stored"
		switch {
		case h.Stored != nil && *h.Stored == h.Computed:
			word = "as stored"
		case h.Stored != nil:
			word = "DIFFERS, stored " + *h.Stored
		case h.Lost:
			word = "NOT COMPARED: a stored one may be in what is damaged or missing"
		}
		fmt.Fprintf(out, "%-6s %s  %s\n", h.Name, h.Computed, word)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(out, "FAULT  %s\n", text.Printable(f))
	}
	for _, b := range r.Bad {
		fmt.Fprintf(out, "BAD    0x%x bytes at 0x%x: %s\n", b.Length, b.Offset, text.Printable(b.Error))
	}
	for _, u := range r.Unread {
		fmt.Fprintf(out, "unread 0x%x bytes at 0x%x, when the image was made: the hashes are of what stands for them in it\n", u.Length, u.Offset)
	}
	if r.Tail > 0 {
		fmt.Fprintf(out, "tail   %d bytes behind the last whole sector: in the hashes, and not in the disk\n", r.Tail)
	}
	fmt.Fprintf(out, "%s: %d bytes, %s\n", text.Printable(r.Image), r.Size, verifyWord(r))
}

func verifyWord(r report.Verify) string {
	switch {
	case r.Intact && len(r.Unread) > 0:
		return fmt.Sprintf("intact but for %d bytes that were never read", r.UnreadBytes())
	case r.Intact:
		return "intact"
	case r.Sound:
		return "readable; no hash is stored to compare with, so that it is intact cannot be told"
	}
	return "NOT INTACT"
}
