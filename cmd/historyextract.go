package cmd

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path"
	"sync"

	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/restore"
)

// versionKey names a version, of which several rows may tell.
type versionKey struct {
	ref    ntfs.Ref
	number int
}

// extractAll tells all versions, and writes those of files below the directory asked for.
func (h *historian) extractAll(ctx context.Context, versions iter.Seq2[compare.Version, error]) error {
	if err := makeDir(h.extract); err != nil {
		return fmt.Errorf("--extract: %w", err)
	}
	root, err := os.OpenRoot(h.extract)
	if err != nil {
		return fmt.Errorf("--extract: %w", err)
	}
	defer root.Close()
	var from sync.Map // the version of each file that is under way, by its location
	written := map[versionKey]bool{}
	sources := func(yield func(restore.Source, error) bool) {
		for v, err := range versions {
			if err == nil {
				err = h.version(ctx, v)
			}
			key := versionKey{v.Ref, v.Number}
			isFile := v.Node != nil && (v.Node.Kind == ntfs.KindFile || v.Stream != "")
			if err == nil && (!isFile || written[key]) {
				continue
			}
			written[key] = true
			base := path.Base(v.Path)
			extension := path.Ext(base)
			s := restore.Source{Node: v.Node, Stream: v.Stream, Origin: h.name(v), Name: base[:len(base)-len(extension)] + "." + h.shown[v.First].Name + extension}
			from.Store(s.Origin, v)
			if !yield(s, err) {
				return
			}
		}
	}
	return restore.Run(ctx, root, sources, restore.Options{NoSidecar: true, NoHash: true, Warn: func(err error) { h.tell.Note(h.extract + ": " + err.Error()) }, Done: func(res restore.Result) {
		v, _ := from.LoadAndDelete(res.Origin)
		if res.Err != nil {
			version := v.(compare.Version)
			h.fail(version, fmt.Errorf("--extract: %s: %w", res.Path, h.because(version, res.Err)))
		}
	}})
}
