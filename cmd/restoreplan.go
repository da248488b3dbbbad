package cmd

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"snapmount/cmd/text"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs/restore"
)

// plan tells what would be restored.
func (r *restoreFlags) plan(ctx context.Context, s *selection.Selection, out *text.Out, tell *text.Reporter, dest string) error {
	root, err := r.planned(dest)
	if err != nil {
		return err
	}
	if root != nil {
		defer root.Close()
	}
	apart, there := int64(0), 0
	p, err := restore.Count(ctx, s.Sources(ctx), r.opts, func(one restore.Planned) {
		if one.Err != nil && s.LeftOut(&restore.Result{Origin: one.Origin, Ref: one.Ref, Err: one.Err}) {
			apart++
		}
		isThere := one.Err == nil && one.Type != "dir" && holds(root, one.Path)
		if isThere {
			there++
		}
		if !r.summary && !r.filter.LastGood { // which told
			fmt.Fprintln(out, r.planLine(one, isThere))
		}
	})
	p.Failed -= apart
	if err == nil {
		for _, res := range append(s.Lost, s.Unmatched()...) {
			if p.Failed++; !selection.NoGood(&res) { // that was told
				tell.Fail(res.Path, res.Err)
			}
		}
		fmt.Fprintf(out, "%s, %s, %s: %s, %d cannot be had\n", text.Counted(p.Files, "file"), text.Counted(p.Dirs, "directory"), text.Counted(p.Links, "link"), text.Bytes(p.Bytes), p.Failed)
		if there > 0 {
			fmt.Fprintf(out, "%d are there already: %s\n", there, map[restore.Overwrite]string{restore.Never: "they stay (--overwrite replaces them)",
				restore.Always: "they are replaced", restore.IfChanged: "those that differ are replaced", restore.IfNewer: "those that are older are replaced"}[r.opts.Overwrite])
		}
		if apart > 0 {
			fmt.Fprintf(out, "the content of %d was left out of the snapshot by Windows on purpose\n", apart)
		}
		if p.Failed > 0 {
			err = text.PartialError("were not restored")
		}
		err = cmp.Or(r.room(out, p, dest), err)
	}
	return cmp.Or(err, out.Flush())
}

// planned opens the directory that is restored to, where there is one.
func (r *restoreFlags) planned(dest string) (*os.Root, error) {
	info, err := os.Stat(dest)
	switch {
	case r.to != "dir" || err != nil:
		return nil, nil
	case !info.IsDir():
		return nil, makeDir(dest) // for its error
	}
	return os.OpenRoot(dest)
}

// holds reports whether a name is there; root may be nil.
func holds(root *os.Root, name string) bool {
	if root == nil {
		return false
	}
	_, err := root.Lstat(name)
	return err == nil
}

func (r *restoreFlags) planLine(one restore.Planned, isThere bool) string {
	line := fmt.Sprintf("%-4s %14d  %s", one.Type, one.Size, text.Printable(one.Path))
	switch {
	case one.Err != nil:
		line += "  NOT: " + text.Printable(report.OneLine(one.Err))
	case isThere:
		line += "  is there, and " + map[restore.Overwrite]string{restore.Never: "stays", restore.Always: "is replaced", restore.IfChanged: "is replaced if it differs",
			restore.IfNewer: "is replaced if it is older"}[r.opts.Overwrite]
	}
	return line
}

// room compares the space that is needed with what is free.
func (r *restoreFlags) room(out io.Writer, p restore.Plan, dest string) error {
	if dest == "-" && r.to != "dir" {
		return nil
	}
	free, there, err := restore.Room(dest)
	if err != nil {
		return err
	}
	if free < 0 {
		fmt.Fprintf(out, "%s needed; how much is free in %s cannot be told\n", text.Bytes(p.Space), text.Printable(there))
		return nil
	}
	fmt.Fprintf(out, "%s needed, %s free in %s\n", text.Bytes(p.Space), text.Bytes(free), text.Printable(there))
	if p.Space > free {
		return fmt.Errorf("%s: %s more are needed than are free", dest, text.Bytes(p.Space-free))
	}
	return nil
}

// fits warns where there is not the room for what is to be written. That is counted first only where it can be as much.
func (r *restoreFlags) fits(ctx context.Context, s *selection.Selection, tell *text.Reporter, dest string) error {
	if r.to == "zip" || dest == "-" { // one that packs, and one of which nobody knows
		return nil
	}
	free, where, err := restore.Room(dest)
	if err != nil || free < 0 || free > s.Most() {
		return nil //nolint:nilerr // writing there tells
	}
	root, err := r.planned(dest)
	if err != nil {
		return err
	}
	if root != nil {
		defer root.Close()
	}
	bytes := int64(0)
	if _, err := restore.Count(ctx, s.Sources(ctx), r.opts, func(one restore.Planned) {
		if one.Err == nil && !holds(root, one.Path) {
			bytes += one.Data
		}
	}); err != nil {
		return err
	}
	if bytes > free {
		tell.Line("%s: %s are to be written and %s free in %s: what does not fit will fail", dest, text.Bytes(bytes), text.Bytes(free), where)
	}
	return nil
}
