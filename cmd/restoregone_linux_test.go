package cmd

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/mount"
	"snapmount/ntfs/ntfstest"
)

// goneScript leaves behind all kinds of what is deleted, and of what only seems to be.
var goneScript = []func(dir string) error{
	func(dir string) error {
		err := errors.Join(put(dir, "dir/keep.txt", "keep"), put(dir, "dir/gone.txt", "gone"), put(dir, "dir/moved.txt", "moved"), put(dir, "dir/renamed.txt", "renamed"),
			put(dir, "dir/replaced.txt", "first"), put(dir, "dir/sub/a.txt", "a"), put(dir, "dir/linked.txt", "linked"), put(dir, "other/50%20off.txt", "streams"),
			put(dir, "other/50%20off.txt:s", "second stream"), put(dir, "other/late.txt", "late 0"), os.Mkdir(filepath.Join(dir, "dir/sub/empty"), 0o755),
			os.Link(filepath.Join(dir, "dir/linked.txt"), filepath.Join(dir, "dir/link 2.txt")))
		for i := range 200 {
			err = errors.Join(err, put(dir, fmt.Sprintf("many/name%03d.txt", i), fmt.Sprint(i)))
		}
		return err
	},
	func(dir string) error {
		return errors.Join(os.Remove(filepath.Join(dir, "dir/gone.txt")), move(dir, "dir/moved.txt", "other/moved.txt"), move(dir, "dir/renamed.txt", "dir/new name.txt"),
			os.Remove(filepath.Join(dir, "dir/replaced.txt")), os.Remove(filepath.Join(dir, "dir/link 2.txt")), os.Remove(filepath.Join(dir, "many/name100.txt")),
			put(dir, "other/late.txt", "late 1"))
	},
	func(dir string) error {
		return errors.Join(os.RemoveAll(filepath.Join(dir, "dir/sub")), os.Remove(filepath.Join(dir, "other/moved.txt")), put(dir, "dir/replaced.txt", "second"),
			os.Remove(filepath.Join(dir, "other/50%20off.txt")), put(dir, "other/late.txt", "late 2"))
	},
	func(dir string) error {
		return errors.Join(os.Remove(filepath.Join(dir, "other/late.txt")), os.Remove(filepath.Join(dir, "dir/linked.txt")))
	},
}

// wantGone is what that deletes: by path the last state that has it.
var wantGone = map[string]int{"dir/gone.txt": 0, "other/moved.txt": 1, "dir/sub": 1, "dir/sub/a.txt": 1, "dir/sub/empty": 1, "other/50%20off.txt": 1, "other/late.txt": 2,
	"dir/linked.txt": 2, "many/name100.txt": 0}

// damageBlocks overwrites the start of blocks of an image that begin with a magic, have a word at offset 22, and a name in them.
func damageBlocks(t *testing.T, image, magic string, word byte, name string, size int) {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	var wide []byte
	for _, c := range name {
		wide = append(wide, byte(c), 0)
	}
	hit := 0
	for off := 0; off+size <= len(b); off += size {
		if r := b[off : off+size]; bytes.HasPrefix(r, []byte(magic)) && (magic == "INDX" || r[22] == word) && bytes.Contains(r, wide) {
			copy(r, "XXXX")
			hit++
		}
	}
	if err := os.WriteFile(image, b, 0o600); err != nil || hit == 0 {
		t.Fatal(hit, err)
	}
}

// treeBelow is what a directory holds: directories as "dir", files by their SHA-256.
func treeBelow(t *testing.T, dir string) map[string]string {
	out := sumsBelow(t, dir)
	for path, e := range ntfstest.Walk(t, dir) {
		if e.IsDir() {
			out[path[1:]] = "dir"
		}
	}
	return out
}

// TestRestoreDeleted compares with the script, with deleted/ of a mount, and with what find tells. What damage hides is
// not deleted.
func TestRestoreDeleted(t *testing.T) {
	inUse, directory := byte(1), byte(3)
	for _, c := range []struct {
		name   string
		state  int // that is damaged
		damage func(image string)
		not    []string // prefixes of what is not restored
		known  bool     // all the same: what an index has lost, the file records tell
	}{
		{name: "whole"},
		{"record of what is there", 3, func(image string) { damageBlocks(t, image, "FILE", inUse, "keep.txt", 1024) }, nil, false},
		{"directory at the end", 3, func(image string) { damageBlocks(t, image, "FILE", directory, "dir", 1024) }, []string{"dir/"}, false},
		{"record of what is gone", 0, func(image string) { damageBlocks(t, image, "FILE", inUse, "gone.txt", 1024) }, []string{"dir/gone.txt"}, false},
		{"index then", 0, func(image string) { damageBlocks(t, image, "INDX", 0, "name100.txt", 4096) }, nil, true},
		{"index at the end", 3, func(image string) { damageBlocks(t, image, "INDX", 0, "name101.txt", 4096) }, nil, true},
		{"index and record at the end", 3, func(image string) {
			damageBlocks(t, image, "INDX", 0, "name101.txt", 4096)
			damageBlocks(t, image, "FILE", inUse, "name150.txt", 1024)
		}, []string{"many/"}, false},
		{"the newest point", 3, func(image string) { wipeMFT(t, image) }, []string{""}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := buildEdited(t, goneScript, func(state int, image string) {
				if c.damage != nil && state == c.state {
					c.damage(image)
				}
			})
			want := map[string]string{}
			for path, state := range wantGone {
				if slices.ContainsFunc(c.not, func(p string) bool { return strings.HasPrefix(path, p) }) {
					continue
				}
				if want[path] = v.sums[state]["/"+path]; want[path] == "" {
					want[path] = "dir"
				}
			}
			dest, wantCode := filepath.Join(t.TempDir(), "dest"), exitOK
			if c.damage != nil && !c.known {
				wantCode = exitPartial
			}
			code, out, errs := run("restore", "--deleted", v.image, dest)
			got := unmapped(treeBelow(t, dest), want)
			if code != wantCode || !maps.Equal(got, want) {
				t.Errorf("exit %d, %s%s\ngot  %v\nwant %v", code, out, errs, got, want)
			}
			code, out, _ = run("restore", "--deleted", "--dry-run", v.image, dest)
			if code != wantCode || strings.Contains(out, "keep.txt") {
				t.Errorf("dry run: exit %d, %s", code, out)
			}
			compareDeleted(t, v.image, wantCode, want)
		})
	}
}

// wipeMFT overwrites the first records of the $MFT and its mirror.
func wipeMFT(t *testing.T, image string) {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	for off := 0; off+1024 <= len(b); off += 1024 {
		if bytes.HasPrefix(b[off:], []byte("FILE")) {
			clear(b[off : off+1024])
		}
	}
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// unmapped leaves out directories that only lead to what is wanted, and gives names as the volume has them.
func unmapped(got, want map[string]string) map[string]string {
	out := map[string]string{}
	for path, sum := range got {
		if path = strings.ReplaceAll(path, "%2520", "%20"); sum != "dir" || want[path] == "dir" {
			out[path] = sum
		}
	}
	return out
}

// compareDeleted compares with a mount, and with find.
func compareDeleted(t *testing.T, image string, findCode int, want map[string]string) {
	t.Helper()
	named := map[string]bool{}
	for _, h := range finds(t, findCode, image, "*", "--deleted") {
		if !h.Deleted {
			named[strings.TrimPrefix(string(h.Path), "/")] = true
		}
	}
	for path := range want {
		if !named[path] {
			t.Errorf("find does not tell of %s", path)
		}
	}
	needFUSE(t)
	mnt := t.TempDir()
	if code, text := combined(exec.Command(build(t), "-d", "--log", filepath.Join(t.TempDir(), "log"), image, mnt)); code != 0 {
		t.Fatal(code, text)
	}
	defer func() {
		if err := mount.Unmount(mnt, true); err != nil {
			t.Error(err)
		}
	}()
	volumes, err := os.ReadDir(mnt)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes {
		dir := filepath.Join(mnt, v.Name(), "deleted")
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		got := map[string]string{}
		_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, _ error) error { // damage is an error of the first directory
			if rel, _ := filepath.Rel(dir, p); d != nil && rel != "." {
				got[rel] = "dir"
				if b, err := os.ReadFile(p); err == nil {
					got[rel] = fmt.Sprintf("%x", sha256.Sum256(b))
				}
			}
			return nil
		})
		if got = unmapped(got, want); !maps.Equal(got, want) {
			t.Errorf("deleted/: got %v\nwant %v", got, want)
		}
		return
	}
	t.Error("there is no deleted/")
}

// swapScript gives two directories each other's names. The records of files in them are in blocks that do not change.
var swapScript = []func(dir string) error{
	func(dir string) error {
		err := errors.Join(put(dir, "a/same.txt", "same"), put(dir, "b/same.txt", "same"))
		for i := range 64 {
			err = errors.Join(err, put(dir, fmt.Sprintf("c/still%d.txt", i), "still"))
		}
		err = errors.Join(err, put(dir, "a/other.txt", "of a"), put(dir, "b/other.txt", "of b"))
		for i := range 64 {
			err = errors.Join(err, put(dir, fmt.Sprintf("d/still%d.txt", i), "still"))
		}
		return err
	},
	func(dir string) error {
		return errors.Join(move(dir, "a", "t"), move(dir, "b", "a"), move(dir, "t", "b"))
	},
}

// TestRestoreChangedSince compares with the hashes of all files and streams at all states, each against each.
func TestRestoreChangedSince(t *testing.T) {
	for _, script := range [][]func(string) error{editScript, swapScript} {
		checkChangedSince(t, buildEdited(t, script, nil))
	}
}

func checkChangedSince(t *testing.T, v editedVolume) {
	t.Helper()
	last := len(v.sums) - 1
	point := func(state int) string {
		if state == last {
			return "current"
		}
		return fmt.Sprintf("vss%d", state+1)
	}
	for i := range v.sums {
		for j := range v.sums {
			want := map[string]string{}
			for path, sum := range v.sums[j] {
				if v.sums[i][path] == sum {
					continue
				}
				file, _, _ := strings.Cut(path, ":")
				want[file[1:]] = v.sums[j][file]
			}
			for path := range v.sums[i] { // a stream that is gone
				if file, _, isStream := strings.Cut(path, ":"); isStream && v.sums[j][path] == "" && v.sums[j][file] != "" {
					want[file[1:]] = v.sums[j][file]
				}
			}
			dest := filepath.Join(t.TempDir(), "dest")
			code, out, errs := run("restore", "--changed-since", point(i), v.image+"@"+point(j), dest)
			if got := sumsBelow(t, dest); code != 0 || errs != "" || !maps.Equal(got, want) {
				t.Errorf("%s since %s: exit %d, %s%s\ngot  %v\nwant %v", point(j), point(i), code, out, errs, got, want)
			}
		}
	}
}

// TestRestoreChangedSinceDamage damages records of the old state: what cannot be compared is restored, and told.
func TestRestoreChangedSinceDamage(t *testing.T) {
	v := buildEdited(t, editScript, func(state int, image string) {
		if state == 3 {
			damageBlocks(t, image, "FILE", 1, "still.bin", 1024)
		}
	})
	dest := filepath.Join(t.TempDir(), "dest")
	code, out, errs := run("restore", "--changed-since", "vss4", v.image+"@current", dest)
	want := map[string]string{"docs/extra.txt": v.sums[4]["/docs/extra.txt"], "docs/still.bin": v.sums[4]["/docs/still.bin"]}
	if got := sumsBelow(t, dest); code != 0 || !maps.Equal(got, want) || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "docs/still.bin: taken, as it is not known") {
		t.Errorf("exit %d, %s%s\ngot  %v\nwant %v", code, out, errs, got, want)
	}
}
