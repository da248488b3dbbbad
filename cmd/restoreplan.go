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
	apart := int64(0)
	p, err := restore.Count(ctx, s.Sources(ctx), r.opts, func(one restore.Planned) {
		if one.Err != nil && s.LeftOut(&restore.Result{Origin: one.Origin, Ref: one.Ref, Err: one.Err}) {
			apart++
		}
		fmt.Fprintln(out, r.planLine(root, one))
	})
	p.Failed -= apart
	if err == nil {
		for _, res := range append(s.Lost, s.Unmatched()...) {
			p.Failed++
			tell.Fail(res.Path, res.Err)
		}
		fmt.Fprintf(out, "%d files, %d directories, %d links: %s, %d cannot be had\n", p.Files, p.Dirs, p.Links, text.Bytes(p.Bytes), p.Failed)
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

func (r *restoreFlags) planLine(root *os.Root, one restore.Planned) string {
	line := fmt.Sprintf("%-4s %14d  %s", one.Type, one.Size, text.Printable(one.Path))
	if one.Err != nil {
		return line + "  NOT: " + text.Printable(report.OneLine(one.Err))
	}
	if root != nil && one.Type != "dir" {
		if _, err := root.Lstat(one.Path); err == nil {
			line += "  is there, and " + map[restore.Overwrite]string{restore.Never: "stays", restore.Always: "is replaced", restore.IfChanged: "is replaced if it differs",
				restore.IfNewer: "is replaced if it is older"}[r.opts.Overwrite]
		}
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
	fmt.Fprintf(out, "%s needed, %s free in %s\n", text.Bytes(p.Space), text.Bytes(free), text.Printable(there))
	if p.Space > free {
		return fmt.Errorf("%s: %s more are needed than are free", dest, text.Bytes(p.Space-free))
	}
	return nil
}
