package campaign

import (
	"context"
	"hash/maphash"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/restore"
)

// restoreAll restores a point of each volume into a folder, and compares what is there then with the truth.
func restoreAll(ctx context.Context, s *points.Set, seed *seed, dir string) (v *verdict, err error) {
	v = &verdict{}
	for _, vol := range s.Volumes {
		for _, t := range seed.truth.volumes {
			if t.off != vol.Partition.Off || len(vol.Points) != len(t.points) {
				continue
			}
			p, want := vol.Points[len(vol.Points)-1], t.points[max(0, len(t.points)-2)]
			if keyOf(p) != want.key {
				continue
			}
			out, err := os.MkdirTemp(dir, "restored")
			if err != nil {
				return v, err
			}
			err = v.restore(ctx, p, want, out)
			if err2 := os.RemoveAll(out); err != nil || err2 != nil {
				return v, err
			}
		}
	}
	return v, nil
}

func (v *verdict) restore(ctx context.Context, p *points.Point, want *pointFacts, out string) error {
	t, err := p.Files()
	if err != nil {
		return nil // told
	}
	node, err := t.Root()
	if err != nil {
		return nil
	}
	root, err := os.OpenRoot(out)
	if err != nil {
		return err
	}
	defer root.Close()
	var mu sync.Mutex
	failed := map[string]bool{}
	sources := iter.Seq2[restore.Source, error](func(yield func(restore.Source, error) bool) {
		yield(restore.Source{Node: node, Choose: func(name string, _ *ntfs.Node) (restore.Choice, error) {
			if hidden(name) {
				return restore.Skip, nil
			}
			return restore.Take, nil
		}}, nil)
	})
	err = restore.Run(ctx, root, sources, restore.Options{NoSidecar: true, Done: func(r restore.Result) {
		mu.Lock()
		defer mu.Unlock()
		failed[strings.TrimPrefix(r.Path, "/")] = failed[strings.TrimPrefix(r.Path, "/")] || r.Err != nil || len(r.Gaps) > 0
	}})
	if err != nil {
		return err
	}
	v.restored(out, want, failed)
	return nil
}

// restored compares the regular files in a folder with those of the truth.
func (v *verdict) restored(out string, want *pointFacts, failed map[string]bool) {
	there := map[string]bool{}
	v.note(filepath.WalkDir(out, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(out, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		there[rel] = true
		b, err := os.ReadFile(name)
		f := want.files[rel]
		if err != nil || f == nil || f.err != nil || f.streams[""].err != nil {
			return err
		}
		if !failed[rel] && maphash.Bytes(hashSeed, b) != f.streams[""].hash {
			v.wrongf("restore: %s has other bytes", rel)
		}
		return nil
	}))
	for name, f := range want.files {
		if f.err == nil && f.kind == ntfs.KindFile && f.streams[""].err == nil && !there[name] && !anyAbove(failed, name) {
			v.wrongf("restore: %s is not there, and nothing is told", name)
		}
	}
}

func (v *verdict) note(err error) {
	if err != nil {
		v.wrongf("restore: %v", err)
	}
}

// anyAbove reports whether a path, or a directory above it, failed.
func anyAbove(failed map[string]bool, name string) bool {
	for ; name != "."; name = filepath.ToSlash(filepath.Dir(name)) {
		if failed[name] {
			return true
		}
	}
	return failed[""] || failed["."]
}
