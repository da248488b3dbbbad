package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"snapmount/mount/points"
)

func newInfo(o *openFlags) *cobra.Command {
	var asJSON, sets bool
	c := &cobra.Command{
		Use:   "info IMAGE...",
		Short: "Tell what is in an image: format, partitions, volumes, points in time, damage",
		Args:  args(cobra.MinimumNArgs(1)),
		RunE:  func(c *cobra.Command, args []string) error { return runInfo(c, o, args, asJSON, sets, false) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON document")
	c.Flags().BoolVar(&sets, "sets", false, "shadow copy sets too: points that were taken together, over all volumes and images")
	return c
}

// runInfo prints the report; with next it ends with the commands that are useful now.
func runInfo(c *cobra.Command, o *openFlags, images []string, asJSON, sets, next bool) (err error) {
	w := bufio.NewWriter(c.OutOrStdout()) // it keeps the first error for the end
	defer func() { err = errors.Join(w.Flush(), err) }()
	s, err := o.open(c.Context(), images)
	if err != nil {
		return err
	}
	defer s.Close()
	r := makeReport(s)
	if ctx := c.Context(); ctx.Err() != nil { // what it says of block lists is not so
		return context.Cause(ctx)
	}
	if sets {
		r.Sets = reportSets(s)
	}
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return err
		}
	} else {
		printReport(w, s, r)
	}
	vols, err := s.NTFS()
	if err != nil && !keepsSnapshots(s) {
		return fmt.Errorf("%s: %w", strings.Join(images, ", "), err)
	}
	if next && err == nil {
		printNext(w, images, vols)
	}
	if n := r.damaged(); n > 0 {
		return codedError{exitDamaged, fmt.Errorf("%d of %d points in time are damaged; the rest is sound", n, r.points())}
	}
	return nil
}

// keepsSnapshots reports whether there are points in time at all: those of file systems other than NTFS are shown as
// block images.
func keepsSnapshots(s *points.Set) bool {
	return slices.ContainsFunc(s.Volumes, func(v *points.Volume) bool { return len(v.Snapshots()) > 0 })
}

func printReport(w *bufio.Writer, s *points.Set, r report) {
	for i, img := range r.Images {
		fmt.Fprintf(w, "%s: %s, %s (%d bytes)", printable(img.Path), img.Format, bytesText(img.Size), img.Size)
		if len(img.Files) > 1 {
			fmt.Fprintf(w, ", %d files", len(img.Files))
		}
		fmt.Fprintln(w)
		printLayers(w, img.Layers)
		printEvidence(w, img.Evidence)
		if t := s.Images[i].Table; t != nil && t.Scheme != "none" {
			fmt.Fprintf(w, "  partition table: %s, %d-byte sectors\n", t.Scheme, t.SectorSize)
		}
	}
	for i, v := range r.Volumes {
		printVolume(w, s.Volumes[i], v)
	}
	for _, set := range r.Sets {
		fmt.Fprintf(w, "\nset {%s} of %s, %d of %d points here:\n", set.ID, set.Created, len(set.Points), set.Expected)
		for _, p := range set.Points {
			fmt.Fprintf(w, "  %s\n", printable(p))
		}
	}
	for _, line := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", printable(line))
	}
}

// printLayers lists earlier states, where there are any.
func printLayers(w io.Writer, layers []layerReport) {
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
		fmt.Fprintf(w, "  layer %d: %s, %s, %s, %s\n", i, printable(string(l.Name)), what, bytesText(l.Size), when)
	}
}

func printVolume(w *bufio.Writer, tv *points.Volume, v volumeReport) {
	fs := strings.ToUpper(v.Filesystem)
	if fs == "" {
		fs = "no known file system"
	}
	fmt.Fprintf(w, "\n%s: %s, %s at %d", printable(v.Name), fs, bytesText(v.Size), v.Offset)
	if v.ClusterSize > 0 {
		fmt.Fprintf(w, ", clusters of %d", v.ClusterSize)
	}
	if n := v.NTFS; n != nil {
		fmt.Fprintf(w, ", version %s, serial %s-%s", n.Version, n.Serial[8:12], n.Serial[12:])
		if n.Dirty {
			fmt.Fprint(w, ", marked dirty")
		}
		if n.Log == "dirty" {
			fmt.Fprint(w, ", log not replayed")
		}
	}
	if t := tv.Partition.Type; t != "" && v.Partition > 0 {
		fmt.Fprintf(w, " (%s)", t)
	}
	fmt.Fprintln(w)
	if len(v.Points) == 1 {
		if d := v.Points[0].Damage; d != nil {
			fmt.Fprintf(w, "  snapshots cannot be read: %s\n", printable(*d))
		} else if v.Filesystem == "ntfs" || v.Filesystem == "refs" {
			fmt.Fprintln(w, "  no snapshots")
		}
		return
	}
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tab, "  #\tpoint\tcreated (UTC)\tchanged\tconsistency\tdiff area\tshadow copy\n")
	for _, p := range v.Points[1:] {
		changed := "?"
		if p.ChangedBytes != nil {
			changed = bytesText(*p.ChangedBytes)
		}
		fmt.Fprintf(tab, "  vss%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Index, p.Name, valueOr(p.Created, "?"), changed,
			valueOr(p.Consistency, "?"), valueOr(p.DiffArea, "?"), valueOr(p.CopyID, "?"))
	}
	_ = tab.Flush() // w keeps its error
	for i, p := range v.Points {
		printDetails(w, p, tv.Points[i])
	}
}

// consistencies say what a snapshot's consistency is and how that is known.
var consistencies = map[string]string{
	"application": "application-consistent (writers took part)",
	"crash":       "crash-consistent (no writers took part: as after a power loss)",
	"unknown":     "consistency unknown (the store header, which tells, is lost)",
}

func printDetails(w io.Writer, p pointReport, tp *points.Point) {
	if p.Kind == "current" {
		if p.Damage != nil {
			fmt.Fprintf(w, "  there may be more snapshots: %s\n", printable(*p.Damage))
		}
		return
	}
	fmt.Fprintf(w, "  vss%d: %s", p.Index, consistencies[*p.Consistency])
	if len(p.Attributes) > 0 {
		fmt.Fprintf(w, "; for %s; %s; made on %s, set %s", tp.Snapshot.Context, strings.Join(p.Attributes, ", "),
			printable(valueOr(p.Machine, "an unnamed machine")), valueOr(p.SetID, "?"))
	}
	fmt.Fprintln(w)
	if p.Offline {
		fmt.Fprintf(w, "  vss%d: deleted by its owner, but still kept\n", p.Index)
	}
	if p.Damage != nil {
		fmt.Fprintf(w, "  vss%d: DAMAGED: %s\n", p.Index, printable(*p.Damage))
	}
}

// printFound is what "mount" says before it serves.
func printFound(w io.Writer, s *points.Set) {
	for _, v := range s.Volumes {
		if v.Filesystem == "ntfs" {
			fmt.Fprintf(w, "%s: %s, current and %d snapshots\n", printable(v.Name), bytesText(v.Partition.Len), len(v.Snapshots()))
		}
	}
	for _, line := range s.Warnings() {
		fmt.Fprintf(w, "warning: %s\n", printable(line))
	}
}

func printNext(w io.Writer, images []string, vols []*points.Volume) {
	img, vol, point := quoted(images[0]), "", "current"
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
		quoted(images[0]+vol+"@"+point+":/"), quoted(images[0]+vol+"@"+point+":/PATH"))
}

// quoted makes a word safe to paste into a shell.
func quoted(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@-+=,", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
