package vsstest_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
)

func TestMemory(t *testing.T) {
	m := vsstest.NewMemory(100_000)
	want := make([]byte, 100_000)
	r := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		off := r.IntN(len(want))
		p := want[off : off+r.IntN(len(want)-off)/8]
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		if n, err := m.WriteAt(p, int64(off)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	layertest.Contract(t, m, want)
	if err := m.Truncate(50_001); err != nil {
		t.Fatal(err)
	}
	if err := m.Truncate(90_000); err != nil {
		t.Fatal(err)
	}
	layertest.Contract(t, m, append(want[:50_001:50_001], make([]byte, 39_999)...))
	if _, err := m.WriteAt([]byte{1, 2}, 89_999); err == nil {
		t.Error("a write past the end gave no error")
	}
}

func TestWriteRefuses(t *testing.T) {
	v, err := vsstest.New(vsstest.Config{Volume: vsstest.NewMemory(20 * vsstest.BlockSize), Area: []vsstest.Blocks{{First: 2, Count: 9}}})
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"write to the diff area": v.Write(3*vsstest.BlockSize, []byte{1}), "write past the end": v.Write(20*vsstest.BlockSize-1, []byte{1, 2}),
		"move into the diff area": v.Move(15, 3), "move of block 0": v.Move(0, 15), "overlay without snapshot": v.WriteSnapshot(0, make([]byte, 512)),
		"cut the diff area": v.Resize(8 * vsstest.BlockSize), "delete nothing": v.DeleteOldest(),
	} {
		if err == nil {
			t.Errorf("%s gave no error", what)
		}
	}
}

// TestFromStates makes a volume in a sparse file of 128 GiB out of three states.
func TestFromStates(t *testing.T) {
	const size, big = 60 * vsstest.BlockSize, 128 << 30
	f, err := os.Create(filepath.Join(t.TempDir(), "volume.raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(big); err != nil {
		t.Fatal(err)
	}
	file, err := vsstest.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vsstest.New(vsstest.Config{Volume: file, Area: []vsstest.Blocks{{First: 7_000_000, Count: 2000}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Snapshot(vsstest.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := v.Write(100<<30, []byte("late")); err != nil {
		t.Fatal(err)
	}
	if err := v.Flush(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if err := layer.ReadFull(openAll(t, file)[0], got, 100<<30); err != nil || string(got) != "\x00\x00\x00\x00" {
		t.Errorf("128 GiB: %q, %v", got, err)
	}

	states := make([][]byte, 4)
	var readers []io.ReaderAt
	for i := range states {
		states[i] = bytes.Repeat([]byte{byte(i + 1)}, size-512)
		copy(states[i][20*vsstest.BlockSize:], bytes.Repeat([]byte("same"), 9000))
		readers = append(readers, bytes.NewReader(states[i]))
	}
	m := vsstest.NewMemory(size - 512)
	area := vsstest.Blocks{First: 40, Count: 18}
	if _, err := vsstest.FromStates(vsstest.Config{Volume: m, Area: []vsstest.Blocks{area}}, readers[:3], readers[3], nil); err == nil {
		t.Error("a diff area that is too small gave no error")
	}
	storage := vsstest.NewMemory(300 * vsstest.BlockSize)
	m = vsstest.NewMemory(size - 512)
	cfg := vsstest.Config{Volume: m, Storage: storage, Area: []vsstest.Blocks{{First: 1, Count: 290}}, Catalog: []vsstest.Blocks{{First: 50, Count: 4}}}
	if _, err := vsstest.FromStates(cfg, readers[:3], readers[3], nil); err != nil {
		t.Fatal(err)
	}
	opened, err := diffstore.Open(m, diffstore.Options{Storage: func(wintype.GUID) (layer.Source, error) { return storage, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range opened.Snapshots() {
		view, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, view.Size())
		if _, err := view.ReadAt(got, 0); err != nil {
			t.Fatal(err)
		}
		want := bytes.Clone(states[i])
		for _, keep := range [][2]int{{vsstest.HeaderOffset, vsstest.HeaderOffset + 512}, {50 * vsstest.BlockSize, 54 * vsstest.BlockSize}} {
			copy(want[keep[0]:keep[1]], got[keep[0]:])
		}
		if !bytes.Equal(got, want) {
			t.Errorf("snapshot %d does not read as state %d", s.Index, i)
		}
	}
}

func openAll(t *testing.T, s layer.Source) (views []*diffstore.View) {
	t.Helper()
	vol, err := diffstore.Open(s, diffstore.Options{Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range vol.Snapshots() {
		v, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		views = append(views, v)
	}
	return views
}

// ordinary writes a volume as libvshadow understands it: local, in order, no move that comes home.
func ordinary(t *testing.T, path string, snapshots int) *vsstest.File {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	const blocks, first = 2100, 1500
	if err := f.Truncate(blocks*vsstest.BlockSize + 512); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-q", "-F", "-s", "512", path)
	file, err := vsstest.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vsstest.New(vsstest.Config{Volume: file, Area: []vsstest.Blocks{{First: 200, Count: first - 200}}})
	r := rand.New(rand.NewPCG(4, 2))
	fresh := uint32(first)
	for i := range snapshots {
		if err == nil {
			_, err = v.Snapshot(vsstest.Options{Free: func(b uint32) bool { return b%7 == 0 }})
		}
		p := make([]byte, 5*512)
		for range 20 {
			copy(p, fmt.Sprintf("%016x", r.Uint64()))
			off := int64(first+100+r.IntN(400))*vsstest.BlockSize + int64(r.IntN(27)*512)
			if err == nil {
				err = v.Write(off, p)
			}
			if err == nil && i%2 == 0 {
				err = v.WriteSnapshot(off, p[:1024])
			}
		}
		for range 2 { // from blocks that are not written again in this store
			if err == nil {
				err = v.Move(fresh+540, fresh)
			}
			fresh++
		}
	}
	if err == nil {
		err = v.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAgainstLibvshadow(t *testing.T) {
	info, mount := testenv.Peer(t, "vshadowinfo"), testenv.Peer(t, "vshadowmount")
	const snapshots = 9
	dir := t.TempDir()
	path := filepath.Join(dir, "volume.raw")
	file := ordinary(t, path, snapshots)
	out := string(testenv.Run(t, info, path))
	vol, err := diffstore.Open(file, diffstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range vol.Snapshots() {
		for _, text := range []string{s.StoreID.String(), s.CopyID.String(), s.SetID.String(), fmt.Sprintf("Store: %d", s.Index)} {
			if !strings.Contains(out, text) {
				t.Errorf("vshadowinfo does not print %q", text)
			}
		}
	}
	if _, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("SKIPPED: no FUSE here: %v", err)
	}
	point := filepath.Join(dir, "mnt")
	if err := os.Mkdir(point, 0o755); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command(mount, path, point).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: vshadowmount: %v\n%s", err, b)
	}
	defer func() {
		if b, err := exec.Command("umount", point).CombinedOutput(); err != nil {
			t.Errorf("umount: %v\n%s", err, b)
		}
	}()
	compared := 0
	for i, v := range openAll(t, file) {
		peer, err := os.Open(filepath.Join(point, fmt.Sprintf("vss%d", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		got, want := make([]byte, vsstest.BlockSize), make([]byte, vsstest.BlockSize)
		for off := int64(0); off < v.Size(); off += vsstest.BlockSize {
			n := min(vsstest.BlockSize, v.Size()-off)
			if _, err := v.ReadAt(got[:n], off); err != nil {
				t.Fatal(err)
			}
			if err := layer.ReadFull(sized{peer, v.Size()}, want[:n], off); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got[:n], want[:n]) {
				t.Errorf("vss%d: block 0x%x differs from libvshadow's", i+1, off)
			}
			compared++
		}
		peer.Close()
	}
	t.Logf("%d blocks of %d snapshots equal", compared, snapshots)
}

// sized is a file of known size.
type sized struct {
	*os.File
	size int64
}

func (s sized) Size() int64 { return s.size }
