package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount/report"
)

func newScan(o *openFlags) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "scan IMAGE",
		Short: "Search all of a disk for volumes, whatever its partition table says",
		Long: "scan reads every sector of a disk and finds volumes by what they keep at their ends: boot sectors, their copies,\n" +
			"the headers of VSS, and the metadata of BitLocker. It prints where each begins and how long it is, whether its file table is where it says,\n" +
			"and the line to open it with. Other commands look at the likely places by themselves where no table is usable.",
		Example: "  snapmount scan disk.dd",
		Args:    args(cobra.ExactArgs(1)),
		RunE:    func(c *cobra.Command, args []string) error { return runScan(c, o, args[0], asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON document")
	inGroup(c.Flags(), groupOutput, "json")
	return c
}

func runScan(c *cobra.Command, o *openFlags, image string, asJSON bool) (err error) {
	out := text.NewOut(c.OutOrStdout())
	defer func() { err = errors.Join(out.Flush(), err) }()
	o.keys.ask = nil // what is locked is told
	s, err := o.open(c.Context(), []string{image})
	if err != nil {
		return err
	}
	defer s.Close()
	found, err := s.Scan(c.Context(), s.Images[0])
	o.progress("", 0, 0)
	if err != nil {
		return err
	}
	r := report.ScanOf(s.Images[0], found)
	if asJSON {
		out.Document(r)
	} else {
		printScan(out, o, r)
	}
	switch {
	case len(r.Unread) > 0 || !r.Complete:
		return codedError{exitPartial, fmt.Errorf("%s: not all of the disk was searched: %d ranges could not be read", image, len(r.Unread))}
	case len(r.Volumes) == 0:
		return fmt.Errorf("%s: no volume begins or ends anywhere on the disk: %w", image, layer.ErrFormat)
	}
	return nil
}

// printScan lists volumes. Boot sectors within others that have no other end are counted only.
func printScan(out *text.Out, o *openFlags, r report.Scan) {
	within := 0
	for _, v := range r.Volumes {
		if v.Outer != nil && !v.BothEnds {
			within++
			continue
		}
		fs, size, marks := cmp.Or(strings.ToUpper(v.Filesystem), "boot sector lost"), "", []string{}
		if !v.SizeKnown {
			size = "size unknown, at most "
		}
		for _, m := range v.Marks {
			marks = append(marks, fmt.Sprintf("%s at %d", m.Kind, m.Offset))
		}
		fmt.Fprintf(out, "offset %d, %s%s (%d bytes): %s: %s\n  %s\n", v.Offset, size, text.Bytes(v.Size), v.Size, fs, strings.Join(marks, ", "), whereabouts(v))
		if v.Sound || v.Filesystem == "" {
			fmt.Fprintf(out, "  snapmount info %s --offset %d --size %d\n", text.Quoted(r.Image), int64(o.offset.Size)+v.Offset, v.Size)
		}
	}
	if within > 0 {
		fmt.Fprintf(out, "%d boot sectors or VSS headers more lie in these volumes, as VSS and files keep them: --json lists them\n", within)
	}
	printRanges(out, len(r.Unread), func(n int) string {
		return fmt.Sprintf("not read: 0x%x bytes at 0x%x", r.Unread[n].Length, r.Unread[n].Offset)
	})
}

// whereabouts says what is known of a volume beside its place.
func whereabouts(v report.FoundVolume) string {
	var say []string
	switch {
	case v.Sound && v.Filesystem == "ntfs":
		say = append(say, "$MFT is where it says")
	case !v.Sound && v.Filesystem != "":
		say = append(say, "what it names is not where it says: left from another use, a copy in a file, or damaged")
	}
	switch {
	case v.Outer != nil:
		say = append(say, fmt.Sprintf("lies in the volume at %d", *v.Outer))
	case v.InTable:
		say = append(say, "in the partition table: "+text.Printable(*v.Volume))
	case v.Volume != nil:
		say = append(say, "in no table, opened as "+text.Printable(*v.Volume))
	default:
		say = append(say, "not in the partition table")
	}
	return strings.Join(say, "; ")
}
