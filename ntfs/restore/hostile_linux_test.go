package restore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/restore"
)

// record finds the MFT record of 1024 bytes in an image that has a name, and returns its offset.
func record(t *testing.T, image []byte, name string) int {
	t.Helper()
	for off := 0; off+1024 <= len(image); off += 1024 {
		b := image[off : off+1024]
		if at := attribute(b, 0x30); string(b[:4]) == "FILE" && at > 0 && bytes.HasPrefix(b[at+0x18+66:], utf16le(name)) && int(b[at+0x18+64]) == len(name) {
			return off
		}
	}
	t.Fatalf("%s: no record", name)
	return 0
}

// attribute finds the first attribute of a type in a record, and returns its offset; 0 for none.
func attribute(b []byte, kind uint32) int {
	le := binary.LittleEndian
	for at := int(le.Uint16(b[0x14:])); at+8 < len(b) && le.Uint32(b[at:]) != 0xffffffff && le.Uint32(b[at+4:]) > 0; at += int(le.Uint32(b[at+4:])) {
		if le.Uint32(b[at:]) == kind {
			return at
		}
	}
	return 0
}

// reference is the file reference of a record.
func reference(image []byte, off int) uint64 {
	le := binary.LittleEndian
	return uint64(le.Uint32(image[off+0x2c:])) | uint64(le.Uint16(image[off+0x10:]))<<48
}

// redirect makes the entry of a directory's index lead to another record.
func redirect(t *testing.T, image []byte, dir, entry, to string) {
	t.Helper()
	off := record(t, image, dir)
	index := off + attribute(image[off:off+1024], 0x90)
	at := bytes.Index(image[index:off+1024], utf16le(entry)) + index - 66 - 16
	if at < index {
		t.Fatalf("%s: no entry %s", dir, entry)
	}
	binary.LittleEndian.PutUint64(image[at:], reference(image, record(t, image, to)))
}

// enlarge makes a sparse file as large as size, and with runs its hole too.
func enlarge(t *testing.T, image []byte, name string, size uint64, runs bool) {
	t.Helper()
	off, le := record(t, image, name), binary.LittleEndian
	at := off + attribute(image[off:off+1024], 0x80)
	list := at + int(le.Uint16(image[at+0x20:]))
	if image[at+8] != 1 || at+int(le.Uint32(image[at+4:])) < list+9 {
		t.Fatalf("%s: no room for its runs", name)
	}
	for _, field := range []int{0x28, 0x30, 0x38} { // allocated, size, initialised
		le.PutUint64(image[at+field:], size)
	}
	if runs {
		le.PutUint64(image[at+0x18:], size/4096-1) // the last cluster
		copy(image[list:], append(le.AppendUint64([]byte{7}, size/4096)[:8], 0))
		le.PutUint64(image[at+0x40:], 0)
	}
}

// hostile makes a volume of files larger than any disk, and of directories that contain themselves or are in two.
func hostile(t *testing.T) string {
	image := volumeOf(t, func(dir string) error {
		err := errors.Join(write(dir, "top/loop/again/file", "1"), write(dir, "one/shared/file", "2"), write(dir, "two/shadow/file", "3"), write(dir, "good", "good"))
		for _, name := range []string{"largest", "hugehole", "hugesize"} {
			err = errors.Join(err, write(dir, name, strings.Repeat("x", 5000)), os.Truncate(filepath.Join(dir, name), 8<<40))
		}
		return err
	})
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	enlarge(t, b, "largest", largest, true)
	enlarge(t, b, "hugehole", 1<<62, true)
	enlarge(t, b, "hugesize", 1<<62, false)
	redirect(t, b, "loop", "again", "top")
	redirect(t, b, "two", "shadow", "one")
	for _, name := range []string{"again", "shadow"} { // else these are found by their own names
		clear(b[record(t, b, name):][:1024])
	}
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return image
}

// largest is the size that NTFS allows with clusters of 4 KiB: 2^32-1 of them.
const largest = (1<<32 - 1) * 4096

// TestHostileStructures restores such a volume in all ways to tmpfs, which holds the largest hole, and to a directory that
// may not. What is larger than NTFS allows is an error of that file.
func TestHostileStructures(t *testing.T) {
	image, tmpfs := hostile(t), t.TempDir()
	mount(t, "size=16m", "tmpfs", "tmpfs", tmpfs)
	for _, c := range []struct {
		name string
		opts restore.Options
	}{
		{"plain", restore.Options{}}, {"verify", restore.Options{Verify: true, Overwrite: restore.Always}}, {"resume", restore.Options{Resume: true}},
		{"if changed", restore.Options{Overwrite: restore.IfChanged}}, {"partial", restore.Options{Overwrite: restore.Always, Partial: true}},
	} {
		r := restored(t, testenv.Open(t, image), tmpfs, c.opts)
		t.Logf("%s: %.300q", c.name, r.failed())
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(tmpfs, "largest"), &st); err != nil || st.Size != largest || st.Blocks > 64 {
			t.Errorf("%s: largest: %d bytes in %d blocks, %v", c.name, st.Size, st.Blocks, err)
		}
		told := map[string]bool{}
		for _, res := range r.list {
			if res.Err != nil || len(res.Gaps) > 0 {
				told[res.Path] = true
			}
		}
		for _, path := range []string{"top/loop/again", "two/shadow", "hugesize", "hugehole"} {
			if !told[path] {
				t.Errorf("%s: %s was not told: %q", c.name, path, r.failed())
			}
		}
		if b, err := os.ReadFile(filepath.Join(tmpfs, "good")); string(b) != "good" {
			t.Errorf("%s: %q, %v", c.name, b, err)
		}
		checkNoParts(t, tmpfs)
	}
	elsewhere := restored(t, testenv.Open(t, image), t.TempDir(), restore.Options{}).failed()
	if len(elsewhere) < 4 || len(elsewhere) > 5 {
		t.Errorf("failed: %q", elsewhere)
	}
	for _, format := range []restore.Format{restore.Tar, restore.Zip} {
		var r results
		var out counter
		err := restore.Archive(context.Background(), &out, format, all(restore.Source{Node: lookup(t, image, "")}), restore.Options{Done: r.add})
		if err != nil || out > 1<<20 || len(r.failed()) != map[restore.Format]int{restore.Tar: 4, restore.Zip: 5}[format] {
			t.Errorf("format %v: %d bytes, %v, failed: %q", format, out, err, r.failed())
		}
		t.Logf("format %v: %.500q", format, r.failed())
	}
	plan, err := restore.Count(context.Background(), all(restore.Source{Node: lookup(t, image, "")}), restore.Options{}, nil)
	if err != nil || plan.Space > 1<<20 || plan.Failed < 4 {
		t.Errorf("%+v, %v", plan, err)
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// TestDeep restores directories in one another, 10,000 when SNAPMOUNT_LONG is set, and applies the sidecar.
func TestDeep(t *testing.T) {
	deep := 600
	if os.Getenv("SNAPMOUNT_LONG") != "" {
		deep = 10000
	}
	image, dir := freshNTFS(t, "512", 64<<20), t.TempDir()
	testenv.Run(t, testenv.Peer(t, "lowntfs-3g"), image, dir) // the other one looks up all of a path each time
	err := inChain(dir, deep, func(at int) error { return unix.Mkdirat(at, "d", 0o700) })
	testenv.Run(t, "umount", dir)
	if err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	r := restored(t, testenv.Open(t, image), dest, restore.Options{})
	if failed := r.failed(); len(failed) > 0 || len(r.list) != deep {
		t.Errorf("%d of %d directories, failed: %.300q", len(r.list), deep, failed)
	}
	root, err := os.OpenRoot(dest)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	lines := 0
	err = restore.Apply(t.Context(), root, func(path string, _ []string, err error) {
		if lines++; err != nil {
			t.Errorf("%.100s of %d bytes: %v", path, len(path), err)
		}
	})
	if err != nil || lines != deep {
		t.Errorf("%d lines, %v", lines, err)
	}
	if err := inChain(dest, deep, func(int) error { return nil }); err != nil {
		t.Error(err)
	}
	if out, err := exec.Command("rm", "-rf", dest+"/d").CombinedOutput(); err != nil {
		t.Errorf("%v, %s", err, out)
	}
}

// inChain calls enter in each of n directories called d in one another, before the next one is opened.
func inChain(dir string, n int, enter func(at int) error) error {
	at, err := unix.Open(dir, unix.O_DIRECTORY, 0)
	for i := 0; i < n && err == nil; i++ {
		if err = enter(at); err != nil {
			break
		}
		up := at
		at, err = unix.Openat(up, "d", unix.O_DIRECTORY, 0)
		if err != nil {
			err = fmt.Errorf("%d deep: %w", i, err)
		}
		unix.Close(up)
	}
	return errors.Join(err, unix.Close(at))
}
