package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/ntfs"
)

type lister struct {
	ctx                           context.Context
	out                           *bufio.Writer
	errs                          io.Writer
	long, recursive, json, system bool
	failed                        bool
	tty                           bool
	seen                          map[uint64]bool // directories on the way down, against loops
}

func newLs(o *openFlags) *cobra.Command {
	l := &lister{}
	c := &cobra.Command{
		Use:   "ls LOCATION...",
		Short: "List a directory at a point in time",
		Args:  args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			l.out, l.errs, l.tty = bufio.NewWriter(c.OutOrStdout()), c.ErrOrStderr(), isTerminal(c.OutOrStdout())
			for _, a := range args {
				if err := l.location(c.Context(), o, a); err != nil {
					return err
				}
			}
			if err := l.out.Flush(); err != nil {
				return err
			}
			if l.failed {
				return errPartial
			}
			return nil
		},
	}
	f := c.Flags()
	f.BoolVarP(&l.long, "long", "l", false, "attributes, size, modification time (UTC) and link target too")
	f.BoolVarP(&l.recursive, "recursive", "R", false, "all that lies below too")
	f.BoolVar(&l.json, "json", false, "one JSON object a line")
	f.BoolVar(&l.system, "system", false, "NTFS metafiles such as $MFT too")
	return c
}

func (l *lister) location(ctx context.Context, o *openFlags, location string) error {
	s, t, n, _, err := o.locateFile(ctx, location, !l.long && !l.json)
	if err != nil {
		return err
	}
	defer s.Close()
	path := "/" + strings.Trim(t.Path, "/")
	if n.Kind != ntfs.KindDir {
		return l.one(path, strings.TrimPrefix(path, "/"), n)
	}
	l.ctx, l.seen = ctx, map[uint64]bool{}
	l.dir(n, strings.TrimSuffix(path, "/"), "")
	return context.Cause(ctx)
}

// dir lists n; path is its own, prefix what plain listings put before the names. Errors are told and counted.
func (l *lister) dir(n *ntfs.Node, path, prefix string) {
	if l.seen[n.Ref.Record] {
		l.fail(path, fmt.Errorf("directory contains itself"))
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
		l.fail(path+"/", err)
	}
}

func (l *lister) entry(path, shown string, e ntfs.Entry) {
	if !l.long && !l.json && !(l.recursive && e.Kind == ntfs.KindDir) {
		l.line(shown)
		return
	}
	c, err := e.Node()
	if err != nil {
		l.fail(path, err)
		if l.json {
			l.encode(damaged(path, e, err))
		} else {
			l.line(shown)
		}
		return
	}
	if err := errors.Join(l.one(path, shown, c), c.Damage); err != nil {
		l.fail(path, err)
	}
	if l.recursive && c.Kind == ntfs.KindDir {
		l.dir(c, path, shown+"/")
	}
}

// one prints a single node.
func (l *lister) one(path, shown string, n *ntfs.Node) error {
	switch {
	case l.json:
		l.encode(describe(path, n))
	case l.long:
		text := l.clean(shown)
		if n.Kind == ntfs.KindSymlink {
			r, err := n.Reparse()
			if err != nil {
				return err
			}
			text += " -> " + l.clean(r.Target)
		}
		fmt.Fprintf(l.out, "%s %14d  %s  %s\n", mode(n), n.Size, n.Times.Modified.Time().Format("2006-01-02 15:04:05"), text)
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

func (l *lister) line(s string)      { fmt.Fprintln(l.out, l.clean(s)) }
func (l *lister) encode(e entryJSON) { _ = json.NewEncoder(l.out).Encode(e) } // a bufio.Writer keeps its error for Flush
func (l *lister) clean(s string) string {
	if l.tty {
		return printable(s)
	}
	return s
}

func (l *lister) fail(path string, err error) {
	l.failed = true
	fmt.Fprintf(l.errs, "snapmount: %s: %s\n", printable(path), oneLine(err))
}
