package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
)

// infoFlags say what of a report to print.
type infoFlags struct {
	json, sets, verbose bool
	next                bool // the commands that are useful now, wherever it is read
}

func newInfo(o *openFlags) *cobra.Command {
	var f infoFlags
	c := &cobra.Command{
		Use:   "info IMAGE[:VOLUME]...",
		Short: "Tell what is in an image: format, partitions, volumes, points in time, damage",
		Long: "info tells the format of an image, its partitions and volumes, and of each NTFS volume the points in time that it " +
			"keeps, a line each: the number that names it, when it was made and how long ago that is, what its own store keeps, and " +
			"whether programs took part (consistent) or it is as after a power loss (crash-consistent). -v has the rest: names, " +
			"ids, places. Each fault of the image or a volume is a line, and the exit code is then 4. Several images are opened " +
			"together: the snapshots of one may be kept on another.",
		Example: "  snapmount info disk.vhdx\n" +
			"  snapmount info --json disk.vhdx | jq '.volumes[].points[].name'",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return runInfo(c, o, args, f) },
	}
	c.Flags().BoolVar(&f.json, "json", false, "one JSON document")
	c.Flags().BoolVar(&f.sets, "sets", false, "shadow copy sets too: points that were taken together, over all volumes and images")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "all that is known: names and ids of points, offsets, sizes in bytes, times to their last digit")
	inGroup(c.Flags(), groupOutput, "verbose", "json", "sets")
	return c
}

func runInfo(c *cobra.Command, o *openFlags, images []string, f infoFlags) (err error) {
	out := o.out(c.OutOrStdout())
	defer func() { err = errors.Join(out.Flush(), err) }()
	o.keys.ask = nil // what is locked is told
	s, only, err := o.opener().Disks(c.Context(), images)
	if err != nil {
		return err
	}
	defer s.Close()
	r := report.InfoOf(s)
	shown := s.Volumes
	if only != nil {
		i := slices.Index(s.Volumes, only)
		shown, r.Volumes = s.Volumes[i:i+1], r.Volumes[i:i+1]
		for i := range r.Images {
			r.Images[i].Locked = slices.DeleteFunc(r.Images[i].Locked, func(name string) bool { return name != only.Name })
		}
	}
	if c.Context().Err() != nil { // what it says of block lists is not so
		return context.Cause(c.Context())
	}
	if f.sets {
		r.Sets = report.CopySetsOf(s)
	}
	if f.json {
		out.Document(r)
	} else {
		(&infoText{out, o.clock, f.verbose}).print(s, shown, r)
	}
	faults, locked := r.Faulty()
	vols, err := s.NTFS()
	if err != nil && !keepsSnapshots(s) && faults+locked == 0 {
		return fmt.Errorf("%s: %w", strings.Join(images, ", "), err)
	}
	if err == nil && !f.json && (f.next || out.Terminal && pointsIn(r) <= screenful) {
		if pick := selection.PickExample(c.Context(), vols); pick != nil {
			printNext(out, s, pick, o.again("with"))
		}
	}
	return infoEnd(s, r, faults, locked)
}

// infoEnd is how the command ends: damage comes first, and what is locked is told with it.
func infoEnd(s *points.Set, r report.Info, faults, locked int) error {
	closed := ""
	if locked > 0 {
		closed = fmt.Sprintf("%s locked by BitLocker: %s tells what opens it", areVolumes(locked), lineOf(append([]string{"unlock"}, imagesOf(s)...)))
	}
	switch damaged, all := r.Damaged(); {
	case damaged > 0:
		return codedError{exitDamaged, fmt.Errorf("%d of %d points in time are damaged; %s", damaged, all, cmp.Or(closed, "the rest is sound"))}
	case faults > 0:
		return codedError{exitDamaged, errors.New(strings.TrimSuffix(fmt.Sprintf("%s of images and volumes, told above; %s", text.Counted(faults, "fault"), closed), "; "))}
	case locked > 0:
		return codedError{exitPartial, errors.New(closed)}
	}
	return nil
}

// imagesOf are the paths of images, as they were named.
func imagesOf(s *points.Set) (list []string) {
	for _, img := range s.Images {
		list = append(list, img.Path)
	}
	return list
}

func areVolumes(n int) string {
	if n == 1 {
		return "1 volume is"
	}
	return fmt.Sprintf("%d volumes are", n)
}

// screenful is how many points may be listed for info to tell what to do next, as the command without a word always does.
const screenful = 40

func pointsIn(r report.Info) (n int) {
	for _, v := range r.Volumes {
		n += len(v.Points)
	}
	return n
}

// keepsSnapshots reports whether there are points in time at all: those of file systems other than NTFS are shown as
// block images.
func keepsSnapshots(s *points.Set) bool {
	return slices.ContainsFunc(s.Volumes, func(v *points.Volume) bool { return len(v.Snapshots()) > 0 })
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

// printNext gives lines to type, with names of these images.
func printNext(out *text.Out, s *points.Set, e *selection.Example, keys []string) {
	image, with := e.Volume.Image.Path, []string(nil)
	for _, img := range s.Images {
		if img != e.Volume.Image {
			with = append(with, "--with", img.Path)
		}
	}
	volume := image
	if e.Several {
		volume += ":" + e.Volume.OwnName()
	}
	old := volume
	if point := e.PointWord(); point != "" {
		old += "@" + point
	}
	file := cmp.Or(e.Path, "/PATH")
	pattern := "*" + path.Ext(file)
	if pattern == "*" {
		pattern = path.Base(file)
	}
	undelete := []string{"undelete", volume, pattern}
	if e.Gone != "" {
		undelete = []string{"undelete", volume + ":" + e.Gone}
	}
	fmt.Fprintln(out)
	out.Line(text.Heading, "Next:")
	for _, args := range [][]string{{"find", image, pattern}, {"history", volume + ":" + file}, {"restore", old + ":" + file, "DEST"}, undelete, browsing(image)} {
		fmt.Fprintf(out, "  %s\n", lineOf(slices.Concat(args, with, keys)))
	}
}
