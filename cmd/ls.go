package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snapmount/cmd/text"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs"
)

// A lister is the command "ls".
type lister struct {
	long, human, recursive, json, system, zero bool

	out   *text.Out
	tell  *text.Reporter
	ctx   context.Context
	point *points.Point
	seen  map[uint64]bool // directories on the way down, against loops
}

func newLs(o *openFlags) *cobra.Command {
	l := &lister{}
	c := &cobra.Command{
		Use:   "ls LOCATION...",
		Short: "List a directory at a point in time",
		Long: "ls lists the names in a directory, or of a file its own, as they were at a point in time; without a point as " +
			"they are now. Directories end with a slash. An entry that is lost is told, and the exit code is 7.",
		Example: "  snapmount ls disk.vhdx:/Users\n" +
			"  snapmount ls -l disk.vhdx:p2@latest:/Users/ann\n" +
			"  snapmount ls -R --json disk.vhdx@vss1:/Users",
		Args: func(c *cobra.Command, a []string) error {
			if l.human && len(a) == 0 { // what asks other commands for help
				return pflag.ErrHelp
			}
			return args(cobra.MinimumNArgs(1))(c, a)
		},
		RunE: func(c *cobra.Command, args []string) error {
			l.long = l.long || l.human
			l.out, l.tell = o.out(c.OutOrStdout()), text.NewReporter(c.ErrOrStderr())
			return l.tell.Done(l.out, o.each(c.Context(), l.tell, args, points.AtPoint, func(all *selection.Places) error { return l.places(c.Context(), all) }))
		},
	}
	f := c.Flags()
	f.BoolVarP(&l.long, "long", "l", false, "attributes, size, modification time and link target too")
	f.BoolVarP(&l.human, "human", "h", false, "-l with sizes for people, as 1.4 MiB; alone, without a LOCATION, this help")
	f.Bool("help", false, "help for ls")
	f.BoolVarP(&l.recursive, "recursive", "R", false, "all that lies below too")
	f.BoolVar(&l.json, "json", false, "one JSON object a line")
	f.BoolVar(&l.system, "system", false, "NTFS metafiles such as $MFT too")
	f.BoolVarP(&l.zero, "print0", "0", false, "names as they are, each with a zero byte behind it instead of a line end: for xargs -0")
	inGroup(f, groupWhich, "recursive", "system")
	inGroup(f, groupOutput, "long", "human", "json", "print0")
	return c
}

// places lists what a location names: of an image alone that has several volumes these.
func (l *lister) places(ctx context.Context, all *selection.Places) error {
	if p := all.List[0]; p.Volume == nil {
		return l.volumes(p)
	}
	l.tell.Searched(all.List[0].Apart(), nil)
	for i, p := range all.List {
		heading(l.out, all, i, l.json)
		if err := l.place(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// heading tells, where a location names several things, which of them follows.
func heading(out *text.Out, all *selection.Places, i int, json bool) {
	if len(all.List) == 1 || json {
		return
	}
	if i > 0 {
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "%s:\n", text.Printable(all.List[i].Target.Location()))
}

// volumes lists the volumes of an image.
func (l *lister) volumes(p *selection.Place) error {
	list, err := p.Set.NTFS()
	if err != nil {
		return fmt.Errorf("%s: %w", p.Location, err)
	}
	if l.long && !l.json {
		l.out.Head("%-20s %9s  %-13s  %s", "volume", "size", "", "location")
	}
	for _, v := range list {
		t := points.Target{Volume: v, Point: v.Current()}
		switch {
		case v.Image != p.Set.Images[0]: // of --with
		case l.json:
			l.out.JSON(report.VolumeOf(t))
		case l.long:
			l.line(fmt.Sprintf("%-20s %9s  %3d snapshots  %s", v.OwnName(), text.Bytes(v.Partition.Len), len(v.Snapshots()), text.Quoted(t.Location())))
		default:
			l.line(v.OwnName())
		}
	}
	l.tell.Searched(p.Closed())
	return nil
}

func (l *lister) place(ctx context.Context, p *selection.Place) error {
	n, _, err := p.Node(!l.long && !l.json)
	if err != nil {
		return err
	}
	census := n.Tree().QuickCensus
	if l.recursive {
		census = n.Tree().TakeCensus
	}
	if n.Kind == ntfs.KindDir && census(ctx) != nil {
		return context.Cause(ctx)
	}
	l.ctx, l.point, l.seen = ctx, p.Point, map[uint64]bool{}
	if l.long && !l.json && !l.zero {
		l.out.Head("%-13s %s  %-*s  %s%s", "attributes", l.sizeCell("size"), l.out.TimeWidth(), "modified", l.trustCell("trust"), "name")
	}
	path := p.FullPath()
	if n.Kind != ntfs.KindDir {
		return l.one(path, strings.TrimPrefix(path, "/"), n)
	}
	l.dir(n, strings.TrimSuffix(path, "/"), "")
	return context.Cause(ctx)
}

// dir lists n; path is its own, prefix what plain listings put before the names. Errors are told and counted.
func (l *lister) dir(n *ntfs.Node, path, prefix string) {
	if l.seen[n.Ref.Record] {
		l.tell.Fail(path, errors.New("directory contains itself"))
		return
	}
	l.seen[n.Ref.Record] = true
	defer delete(l.seen, n.Ref.Record)
	entries, err := n.Children()
	for _, e := range entries {
		if l.ctx.Err() != nil {
			return
		}
		if e.Ref.Record == n.Ref.Record || (e.Metafile() && !l.system) {
			continue
		}
		l.entry(path+"/"+e.Name, prefix+e.Name, e)
	}
	if err != nil {
		l.tell.Fail(path+"/", err)
	}
}

func (l *lister) entry(path, shown string, e ntfs.Entry) {
	if !l.long && !l.json && e.Kind != ntfs.KindDir {
		l.line(shown)
		return
	}
	c, err := e.Node()
	if err != nil {
		l.tell.Fail(path, err)
		if l.json {
			l.out.JSON(report.Unreadable(l.point, path, e, err))
		} else {
			l.line(shown)
		}
		return
	}
	if err := errors.Join(l.one(path, shown, c), c.Damage); err != nil {
		l.tell.Fail(path, err)
	}
	if l.recursive && c.Kind == ntfs.KindDir {
		l.dir(c, path, shown+"/")
	}
}

// one prints a single node.
func (l *lister) one(path, shown string, n *ntfs.Node) error {
	switch {
	case l.json:
		l.out.JSON(report.EntryOf(l.point, path, n))
	case l.long:
		if n.Kind == ntfs.KindSymlink {
			r, err := n.Reparse()
			if err != nil {
				return err
			}
			shown += " -> " + r.Target
		}
		size := fmt.Sprint(n.Size)
		if l.human {
			size = text.Bytes(n.Size)
		}
		trust := l.trustCell(l.point.TrustIn(n, "").String())
		l.line(fmt.Sprintf("%s %s  %s  %s%s", mode(n), l.sizeCell(size), l.out.Time(n.Times.Modified.Time()), trust, shown))
	default:
		l.line(shown)
	}
	return nil
}

// sizeCell is a size in its column.
func (l *lister) sizeCell(size string) string {
	if l.human {
		return fmt.Sprintf("%9s", size)
	}
	return fmt.Sprintf("%14s", size)
}

// trustCell is a column that only deleted snapshots have: what a file rests on.
func (l *lister) trustCell(word string) string {
	if l.point.Carved == nil {
		return ""
	}
	return fmt.Sprintf("%-8s  ", word)
}

// mode shows the kind and the attributes in fixed columns.
func mode(n *ntfs.Node) string {
	kind := map[ntfs.Kind]string{ntfs.KindDir: "d", ntfs.KindSymlink: "l", ntfs.KindCharDevice: "c", ntfs.KindBlockDevice: "b", ntfs.KindFIFO: "p", ntfs.KindSocket: "s"}[n.Kind]
	return fmt.Sprintf("%1s%-12s", kind, n.Attr)
}

func (l *lister) line(s string) {
	if l.zero {
		fmt.Fprintf(l.out.Content(), "%s\x00", s)
	} else {
		fmt.Fprintln(l.out, text.Printable(s))
	}
}
