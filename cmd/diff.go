package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// differ is the command "diff".
type differ struct {
	open                                  *openFlags
	stat, content, json, system, paranoid bool
	only                                  []string

	out    *bufio.Writer
	raw    io.Writer // under out
	errs   io.Writer
	tty    bool
	failed bool
	a, b   *points.Point
}

func newDiff(o *openFlags) *cobra.Command {
	d := &differ{open: o}
	c := &cobra.Command{
		Use:   "diff A B [PATH...]",
		Short: "Tell what changed between two points in time",
		Long: "diff tells what was created, deleted, renamed or moved between two points in time of a volume, or of two images of\n" +
			"it, and what changed its content, metadata or named streams. A and B are LOCATIONs; B may be @POINT alone, of the\n" +
			"volume of A. With a PATH, or one in A or B, it tells of what is at or below that path at either time.\n\n" +
			"What lies in the same place at both times is the same and is not read. All else is compared by its bytes, never by\n" +
			"file times, which count as metadata as any other field; so does the time of the last access.",
		Example: "  snapmount diff disk.vhd@oldest @current\n" +
			"  snapmount diff --only content,deleted disk.vhd@vss1:/Users disk.vhd@vss2",
		Args: args(cobra.MinimumNArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			if !c.Flags().Changed("cache") { // records are read in order, mostly: more would not help
				o.cache = 48 << 20
			}
			d.raw, d.errs, d.tty = c.OutOrStdout(), c.ErrOrStderr(), isTerminal(c.OutOrStdout())
			return d.run(c.Context(), args)
		},
	}
	f := c.Flags()
	f.BoolVar(&d.stat, "stat", false, "how many changes of each kind there are, not which")
	f.BoolVar(&d.content, "content", false, "how content changed, too: a unified diff of text, else hex")
	f.StringSliceVar(&d.only, "only", nil, "kinds to tell of: created, deleted, renamed, content, metadata, streams")
	f.BoolVar(&d.json, "json", false, "one JSON object a line")
	f.BoolVar(&d.system, "system", false, "NTFS metafiles such as $MFT, and the stores of VSS, too")
	f.BoolVar(&d.paranoid, "paranoid", false, "take nothing for equal by proof: read all records and all content")
	return c
}

func (d *differ) run(ctx context.Context, args []string) error {
	kinds, err := d.kinds()
	if err != nil {
		return err
	}
	sets, paths, err := d.locate(ctx, args[0], args[1])
	defer func() {
		for _, s := range sets {
			s.Close()
		}
	}()
	if err != nil {
		return err
	}
	a, err := d.a.Files()
	if err != nil {
		return err
	}
	b, err := d.b.Files()
	if err != nil {
		return err
	}
	if a.Serial() != b.Serial() {
		fmt.Fprintf(d.errs, "snapmount: the volumes have different serial numbers, %016X and %016X: they may be two volumes\n", a.Serial(), b.Serial())
	}
	d.out = bufio.NewWriter(d.raw)
	err = d.print(ctx, a, b, kinds, compare.Options{Paths: append(paths, args[2:]...), System: d.system, Paranoid: d.paranoid})
	if err := errors.Join(err, d.out.Flush()); err != nil {
		return err
	}
	if d.failed {
		return errPartial
	}
	return nil
}

// kinds are those to tell of.
func (d *differ) kinds() ([]compare.Kind, error) {
	if d.content && (d.json || d.stat) {
		return nil, usageError{errors.New("--content goes with neither --json nor --stat")}
	}
	if len(d.only) == 0 {
		return compare.Kinds(), nil
	}
	var out []compare.Kind
	for _, word := range d.only {
		i := slices.IndexFunc(compare.Kinds(), func(k compare.Kind) bool { return k.String() == word })
		if i < 0 {
			return nil, usageError{fmt.Errorf("--only %q: want some of %v", word, compare.Kinds())}
		}
		out = append(out, compare.Kinds()[i])
	}
	return out, nil
}

// locate finds the two points, and the paths that the locations have. One image is opened once. It returns what is to be
// closed, with an error too.
func (d *differ) locate(ctx context.Context, first, second string) (sets []*points.Set, paths []string, err error) {
	s, t, err := d.open.locate(ctx, first)
	if err != nil {
		return nil, nil, err
	}
	sets = append(sets, s)
	u, again := t, error(nil)
	switch loc, err := points.SplitLocation(second, exists); {
	case strings.HasPrefix(second, "@") && !exists(second):
		if t.Volume == nil {
			return sets, nil, noVolume(s, first)
		}
		u, again = s.Resolve(t.Volume.Image, ":"+t.Volume.Name+second)
	case err == nil && s.Images[0].Path == loc.WithLayer().Image:
		u, again = s.Resolve(s.Images[0], loc.WithLayer().Rest)
	default:
		s, u, again = d.open.locate(ctx, second)
		if again == nil {
			sets = append(sets, s)
		}
	}
	if again == nil && u.HasPath {
		var inner *points.Set
		inner, u, again = s.Enter(u)
		sets[len(sets)-1] = inner // which closes s
	}
	if again != nil {
		return sets, nil, again
	}
	for _, x := range []struct {
		set *points.Set
		points.Target
		location string
	}{{sets[0], t, first}, {s, u, second}} {
		if x.Point == nil {
			return sets, nil, noVolume(x.set, x.location)
		}
		if x.HasPath && strings.Trim(x.Path, "/") != "" {
			paths = append(paths, x.Path)
		}
	}
	d.a, d.b = t.Point, u.Point
	return sets, paths, nil
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// print prints the changes of those kinds, and tells what cannot be compared.
func (d *differ) print(ctx context.Context, a, b *ntfs.Tree, kinds []compare.Kind, opts compare.Options) error {
	changes, err := compare.Trees(ctx, a, b, opts)
	if err != nil {
		return err
	}
	counts := make([]countJSON, len(compare.Kinds()))
	for c, err := range changes {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n := &counts[c.Kind]
		switch {
		case err != nil:
			d.fail(c.Path, err)
		case !slices.Contains(kinds, c.Kind):
		case d.stat:
			n.Count++
			n.Old, n.New = n.Old+max(c.OldSize, 0), n.New+max(c.NewSize, 0)
		case d.json:
			_ = json.NewEncoder(d.out).Encode(jsonOf(c)) // a bufio.Writer keeps its error for Flush
		default:
			fmt.Fprintln(d.out, lineOf(c, d.clean))
			if d.content {
				d.contents(ctx, a, b, c)
			}
		}
	}
	for _, k := range kinds {
		n := counts[k]
		switch n.Kind = k.String(); {
		case !d.stat:
		case d.json:
			_ = json.NewEncoder(d.out).Encode(n)
		default:
			fmt.Fprintf(d.out, "%-8s %10d  %s\n", k, n.Count, n.sizes(k))
		}
	}
	return nil
}

// contents shows how the streams that a change is of differ.
func (d *differ) contents(ctx context.Context, a, b *ntfs.Tree, c compare.Change) {
	streams := c.Fields
	switch c.Kind {
	case compare.Content:
		streams = []string{""}
	case compare.Streams:
	default:
		return
	}
	for _, s := range streams {
		path := "/" + c.Path
		if s != "" {
			path += ":" + s
		}
		x, err := streamOf(a, c.Ref, s)
		y, err2 := streamOf(b, c.Ref, s)
		if err := errors.Join(err, err2); err != nil {
			d.fail(path, err)
			continue
		}
		if d.out.Flush() != nil { // it keeps the error
			return
		}
		if err := writeContentDiff(ctx, d.raw, d.a.Name+":"+path, d.b.Name+":"+path, x, y); err != nil {
			d.fail(path, err)
		}
	}
}

// streamOf opens a stream of a file; one that is not there is empty.
func streamOf(t *ntfs.Tree, ref ntfs.Ref, stream string) (layer.Mapper, error) {
	n, err := t.Node(ref)
	if err != nil {
		return nil, err
	}
	m, err := n.Stored(stream)
	if errors.Is(err, fs.ErrNotExist) {
		return layer.Section(strings.NewReader(""), 0, 0)
	}
	return m, err
}

// fail tells what cannot be compared.
func (d *differ) fail(path string, err error) {
	d.failed = true
	if path != "" {
		path = printable("/"+strings.TrimPrefix(path, "/")) + ": "
	}
	fmt.Fprintf(d.errs, "snapmount: %s%s\n", path, oneLine(d.b.Because(d.a.Because(err))))
}

func (d *differ) clean(s string) string {
	if d.tty {
		return printable(s)
	}
	return s
}
