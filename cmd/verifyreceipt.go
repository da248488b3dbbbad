package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/receipt"
)

// verifyReceipt holds a receipt against what was restored: args are the two, or the receipt alone.
func verifyReceipt(c *cobra.Command, o *openFlags, args []string, asJSON bool) error {
	doc, err := receipt.Open(args[0])
	if err != nil {
		return err
	}
	dest := ""
	if len(args) > 1 {
		dest = args[1]
	} else if doc.To != "dir" {
		return usagef("%s: is of a %s archive: unpack it, and want its directory behind the receipt", args[0], doc.To)
	}
	r, err := doc.Against(c.Context(), dest, o.progress)
	if err != nil {
		return err
	}
	out := text.NewOut(c.OutOrStdout())
	if asJSON {
		out.Document(r)
	} else {
		printCheck(out, r)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	switch differ, unknown := r.Counts(); {
	case differ > 0:
		return codedError{exitDamaged, fmt.Errorf("%s: is not as the receipt has it: %d differ", r.Target, differ)}
	case unknown > 0:
		return text.PartialError("could not be compared")
	}
	return nil
}

func printCheck(out io.Writer, r *receipt.Check) {
	for _, f := range r.Findings {
		what := strings.ToUpper(f.Result)
		if f.Result == receipt.Unknown {
			what = "unknown"
		}
		if f.Image {
			what += " image"
		}
		line := fmt.Sprintf("%-8s %s", what, text.Printable(string(f.Path)))
		if f.Detail != "" {
			line += ": " + text.Printable(f.Detail)
		}
		fmt.Fprintln(out, line)
	}
	fmt.Fprintf(out, "%s: as in the receipt are the contents of %s, %s and %s; times and permissions were not compared\n", text.Printable(r.Target),
		text.Counted(r.Files+r.Sized, "file"), text.Counted(r.Links, "link"), text.Counted(r.Dirs, "directory"))
	if r.Sized > 0 {
		fmt.Fprintf(out, "%s by the size alone: the receipt has no hash\n", text.Counted(r.Sized, "file"))
	}
	if r.Failed > 0 {
		fmt.Fprintf(out, "%d were not restored, by the receipt: nothing is said of them\n", r.Failed)
	}
	if !r.Complete {
		fmt.Fprintln(out, "the restore was not complete, by the receipt")
	}
	if r.Images > 0 {
		fmt.Fprintf(out, "%s of the image: size, time and both ends are as in the receipt, which has no more of it\n", text.Counted(r.Images, "file"))
	}
}
