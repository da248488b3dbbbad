package treetest

import (
	"errors"
	"path"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/tree"
)

// ids asks for the numbers of all nodes, again after they were forgotten, and again after a restart, which finds by
// number alone what it never met.
func (s *suite) ids(t *testing.T) {
	if !s.IDs {
		return
	}
	var paths []string
	for _, p := range s.everything(t) {
		if paths = append(paths, p.path); p.Kind == tree.KindDir && p.Point != nil {
			paths = append(paths, path.Join(p.path, ".snapshots"))
		}
	}
	paths = append(paths, "/p1-Documents/vss1/Letters/offer.txt:author", "/p1-Documents/current/Pictures/.snapshots/"+day1)
	met := s.numbers(t, s.client, paths)
	if f, ok := s.client.(Forgetter); ok {
		f.Forget(t)
		s.numbers(t, s.client, paths)
	}
	again := s.Serve(t, open(t, filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")))
	if n, ok := again.(Numbered); ok {
		for id, path := range met {
			info, err := n.Number(id)
			want := s.want(t, path)
			if want.Point == nil && !want.Lasting() && errors.Is(err, tree.ErrStale) {
				continue
			}
			if err != nil || info.ID != id || info.Kind != want.Kind {
				t.Errorf("number 0x%x of %s is %+v, %v", id, path, info, err)
			}
		}
	}
	s.numbers(t, again, paths)
}

// numbers returns the paths by number, after comparing these with those of the tree. Only a file has several paths.
func (s *suite) numbers(t *testing.T, c Client, paths []string) map[uint64]string {
	t.Helper()
	met := map[uint64]string{}
	for _, path := range paths {
		info, err := c.Stat(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		want := s.want(t, path)
		if info.ID != want.ID || info.ID == 0 || info.ID >= 1<<63 {
			t.Errorf("%s: number 0x%x, want 0x%x", path, info.ID, want.ID)
		}
		if other, twice := met[info.ID]; twice && s.Links && info.Kind != tree.KindFile {
			t.Errorf("%s and %s have one number, 0x%x", other, path, info.ID)
		}
		met[info.ID] = path
	}
	return met
}
