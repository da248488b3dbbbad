package cmd

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path"

	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/restore"
)

// extractAll tells all versions, and writes those of files below the directory asked for.
func (h *historian) extractAll(ctx context.Context, versions iter.Seq2[compare.Version, error]) error {
	root, err := os.OpenRoot(h.extract)
	if err != nil {
		return fmt.Errorf("--extract: %w", err)
	}
	defer root.Close()
	at := map[string]int{} // the point of each file, by its location
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
			s := restore.Source{Node: v.Node, Stream: v.Stream, Origin: h.name(v), Name: base[:len(base)-len(extension)] + "." + h.points[v.First].Name + extension}
			h.mu.Lock()
			at[s.Origin] = v.First
			h.mu.Unlock()
			if !yield(s, err) {
				return
			}
		}
	}
	return restore.Run(ctx, root, sources, restore.Options{NoSidecar: true, NoHash: true, Done: func(res restore.Result) {
		h.mu.Lock()
		point := h.points[at[res.Origin]]
		delete(at, res.Origin)
		h.mu.Unlock()
		if res.Err != nil {
			h.failAt(res.Origin, fmt.Errorf("--extract: %s: %w", res.Path, point.Because(res.Err)))
		}
	}})
}

// versionKey names a version, of which several rows may tell.
type versionKey struct {
	ref    ntfs.Ref
	number int
}
