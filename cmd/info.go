package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// infoFlags say what of a report to print.
type infoFlags struct {
	json, sets bool
	next       bool // the commands that are useful now, too
}

func newInfo(o *openFlags) *cobra.Command {
	var f infoFlags
	c := &cobra.Command{
		Use:   "info IMAGE...",
		Short: "Tell what is in an image: format, partitions, volumes, points in time, damage",
		Args:  args(cobra.MinimumNArgs(1)),
		RunE:  func(c *cobra.Command, args []string) error { return runInfo(c, o, args, f) },
	}
	c.Flags().BoolVar(&f.json, "json", false, "one JSON document")
	c.Flags().BoolVar(&f.sets, "sets", false, "shadow copy sets too: points that were taken together, over all volumes and images")
	return c
}

func runInfo(c *cobra.Command, o *openFlags, images []string, f infoFlags) (err error) {
	out := text.NewOut(c.OutOrStdout())
	defer func() { err = errors.Join(out.Flush(), err) }()
	s, err := o.open(c.Context(), images)
	if err != nil {
		return err
	}
	defer s.Close()
	r := report.InfoOf(s)
	if c.Context().Err() != nil { // what it says of block lists is not so
		return context.Cause(c.Context())
	}
	if f.sets {
		r.Sets = report.CopySetsOf(s)
	}
	if f.json {
		out.Document(r)
	} else {
		printInfo(out, s, r)
	}
	faults, locked := r.Faulty()
	vols, err := s.NTFS()
	if err != nil && !keepsSnapshots(s) && faults+locked == 0 {
		return fmt.Errorf("%s: %w", strings.Join(images, ", "), err)
	}
	if f.next && err == nil {
		printNext(out, images, vols)
	}
	if n, all := r.Damaged(); n > 0 {
		return codedError{exitDamaged, fmt.Errorf("%d of %d points in time are damaged; the rest is sound", n, all)}
	}
	switch {
	case faults > 0:
		return codedError{exitDamaged, fmt.Errorf("%d faults of images and volumes, each told above", faults)}
	case locked > 0:
		return text.PartialError("are locked by BitLocker")
	}
	return nil
}

// keepsSnapshots reports whether there are points in time at all: those of file systems other than NTFS are shown as
// block images.
func keepsSnapshots(s *points.Set) bool {
	return slices.ContainsFunc(s.Volumes, func(v *points.Volume) bool { return len(v.Snapshots()) > 0 })
}

func printInfo(w *text.Out, s *points.Set, r report.Info) {
	for i, img := range r.Images {
		fmt.Fprintf(w, "%s: %s, %s (%d bytes)", text.Printable(img.Path), img.Format, text.Bytes(img.Size), img.Size)
		if len(img.Files) > 1 {
			fmt.Fprintf(w, ", %d files", len(img.Files))
		}
		fmt.Fprintln(w)
		printFaults(w, img.Faults)
		printLayers(w, img.Layers)
		printEvidence(w, img.Evidence)
		if t := s.Images[i].Table; t != nil && t.Scheme == "searched" {
			fmt.Fprintln(w, "  partition table: none that can be used; volumes found by searching where they mostly are (scan searches all)")
		} else if t != nil && t.Scheme != "none" {
			fmt.Fprintf(w, "  partition table: %s, %d-byte sectors\n", t.Scheme, t.SectorSize)
		}
	}
	for i, v := range r.Volumes {
		printVolume(w, s.Volumes[i], v)
	}
	for _, set := range r.Sets {
		fmt.Fprintf(w, "\nset {%s} of %s, %d of %d points here:\n", set.ID, set.Created, len(set.Points), set.Expected)
		for _, p := range set.Points {
			fmt.Fprintf(w, "  %s\n", text.Printable(p))
		}
	}
	for _, line := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", text.Printable(line))
	}
}

// printLayers lists earlier states, where there are any.
func printLayers(w io.Writer, layers []report.Layer) {
	if len(layers) < 2 {
		return
	}
	for i, l := range layers {
		what := l.Format
		if l.ID != nil {
			what = "internal snapshot " + *l.ID
		}
		when := "created " + valueOr(l.Created, "?")
		if l.Created == nil && l.Modified != nil {
			when = "file modified " + *l.Modified
		}
		fmt.Fprintf(w, "  layer %d: %s, %s, %s, %s\n", i, text.Printable(string(l.Name)), what, text.Bytes(l.Size), when)
	}
}

func printFaults(w io.Writer, faults []string) {
	for _, line := range faults {
		fmt.Fprintf(w, "  DAMAGED: %s\n", text.Printable(line))
	}
}

func printVolume(out *text.Out, tv *points.Volume, v report.Volume) {
	fs := strings.ToUpper(v.Filesystem)
	if fs == "" {
		fs = "no known file system"
	}
	fmt.Fprintf(out, "\n%s: %s, %s at %d", text.Printable(v.Name), fs, text.Bytes(v.Size), v.Offset)
	if v.ClusterSize > 0 {
		fmt.Fprintf(out, ", clusters of %d", v.ClusterSize)
	}
	if n := v.NTFS; n != nil {
		fmt.Fprintf(out, ", version %s, serial %s-%s", n.Version, n.Serial[8:12], n.Serial[12:])
		if n.Dirty {
			fmt.Fprint(out, ", marked dirty")
		}
		if n.Log == "dirty" {
			fmt.Fprint(out, ", log not replayed")
		}
		if n.Hibernated {
			fmt.Fprint(out, ", hibernated (hiberfil.sys has what is not on the volume)")
		}
	}
	if t := tv.Partition.Type; t != "" && v.Partition > 0 {
		fmt.Fprintf(out, " (%s)", t)
	}
	fmt.Fprintln(out)
	printFaults(out, v.Faults)
	if len(v.Points) > 1 {
		printPoints(out, tv, v.Points)
	} else if d := v.Points[0].Damage; d != nil {
		fmt.Fprintf(out, "  snapshots cannot be read: %s\n", text.Printable(*d))
	} else if v.Filesystem == "ntfs" || v.Filesystem == "refs" {
		fmt.Fprintln(out, "  no snapshots")
	}
}

// printPoints lists the snapshots of a volume, and then what there is to say of each point.
func printPoints(out *text.Out, tv *points.Volume, list []report.Point) {
	out.Table(func(row func(string, ...any)) {
		row("  #\tpoint\tcreated (UTC)\tchanged\tconsistency\tdiff area\tshadow copy")
		for _, p := range list[1:] {
			changed := "?"
			if p.ChangedBytes != nil {
				changed = text.Bytes(*p.ChangedBytes)
			}
			row("  vss%d\t%s\t%s\t%s\t%s\t%s\t%s", p.Index, p.Name, valueOr(p.Created, "?"), changed,
				valueOr(p.Consistency, "?"), valueOr(p.DiffArea, "?"), valueOr(p.CopyID, "?"))
		}
	})
	for i, p := range list {
		printDetails(out, p, tv.Points[i])
	}
}

func valueOr(s *string, other string) string {
	if s == nil || strings.TrimSpace(*s) == "" {
		return other
	}
	return *s
}

// consistencies say what a snapshot's consistency is and how that is known.
var consistencies = map[string]string{
	"application": "application-consistent (writers took part)",
	"crash":       "crash-consistent (no writers took part: as after a power loss)",
	"unknown":     "consistency unknown (the store header, which tells, is lost)",
}

func printDetails(w io.Writer, p report.Point, tp *points.Point) {
	if p.Kind == "current" {
		if p.Damage != nil {
			fmt.Fprintf(w, "  there may be more snapshots: %s\n", text.Printable(*p.Damage))
		}
		return
	}
	fmt.Fprintf(w, "  vss%d: %s", p.Index, consistencies[*p.Consistency])
	if len(p.Attributes) > 0 {
		fmt.Fprintf(w, "; for %s; %s; made on %s, set %s", tp.Snapshot.Context, strings.Join(p.Attributes, ", "),
			text.Printable(valueOr(p.Machine, "an unnamed machine")), valueOr(p.SetID, "?"))
	}
	fmt.Fprintln(w)
	if p.Offline {
		fmt.Fprintf(w, "  vss%d: deleted by its owner, but still kept\n", p.Index)
	}
	if p.Damage != nil {
		fmt.Fprintf(w, "  vss%d: DAMAGED: %s\n", p.Index, text.Printable(*p.Damage))
	}
}

// printFound is what "mount" says before it serves.
func printFound(w io.Writer, s *points.Set) {
	for _, v := range s.Volumes {
		if v.Filesystem == "ntfs" {
			fmt.Fprintf(w, "%s: %s, current and %d snapshots\n", text.Printable(v.Name), text.Bytes(v.Partition.Len), len(v.Snapshots()))
		}
	}
	for _, line := range s.Warnings() {
		fmt.Fprintf(w, "warning: %s\n", text.Printable(line))
	}
}

func printNext(w io.Writer, images []string, vols []*points.Volume) {
	img, vol, point := text.Quoted(images[0]), "", "current"
	pick := vols[0]
	for _, v := range vols {
		if len(v.Snapshots()) > 0 {
			pick, point = v, "latest"
			break
		}
	}
	if len(vols) > 1 {
		vol = ":" + pick.Name
	}
	fmt.Fprintf(w, "\nNext:\n  snapmount %s /mnt/snap\n  snapmount ls -l %s\n  snapmount cat %s > FILE\n", img,
		text.Quoted(images[0]+vol+"@"+point+":/"), text.Quoted(images[0]+vol+"@"+point+":/PATH"))
}

// shownRanges is how many ranges of one kind are printed.
const shownRanges = 20

func printEvidence(w io.Writer, r *report.Evidence) {
	if r == nil {
		return
	}
	fmt.Fprintf(w, "  EWF version %d, %d segments, chunks of %d bytes, compression %s\n", r.Version, r.Segments, r.ChunkSize, r.Compression)
	for _, line := range []struct {
		label string
		value *report.Name
	}{
		{"case", r.Case}, {"evidence", r.Evidence}, {"description", r.Description}, {"examiner", r.Examiner}, {"notes", r.Notes},
		{"model", r.Model}, {"serial number", r.Serial}, {"label", r.Label}, {"acquired", r.Acquired}, {"system clock", r.Clock},
		{"software", r.Software}, {"operating system", r.System}, {"MD5, stored", r.MD5}, {"SHA1, stored", r.SHA1},
	} {
		if line.value != nil {
			fmt.Fprintf(w, "  %-16s  %s\n", line.label, text.Printable(string(*line.value)))
		}
	}
	printRanges(w, len(r.ReadErrors), func(n int) string {
		return fmt.Sprintf("not read when it was acquired: 0x%x bytes at 0x%x, zeros in the image", r.ReadErrors[n].Length, r.ReadErrors[n].Offset)
	})
	printRanges(w, len(r.Bad), func(n int) string {
		return fmt.Sprintf("BAD so far: 0x%x bytes at 0x%x: %s", r.Bad[n].Length, r.Bad[n].Offset, text.Printable(r.Bad[n].Error))
	})
}

// printRanges prints a line for each of the first ranges.
func printRanges(w io.Writer, all int, line func(int) string) {
	for n := range min(all, shownRanges) {
		fmt.Fprintf(w, "  %s\n", line(n))
	}
	if all > shownRanges {
		fmt.Fprintf(w, "  ... and %d more such ranges: --json lists them\n", all-shownRanges)
	}
}
