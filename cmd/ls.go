package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs"
)

// A lister is the command "ls".
type lister struct {
	long, recursive, json, system bool

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
		Args:  args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			l.out, l.tell = text.NewOut(c.OutOrStdout()), text.NewReporter(c.ErrOrStderr())
			return l.tell.Done(l.out, o.each(c.Context(), args, func(p *selection.Place) error { return l.place(c.Context(), p) }))
		},
	}
	f := c.Flags()
	f.BoolVarP(&l.long, "long", "l", false, "attributes, size, modification time (UTC) and link target too")
	f.BoolVarP(&l.recursive, "recursive", "R", false, "all that lies below too")
	f.BoolVar(&l.json, "json", false, "one JSON object a line")
	f.BoolVar(&l.system, "system", false, "NTFS metafiles such as $MFT too")
	return c
}

func (l *lister) place(ctx context.Context, p *selection.Place) error {
	n, _, err := p.Node(!l.long && !l.json)
	if err != nil {
		return err
	}
	l.ctx, l.point, l.seen = ctx, p.Point, map[uint64]bool{}
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
	if !l.long && !l.json && !(l.recursive && e.Kind == ntfs.KindDir) {
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
		l.line(fmt.Sprintf("%s %14d  %s  %s", mode(n), n.Size, n.Times.Modified.Time().Format("2006-01-02 15:04:05"), shown))
	default:
		l.line(shown)
	}
	return nil
}

// mode shows the kind and the attributes in fixed columns.
func mode(n *ntfs.Node) string {
	kind := map[ntfs.Kind]string{ntfs.KindDir: "d", ntfs.KindSymlink: "l", ntfs.KindCharDevice: "c", ntfs.KindBlockDevice: "b", ntfs.KindFIFO: "p", ntfs.KindSocket: "s"}[n.Kind]
	return fmt.Sprintf("%1s%-12s", kind, n.Attr)
}

func (l *lister) line(s string) { fmt.Fprintln(l.out, l.out.Clean(s)) }
