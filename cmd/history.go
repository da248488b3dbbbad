package cmd

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// historian prints what a history has to tell.
type historian struct {
	all, hash, diff, json, system bool
	extract                       string
	out                           *bufio.Writer
	errs                          io.Writer
	tty                           bool

	mu     sync.Mutex
	failed bool

	volume *points.Volume
	points []*points.Point              // oldest first, the current state last
	shown  map[ntfs.Ref]compare.Version // for --diff: by file, the version told last
}

func newHistory(o *openFlags) *cobra.Command {
	h := &historian{}
	c := &cobra.Command{
		Use:   "history LOCATION",
		Short: "List the distinct versions of a file, or of what a directory holds, over all points in time",
		Long: "history follows a file through all points in time of its volume, by its file reference: so renames, moves and what\n" +
			"came back are told too. Two points have the same version when all streams and the metadata are equal, but for the time\n" +
			"of the last access: proven by the places of the bytes in the image (extents), or by reading them (bytes).\n" +
			"FILE:STREAM gives the history of that stream alone, a directory that of each file which ever was in it.",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if h.diff && h.json {
				return usageError{errors.New("--diff writes text: leave --json out")}
			}
			h.out, h.errs, h.tty = bufio.NewWriter(c.OutOrStdout()), c.ErrOrStderr(), isTerminal(c.OutOrStdout())
			err := h.run(c.Context(), o, args[0])
			if err2 := h.out.Flush(); err == nil {
				err = err2
			}
			if err == nil && h.failed {
				err = errPartial
			}
			return err
		},
	}
	f := c.Flags()
	f.BoolVar(&h.all, "all", false, "one row for each point in time")
	f.BoolVar(&h.hash, "hash", false, "the SHA-256 of each version")
	f.BoolVar(&h.diff, "diff", false, "what differs between consecutive versions")
	f.StringVar(&h.extract, "extract", "", "write each version into this directory, as NAME.POINT.EXTENSION")
	f.BoolVar(&h.json, "json", false, "one JSON object a line")
	f.BoolVar(&h.system, "system", false, "of a directory, NTFS metafiles and the files of VSS too")
	return c
}

func (h *historian) run(ctx context.Context, o *openFlags, location string) error {
	s, t, err := o.locate(ctx, location)
	if err != nil {
		return err
	}
	defer s.Close()
	if t.Point == nil {
		return noVolume(s, location)
	}
	h.volume, h.points = t.Volume, append(slices.Clone(t.Volume.Snapshots()), t.Volume.Current())
	h.shown = map[ntfs.Ref]compare.Version{}
	var moments []compare.Moment
	for _, p := range h.points {
		moments = append(moments, compare.Moment{Tree: p.Files, Find: func() (*ntfs.Node, string, error) { return p.Lookup(t.Path, false) }})
	}
	versions, err := compare.History(ctx, moments, compare.HistoryOptions{Path: t.Path, First: slices.Index(h.points, t.Point), Every: h.all, Hide: func(e ntfs.Entry) bool { return compare.IsStore(e.Name) }, System: h.system})
	if err != nil {
		return err
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

// version prints one, and does what else is asked for.
func (h *historian) version(ctx context.Context, v compare.Version) error {
	point := h.points[v.First]
	if v.Err != nil {
		if told := (*points.DamagedError)(nil); !errors.As(v.Err, &told) {
			v.Err = point.Because(v.Err)
		}
		h.fail(v, v.Err)
	}
	row := h.describe(v)
	if h.hash && row.Kind == "file" {
		sum, err := hashOf(ctx, v)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			h.fail(v, point.Because(err))
		}
		row.SHA256 = sum
	}
	var err error
	if h.json {
		err = json.NewEncoder(h.out).Encode(row)
	} else {
		h.print(row)
	}
	if v.Node == nil || row.Kind != "file" || err != nil {
		return err
	}
	if h.diff {
		err = h.showDiff(ctx, v)
		h.shown[v.Ref] = v
	}
	return err
}

func (h *historian) fail(v compare.Version, err error) { h.failAt(h.name(v), err) }

// failAt may be called from any goroutine.
func (h *historian) failAt(location string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = true
	fmt.Fprintf(h.errs, "snapmount: %s: %s\n", printable(location), oneLine(err))
}

// name is the location of a version.
func (h *historian) name(v compare.Version) string {
	name := fmt.Sprintf("%s@%s:%s", h.volume.Name, h.points[v.First].Name, v.Path)
	if v.Stream != "" {
		name += ":" + v.Stream
	}
	return name
}

func hashOf(ctx context.Context, v compare.Version) (string, error) {
	m, err := v.Node.Stream(v.Stream)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if err := copyAll(ctx, sum, m); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}

// showDiff writes what differs from the version before; where a path came to lead to another file, from that one's.
func (h *historian) showDiff(ctx context.Context, v compare.Version) error {
	before, ok := h.shown[v.Ref]
	if old, replaced := h.shown[v.Replaces]; replaced {
		before, ok = old, true
	}
	if !ok || v.Joined && v.Number == before.Number {
		return nil
	}
	a, err := before.Node.Stream(v.Stream)
	if err != nil {
		h.fail(before, h.points[before.First].Because(err))
		return nil
	}
	b, err := v.Node.Stream(v.Stream)
	if err == nil {
		var same bool
		if same, _, err = compare.SameContent(ctx, a, b); err == nil && !same {
			return writeContentDiff(ctx, h.out, printable(h.name(before)), printable(h.name(v)), a, b)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		h.fail(v, h.points[v.First].Because(err))
	}
	return nil
}
