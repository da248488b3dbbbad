//go:build linux

package mount_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/mount"
	"snapmount/mount/tree"
)

// TestSnapshotsDirectory looks at .snapshots in a directory that was renamed once, in the root, and in one that is new.
func TestSnapshotsDirectory(t *testing.T) {
	top := filepath.Join(mounted(t, openDemo(t)), "p1-Documents")
	const s1, s2, s3 = "2026-03-02T180000Z", "2026-03-03T180000Z", "2026-03-04T180000Z"
	for dir, want := range map[string]map[string]string{
		"current/Pictures": {s1: "../../../snapshots/" + s1 + "/Photos", s2: "../../../snapshots/" + s2 + "/Pictures", s3: "../../../snapshots/" + s3 + "/Pictures"},
		"current":          {s1: "../../snapshots/" + s1, s2: "../../snapshots/" + s2, s3: "../../snapshots/" + s3},
		"snapshots/" + s1 + "/Photos": {"current": "../../../../current/Pictures", s2: "../../../" + s2 + "/Pictures",
			s3: "../../../" + s3 + "/Pictures"},
	} {
		list, err := os.ReadDir(filepath.Join(top, dir, ".snapshots"))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, e := range list {
			link := filepath.Join(top, dir, ".snapshots", e.Name())
			text, err := os.Readlink(link)
			if err != nil || e.Type() != fs.ModeSymlink {
				t.Errorf("%s: %v, type %v", link, err, e.Type())
			}
			got[e.Name()] = text
			if info, err := os.Stat(link); err != nil || !info.IsDir() {
				t.Errorf("%s -> %s: %v", link, text, err)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", dir, got, want)
		}
		names, err := os.ReadDir(filepath.Join(top, dir))
		if err != nil || slices.ContainsFunc(names, func(e fs.DirEntry) bool { return e.Name() == ".snapshots" }) {
			t.Errorf("%s lists .snapshots, or %v", dir, err)
		}
	}
	for _, path := range []string{"current/Pictures/.snapshots/none", "current/Pictures/bridge.raw/.snapshots", ".snapshots"} {
		if _, err := os.Lstat(filepath.Join(top, path)); err == nil {
			t.Errorf("%s is there", path)
		}
	}
	if _, err := os.ReadFile(filepath.Join(top, "current/Pictures/.snapshots")); err == nil {
		t.Error("the directory .snapshots can be read as a file")
	}
}

func TestView(t *testing.T) {
	dir := mountedWith(t, openDemo(t), mount.Options{View: tree.View{Points: "1,vss3", Time: "%n at %Y%m%d", Volume: "disk%d part%p %l"}})
	var got []string
	for _, pattern := range []string{"disk*/snapshots/*", "raw/*/*", "disk*/vss*", "sets/*/*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			got = append(got, strings.TrimPrefix(f, dir+"/"))
		}
	}
	want := []string{"disk1 part1 Documents/snapshots/1 at 20260302", "disk1 part1 Documents/snapshots/3 at 20260304",
		"disk1 part1 Documents/snapshots/latest", "disk1 part1 Documents/snapshots/oldest"}
	if len(got) < 8 || !slices.Equal(got[:4], want) {
		t.Errorf("%q, want %q first", got, want)
	}
	for _, path := range []string{"disk1 part1 Documents/vss3/Projects", "disk1 part1 Documents/current/Pictures/.snapshots/3 at 20260304", "raw/disk1 part1 Documents/vss3.img"} {
		if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{"disk1 part1 Documents/vss2", "raw/disk1 part1 Documents/vss2.img"} {
		if _, err := os.Lstat(filepath.Join(dir, path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
