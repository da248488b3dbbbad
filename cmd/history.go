package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/restore"
)

// A historian is the command "history".
type historian struct {
	all, hash, diff, json, system bool
	extract                       string

	out      *text.Out
	tell     *text.Reporter
	progress layer.Progress
	place    *selection.Place
	shown    []*points.Point              // oldest first, the current state last
	width    int                          // of the names of points
	told     map[ntfs.Ref]compare.Version // for --diff: by file, the version told last
	apart    map[ntfs.Ref]bool            // files of which Windows left content out
}

func newHistory(o *openFlags) *cobra.Command {
	h := &historian{}
	c := &cobra.Command{
		Use:   "history LOCATION",
		Short: "List the distinct versions of a file, or of what a directory holds, over all points in time",
		Long: "history follows a file through all points in time of its volume, by its file reference: so renames, moves and what\n" +
			"came back are told too. Two points have the same version when names, streams and metadata are equal, but for the time\n" +
			"of the last access: proven by the places of the bytes in the image (extents), or by reading them (bytes). find and\n" +
			"timeline count the same way; what cannot be compared is a version of its own, and told as unknown.\n" +
			"FILE:STREAM gives the history of that stream alone, a directory that of each file which ever was in it.",
		Example: "  snapmount history disk.vhdx:/Users/ann/report.txt\n" +
			"  snapmount history --diff disk.vhdx:/Users/ann/report.txt\n" +
			"  snapmount history --extract versions disk.vhdx:/Users/ann/report.txt",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if h.diff && h.json {
				return usagef("--diff writes text: leave --json out")
			}
			h.out, h.tell, h.progress = o.out(c.OutOrStdout()), text.NewReporter(c.ErrOrStderr()), o.progress
			o.concluding(h.tell)
			return h.tell.Done(h.out, o.each(c.Context(), h.tell, args, points.AtAnyPoint, func(all *selection.Places) error { return h.places(c.Context(), all) }))
		},
	}
	f := c.Flags()
	f.BoolVar(&h.all, "all", false, "one row for each point in time")
	f.BoolVar(&h.hash, "hash", false, "the SHA-256 of each version")
	f.BoolVar(&h.diff, "diff", false, "what differs between consecutive versions")
	f.StringVar(&h.extract, "extract", "", "write each version into this directory, as NAME.POINT.EXTENSION")
	f.BoolVar(&h.json, "json", false, "one JSON object a line")
	f.BoolVar(&h.system, "system", false, "of a directory, NTFS metafiles and the files of VSS too")
	inGroup(f, groupWhich, "all", "system")
	inGroup(f, groupOutput, "hash", "diff", "extract", "json")
	return c
}

// places goes through what a location names. A directory for the versions can be that of one volume only.
func (h *historian) places(ctx context.Context, all *selection.Places) error {
	if _, err := all.One(); err != nil && h.extract != "" {
		return err
	}
	for i, p := range all.List {
		heading(h.out, all, i, h.json)
		if err := h.run(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (h *historian) run(ctx context.Context, p *selection.Place) error {
	versions, err := p.History(ctx, h.all, h.system)
	if err != nil {
		return err
	}
	h.tell.Searched(p.Lost(true), nil)
	h.place, h.shown, h.told = p, p.InTime(), map[ntfs.Ref]compare.Version{}
	h.apart = map[ntfs.Ref]bool{}
	h.width = 0
	for _, p := range h.shown {
		h.width = max(h.width, len(p.Name))
	}
	if !h.json {
		h.row(h.out.Head, "#", "first", "last", "size", "modified", "same by", "event", "path")
	}
	if h.extract != "" {
		return h.extractAll(ctx, versions)
	}
	for v, err := range versions {
		if err == nil {
			err = h.version(ctx, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// version prints one, and does what else is asked for. The error is of the output.
func (h *historian) version(ctx context.Context, v compare.Version) error {
	if v.Err != nil {
		if told := (*points.DamagedError)(nil); !errors.As(v.Err, &told) {
			v.Err = h.because(v, v.Err)
		}
		h.fail(v, v.Err)
	}
	row := report.VersionOf(h.shown, v)
	if h.hash && row.Kind == "file" {
		var err error
		row.SHA256, err = h.hashOf(ctx, v)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			h.fail(v, h.because(v, err))
		}
	}
	if h.json {
		h.out.JSON(row)
	} else {
		h.print(row)
	}
	if v.Node == nil || row.Kind != "file" || !h.diff {
		return nil
	}
	err := h.showDiff(ctx, v)
	h.told[v.Ref] = v
	return err
}

// because adds the damage of the point that a version is from.
func (h *historian) because(v compare.Version, err error) error { return h.shown[v.First].Because(err) }

// name is the location of a version.
func (h *historian) name(v compare.Version) string {
	name := fmt.Sprintf("%s@%s:%s", h.place.Volume.Name, h.shown[v.First].Name, v.Path)
	if v.Stream != "" {
		name += ":" + v.Stream
	}
	return name
}

// fail tells what cannot be had of a version, or counts it, if Windows left it out on purpose.
func (h *historian) fail(v compare.Version, err error) {
	if !h.place.LeftOut(v, err) {
		h.tell.Fail(h.name(v), err)
	} else if !h.apart[v.Ref] {
		h.apart[v.Ref] = true
		h.tell.LeftOut()
	}
}

func (h *historian) hashOf(ctx context.Context, v compare.Version) (string, error) {
	defer h.progress("", 0, 0)
	m, err := v.Node.Stream(v.Stream)
	if err != nil {
		return "", err
	}
	return restore.SHA256(ctx, m, h.progress.Of(h.name(v)))
}

// showDiff writes what differs from the version before; where a path came to lead to another file, from that one's.
func (h *historian) showDiff(ctx context.Context, v compare.Version) error {
	before, ok := h.told[v.Ref]
	if old, replaced := h.told[v.Replaces]; replaced {
		before, ok = old, true
	}
	if !ok || v.Joined && v.Number == before.Number {
		return nil
	}
	a, err := before.Node.Stream(v.Stream)
	if err != nil {
		h.fail(before, h.because(before, err))
		return nil
	}
	b, err := v.Node.Stream(v.Stream)
	if err == nil {
		var same bool
		if same, _, err = compare.SameContent(ctx, a, b); err == nil && !same {
			return compare.WriteDiff(ctx, h.out.Content(), text.Printable(h.name(before)), text.Printable(h.name(v)), a, b)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		h.fail(v, h.because(v, err))
	}
	return nil
}

// print writes a row as text.
func (h *historian) print(r report.Version) {
	number, size, mtime := "-", "-", "-"
	if r.Version != nil {
		number, size, mtime = fmt.Sprint(*r.Version), fmt.Sprint(*r.Size), h.out.Stamp(*r.Mtime)
	}
	what := string(r.Path)
	if r.Stream != "" {
		what += ":" + string(r.Stream)
	}
	if r.OldPath != "" {
		what += " <- " + string(r.OldPath)
	}
	what = text.Printable(what)
	event := r.Event
	if len(r.Fields) > 0 {
		event += " (" + strings.Join(r.Fields, ", ") + ")"
	}
	if r.Doubtful {
		what += "  [" + text.Printable(r.Verdict) + "]"
	}
	if r.SHA256 != "" {
		what = r.SHA256 + "  " + what
	}
	h.row(func(format string, cells ...any) { fmt.Fprintf(h.out, format+"\n", cells...) }, number, r.First, r.Last, size, mtime, r.SameBy, event, what)
}

// row writes a line of columns.
func (h *historian) row(write func(string, ...any), number, first, last, size, mtime, same, event, what string) {
	write("%3s  %-*s  %-*s  %12s  %*s  %-7s  %-20s  %s", number, h.width, first, h.width, last, size, h.out.TimeWidth(), mtime, same, event, what)
}
