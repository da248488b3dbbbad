package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"snapmount/ntfs/restore"
)

// restore does it, and tells what became of it.
func (r *restorer) restore(ctx context.Context, locations []string, dest string) error {
	out := r.stdout
	if r.to != "dir" && dest == "-" {
		out = r.stderr // the archive is on the other one
	}
	if r.to == "dir" {
		if err := makeDir(dest); err != nil {
			return err
		}
	}
	r.report = &restoreReport{r: r, out: out, start: time.Now()}
	progress := newRestoreProgress(r.shown, r.stderr, func(ctx context.Context) (restore.Plan, error) {
		return restore.Count(ctx, r.sources(ctx), r.opts, nil)
	})
	r.report.pause = progress.pause
	var err error
	if r.receipt != "" {
		if r.report.receipt, err = newReceipt(r, locations, dest); err != nil {
			return err
		}
	}
	r.opts.Done, r.opts.Progress = r.report.done, progress.told
	progress.start(ctx)
	for _, res := range r.lost {
		r.report.done(res)
	}
	if r.to == "dir" {
		err = r.toDir(ctx, dest)
	} else {
		err = r.toArchive(ctx, dest)
	}
	progress.end()
	if err == nil {
		for _, res := range r.unmatched() {
			r.report.done(res)
		}
	}
	return r.report.close(dest, err)
}

// unmatched gives the patterns that matched on none of their volumes.
func (r *restorer) unmatched() (out []restore.Result) {
	matched := map[string]bool{}
	for _, c := range r.chosen {
		matched[c.location] = matched[c.location] || c.pattern == nil || c.matched.Load() || r.deleted
	}
	for _, c := range r.chosen {
		if !matched[c.location] {
			matched[c.location] = true // once
			out = append(out, restore.Result{Path: c.location, Origin: c.origin, Err: errors.New("nothing matches")})
		}
	}
	return out
}

func (r *restorer) toDir(ctx context.Context, dest string) error {
	root, err := os.OpenRoot(dest)
	if err != nil {
		return err
	}
	defer root.Close()
	opts := r.opts
	opts.NoHash = r.receipt == "" // to hash takes longer than to copy, and nothing else shows it
	return restore.Run(ctx, root, r.sources(ctx), opts)
}

// makeDir makes a directory if there is none.
func makeDir(dest string) error {
	if info, err := os.Stat(dest); err == nil && !info.IsDir() {
		return usageError{fmt.Errorf("%s: is a file, want a directory", dest)}
	}
	return os.MkdirAll(dest, 0o755)
}

func (r *restorer) toArchive(ctx context.Context, dest string) error {
	if dest == "-" {
		return r.archive(ctx, r.stdout)
	}
	f, err := restore.Create(dest, r.opts.Overwrite == restore.Always)
	if err != nil {
		return err
	}
	if err := r.archive(ctx, f); err != nil {
		return errors.Join(err, f.Abort())
	}
	return f.Commit()
}

func (r *restorer) archive(ctx context.Context, out io.Writer) error {
	format := restore.Tar
	if r.to == "zip" {
		format = restore.Zip
	}
	b := bufio.NewWriterSize(out, 1<<20)
	if err := restore.Archive(ctx, b, format, r.sources(ctx), r.opts); err != nil {
		return err
	}
	return b.Flush()
}

// plan tells what would be restored.
func (r *restorer) plan(ctx context.Context, dest string) error {
	var root *os.Root
	if info, err := os.Stat(dest); r.to == "dir" && err == nil {
		if !info.IsDir() {
			return makeDir(dest) // for its error
		}
		if root, err = os.OpenRoot(dest); err != nil {
			return err
		}
		defer root.Close()
	}
	out := bufio.NewWriter(r.stdout)
	p, err := restore.Count(ctx, r.sources(ctx), r.opts, func(one restore.Planned) {
		line := fmt.Sprintf("%-4s %14d  %s", one.Type, one.Size, printable(one.Path))
		if one.Err != nil {
			line += "  NOT: " + printable(oneLine(one.Err))
		} else if root != nil && one.Type != "dir" {
			if _, err := root.Lstat(one.Path); err == nil {
				line += "  is there, and " + map[restore.Overwrite]string{restore.Never: "stays", restore.Always: "is replaced", restore.IfChanged: "is replaced if it differs",
					restore.IfNewer: "is replaced if it is older"}[r.opts.Overwrite]
			}
		}
		fmt.Fprintln(out, line)
	})
	if err != nil {
		return errors.Join(err, out.Flush())
	}
	for _, res := range append(r.lost, r.unmatched()...) {
		p.Failed++
		fmt.Fprintf(r.stderr, "snapmount: %s: %s\n", printable(res.Path), printable(oneLine(res.Err)))
	}
	fmt.Fprintf(out, "%d files, %d directories, %d links: %s, %d cannot be had\n", p.Files, p.Dirs, p.Links, bytesText(p.Bytes), p.Failed)
	return errors.Join(r.room(out, p, dest), out.Flush(), failedErr(p.Failed))
}

// room compares the space that is needed with what is free.
func (r *restorer) room(out io.Writer, p restore.Plan, dest string) error {
	if dest == "-" && r.to != "dir" {
		return nil
	}
	there, err := filepath.Abs(dest)
	if err != nil {
		return err
	}
	for {
		if info, err := os.Stat(there); err == nil && info.IsDir() || there == filepath.Dir(there) {
			break
		}
		there = filepath.Dir(there)
	}
	free, err := restore.Free(there)
	if err != nil {
		return fmt.Errorf("%s: free space: %w", there, err)
	}
	fmt.Fprintf(out, "%s needed, %s free in %s\n", bytesText(p.Space), bytesText(free), printable(there))
	if p.Space > free {
		return fmt.Errorf("%s: %s more are needed than are free", dest, bytesText(p.Space-free))
	}
	return nil
}

// failedErr is what the command returns when items failed, which were told one by one.
func failedErr(n int64) error {
	if n > 0 {
		return codedError{exitPartial, errors.New("some items were not restored")}
	}
	return nil
}
