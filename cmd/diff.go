package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// A differ is the command "diff".
type differ struct {
	stat, content, json, system, paranoid, any, metadata bool
	only                                                 []string

	out          *text.Out
	tell         *text.Reporter
	pair         *selection.Pair
	paths        []string // that were asked for
	a, b         *points.Point
	treeA, treeB *ntfs.Tree
}

func newDiff(o *openFlags) *cobra.Command {
	d := &differ{}
	c := &cobra.Command{
		Use:   "diff A [B] [PATH...]",
		Short: "Tell what changed between two points in time",
		Long: "diff tells what was created, deleted, renamed or moved between two points in time of a volume, or of two images of\n" +
			"it, and what changed its content, metadata or named streams. A and B are LOCATIONs; B may be @POINT alone, of the\n" +
			"volume of A, and without B it is that volume as it is now. IMAGE @POINT @POINT is two points of one volume. With a\n" +
			"PATH, or one in A or B, it tells of what is at or below that path at either time.\n\n" +
			"A file has a line: + created, - deleted, R renamed or moved, M modified, with what changed behind its path. The\n" +
			"times of directories, and those of the last access, are left to --metadata; --json and --stat tell all.\n\n" +
			"What lies in the same place at both times is the same and is not read. All else is compared by its bytes, never by\n" +
			"file times, which count as metadata as any other field; so does the time of the last access.",
		Example: "  snapmount diff disk.vhd @oldest @latest\n" +
			"  snapmount diff disk.vhd@vss1\n" +
			"  snapmount diff --only content,deleted disk.vhd@vss1:/Users disk.vhd@vss2",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if !c.Flags().Changed("cache") { // records are read in order, mostly: more would not help
				o.cache = 48 << 20
			}
			d.out, d.tell = o.out(c.OutOrStdout()), text.NewReporter(c.ErrOrStderr())
			o.concluding(d.tell)
			return d.tell.Done(d.out, d.run(c.Context(), o, args))
		},
	}
	f := c.Flags()
	f.BoolVar(&d.stat, "stat", false, "how many changes of each kind there are, not which")
	f.BoolVar(&d.content, "content", false, "how content changed, too: a unified diff of text, else hex")
	f.StringSliceVar(&d.only, "only", nil, "kinds to tell of: created, deleted, renamed, content, metadata, streams")
	f.BoolVar(&d.metadata, "metadata", false, "times of directories and of the last access too")
	f.BoolVar(&d.json, "json", false, "one JSON object a line")
	f.BoolVar(&d.system, "system", false, "NTFS metafiles such as $MFT, and the stores of VSS, too")
	f.BoolVar(&d.any, "any-volumes", false, "compare two volumes, where A and B are of two")
	f.BoolVar(&d.paranoid, "paranoid", false, "take nothing for equal by proof: read all records and all content")
	inGroup(f, groupWhich, "only", "metadata", "system", "any-volumes", "paranoid")
	inGroup(f, groupOutput, "stat", "content", "json")
	rare(f, "any-volumes", "paranoid")
	return c
}

func (d *differ) run(ctx context.Context, o *openFlags, args []string) error {
	kinds, err := d.kinds()
	if err != nil {
		return err
	}
	if len(args) == 1 && !strings.Contains(selection.Spelt(args[0]), "@") {
		return onePoint(args[0])
	}
	pair, err := o.opener().Pair(ctx, args)
	if err != nil {
		return err
	}
	defer pair.Close()
	d.tell.Searched(pair.Lost(), nil)
	d.metadata = d.metadata || slices.Equal(d.only, []string{compare.Metadata.String()})
	d.pair, d.paths = pair, append(pair.Paths(), pair.Asked...)
	d.a, d.b = pair.A.Point, pair.B.Point
	if d.a == d.b && len(args) == 1 {
		return onePoint(args[0])
	}
	if err := d.sameVolume(args); err != nil {
		return err
	}
	if d.treeA, err = d.a.Files(); err != nil {
		return err
	}
	if d.treeB, err = d.b.Files(); err != nil {
		return err
	}
	if a, b := d.treeA.Serial(), d.treeB.Serial(); a != b {
		d.tell.Line("the volumes have different serial numbers, %016X and %016X: they may be two volumes", a, b)
	}
	changes, err := compare.Trees(ctx, d.treeA, d.treeB, compare.Options{Paths: d.paths, System: d.system, Paranoid: d.paranoid, Progress: o.progress})
	defer o.progress("", 0, 0)
	if err != nil {
		return err
	}
	if d.a.Volume == d.b.Volume && d.a.After(d.b) && !d.json {
		d.tell.Note(fmt.Sprintf("from %s back in time to %s: + is what is there in the older one alone", d.a.Name, d.b.Name))
	}
	counts := make([]report.Count, len(compare.Kinds()))
	for group, err := range compare.ByFile(changes) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			d.fail(group[0].Path, err)
			continue
		}
		group = slices.DeleteFunc(group, func(c compare.Change) bool { return !slices.Contains(kinds, c.Kind) })
		switch {
		case d.stat:
			for _, c := range group {
				counts[c.Kind].Add(c)
			}
		case d.json:
			for _, c := range group {
				d.out.JSON(report.ChangeOf(d.a, d.b, c))
			}
		default:
			d.file(ctx, group)
		}
	}
	if d.stat {
		d.counts(kinds, counts)
	}
	return nil
}

// onePoint refuses to compare the current state with itself.
func onePoint(arg string) error {
	return usagef("%s: want two points, as in: snapmount diff %s @oldest @current", arg, text.Quoted(arg))
}

// sameVolume refuses to compare two volumes, of which nearly all would be told as changed.
func (d *differ) sameVolume(args []string) error {
	why := points.SameVolume(d.a, d.b)
	if why == nil || d.any || errors.Is(why, layer.ErrCorrupt) || errors.Is(why, layer.ErrUnknown) { // what cannot be opened is told next
		return nil
	}
	line := "snapmount diff --any-volumes"
	for _, arg := range args {
		line += " " + text.Quoted(arg)
	}
	return usagef("%s and %s are two volumes: %w; to compare them all the same: %s", d.a.Volume.Name, d.b.Volume.Name, why, line)
}

// kinds are those to tell of.
func (d *differ) kinds() ([]compare.Kind, error) {
	if d.content && (d.json || d.stat) {
		return nil, usagef("--content goes with neither --json nor --stat")
	}
	if len(d.only) == 0 {
		return compare.Kinds(), nil
	}
	var out []compare.Kind
	for _, word := range d.only {
		i := slices.IndexFunc(compare.Kinds(), func(k compare.Kind) bool { return k.String() == word })
		if i < 0 {
			return nil, usagef("--only %q: want some of %v", word, compare.Kinds())
		}
		out = append(out, compare.Kinds()[i])
	}
	return out, nil
}

// counts prints how many changes there are of each kind.
func (d *differ) counts(kinds []compare.Kind, counts []report.Count) {
	for _, k := range kinds {
		n := counts[k]
		n.Between, n.Kind = report.BetweenOf(d.a, d.b), k.String()
		sizes := map[compare.Kind]string{compare.Created: text.Bytes(n.New), compare.Deleted: text.Bytes(n.Old), compare.Content: text.Bytes(n.Old) + " -> " + text.Bytes(n.New)}
		if d.json {
			d.out.JSON(n)
		} else {
			fmt.Fprintf(d.out, "%-8s %10d  %s\n", k, n.Count, sizes[k])
		}
	}
}

// marks say what became of a file, by the first of its changes.
var marks = map[compare.Kind]struct {
	mark  string
	style text.Style
}{compare.Created: {"+", text.Added}, compare.Deleted: {"-", text.Gone}, compare.Renamed: {"R", text.Moved}, compare.Content: {"M", text.Changed},
	compare.Metadata: {"M", text.Changed}, compare.Streams: {"M", text.Changed}}

// file prints all changes of one in a line.
func (d *differ) file(ctx context.Context, group []compare.Change) {
	var shown []compare.Change
	var what []string
	inPlace := false
	for _, c := range group {
		if telling, ok := c.Telling(); ok && !d.metadata {
			c = telling
		} else if !ok && !d.metadata {
			continue
		}
		shown, inPlace = append(shown, c), inPlace || c.InPlace
		if word := changeWord(c); word != "" {
			what = append(what, word)
		}
	}
	if len(shown) == 0 {
		return
	}
	m, line := marks[shown[0].Kind], text.Printable("/"+shown[0].Path)
	if shown[0].Kind == compare.Renamed {
		line = text.Printable("/"+shown[0].OldPath) + " -> " + line
	}
	if len(what) > 0 {
		line += "  " + text.Printable(strings.Join(what, "; "))
	}
	if inPlace {
		line += "  (in place: the file record did not change)"
	}
	d.out.Line(m.style, "%s %s", m.mark, line)
	if d.content {
		for _, c := range shown {
			d.contents(ctx, c)
		}
	}
}

// changeWord says what changed, but for what the mark of the line says.
func changeWord(c compare.Change) string {
	fields := strings.Join(c.Fields, ", ")
	switch c.Kind {
	case compare.Content:
		return fmt.Sprintf("%s -> %s bytes", sizeWord(c.OldSize), sizeWord(c.NewSize))
	case compare.Streams:
		return "streams " + fields
	}
	return fields
}

func sizeWord(n int64) string {
	if n < 0 {
		return "no"
	}
	return fmt.Sprint(n)
}

// contents shows how the streams that a change is of differ.
func (d *differ) contents(ctx context.Context, c compare.Change) {
	for side, err := range compare.Sides(d.treeA, d.treeB, c) {
		path := "/" + c.Path
		if side.Stream != "" {
			path += ":" + side.Stream
		}
		if shown := text.Printable(path); err == nil {
			err = compare.WriteDiff(ctx, d.out.Content(), d.a.Name+":"+shown, d.b.Name+":"+shown, side.A, side.B)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			d.fail(path, err)
		}
	}
}

// fail tells what cannot be compared.
func (d *differ) fail(path string, err error) {
	if d.pair.LeftOut(path, d.paths, err) {
		d.tell.LeftOut()
		return
	}
	if path != "" {
		path = "/" + strings.TrimPrefix(path, "/")
	}
	d.tell.Fail(path, d.b.Because(d.a.Because(err)))
}
