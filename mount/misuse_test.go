//go:build linux

package mount_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/mount"
)

func TestRefusedMountPoints(t *testing.T) {
	image := filepath.Join(t.TempDir(), "deep", "demo.qcow2")
	if err := os.Mkdir(filepath.Dir(image), 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(layertest.Root(t), "testdata", "demo.qcow2"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openSet(t, image)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(image), link); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"a file": image, "above the image": filepath.Dir(filepath.Dir(image)), "the image's directory": filepath.Dir(image),
		"a link to it": link, "not empty": "/usr", "no parent": filepath.Join(t.TempDir(), "a", "b"), "mounted": "/proc",
	} {
		m, err := mount.Mount(dir, s, mount.Options{})
		if err == nil {
			t.Errorf("%s: mounted", name)
			m.Detach()
		} else if !errors.Is(err, mount.ErrRefused) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := mounted(t, s)
	if _, err := mount.Mount(dir, s, mount.Options{}); !errors.Is(err, mount.ErrRefused) || !strings.Contains(err.Error(), "busy") {
		t.Errorf("mounting twice: %v", err)
	}
}

func TestBusyMountStays(t *testing.T) {
	s := openDemo(t)
	dir := filepath.Join(t.TempDir(), "mnt")
	m, err := mount.Mount(dir, s, mount.Options{})
	if err != nil {
		t.Skipf("SKIPPED: mounts do not work here: %v", err)
	}
	f, err := os.Open(filepath.Join(dir, "p1-Documents/current/Letters/offer.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := mount.Unmount(dir, false); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("unmount of a mount in use: %v", err)
	}
	if err := mount.Unmount(dir, true); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(f); err != nil || len(b) == 0 {
		t.Errorf("an open file after a lazy unmount: %q, %v", b, err)
	}
	f.Close()
	if err := m.Wait(); err != nil {
		t.Error(err)
	}
}

// TestImageCutWhileMounted takes the image's end away under the mount: reading there must fail, not give zeros or an
// early end of file.
func TestImageCutWhileMounted(t *testing.T) {
	demo := openDemo(t).Volumes[0].Block
	raw := make([]byte, demo.Size())
	if err := layer.ReadFull(demo, raw, 0); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "cut.raw")
	if err := os.WriteFile(image, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := mounted(t, openSet(t, image))
	path := filepath.Join(dir, "raw/p0-Documents/current.img")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const cut = 8<<20 + 12345
	if err := os.Truncate(image, cut); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1<<20)
	if n, err := f.ReadAt(got, cut-cut%4096-1<<20); n != 1<<20 || !bytes.Equal(got, raw[cut-cut%4096-1<<20:][:1<<20]) {
		t.Errorf("before the cut: %d bytes, %v", n, err)
	}
	for _, off := range []int64{cut, cut + 1<<20, 20 << 20} {
		if n, err := f.ReadAt(got[:64<<10], off); !errors.Is(err, syscall.EIO) {
			t.Errorf("at %d, past the cut: %d bytes, %v, want EIO", off, n, err)
		}
	}
}

// TestDamageIsLocal zeroes an MFT record: its file alone fails, and keeps its name.
func TestDamageIsLocal(t *testing.T) {
	s := openDemo(t)
	p := s.Volumes[0].Current()
	node, _, err := p.Lookup("Projects/notes.txt", false)
	if err != nil {
		t.Fatal(err)
	}
	nt, _ := p.Files()
	mft, _, err := p.Lookup("$MFT", false)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := mft.Stream("")
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, s.Volumes[0].Block.Size())
	if err := layer.ReadFull(s.Volumes[0].Block, raw, 0); err != nil {
		t.Fatal(err)
	}
	for e, err := range stream.Extents(int64(node.Ref.Record)*1024, 1024) {
		if err != nil || e.Base == nil {
			t.Fatal(e, err)
		}
		clear(raw[e.BaseOff:][:e.Len])
	}
	if nt.Records() <= node.Ref.Record {
		t.Fatal("record out of range")
	}
	image := filepath.Join(t.TempDir(), "damaged.raw")
	if err := os.WriteFile(image, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(mounted(t, openSet(t, image)), "p0-Documents/current/Projects")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "notes.txt")); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the zeroed record reads as %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "plan.txt")); err != nil || len(b) == 0 {
		t.Errorf("its neighbour: %d bytes, %v", len(b), err)
	}
}
