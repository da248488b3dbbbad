package vmdk_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/vmdk"
)

const mib = 1 << 20

// options opens what a disk in a folder names, beside it.
func options(t testing.TB, dir string, warn func(error)) vmdk.Options {
	return vmdk.Options{
		Warn:       warn,
		OpenExtent: func(name string) (layer.Source, error) { return openFile(t, filepath.Join(dir, name)) },
		OpenParent: func(name string) (*vmdk.Disk, error) {
			src, err := openFile(t, filepath.Join(dir, name))
			if err != nil {
				return nil, err
			}
			return vmdk.Open(src, options(t, dir, warn))
		},
	}
}

func openFile(t testing.TB, path string) (layer.Source, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return layertest.Open(t, path), nil
}

// open opens a disk that must not be warned of.
func open(t testing.TB, path string) *vmdk.Disk {
	t.Helper()
	d, err := vmdk.Open(layertest.Open(t, path), options(t, filepath.Dir(path), func(err error) { t.Errorf("warning: %v", err) }))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConverted(t *testing.T) {
	qemuImg := layertest.Peer(t, "qemu-img")
	for _, subformat := range []string{"monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized"} {
		for _, more := range []string{"", ",zeroed_grain=on", ",compat6=on"} {
			if more == ",zeroed_grain=on" && strings.Contains(subformat, "Flat") || more == ",compat6=on" && subformat != "monolithicSparse" {
				continue
			}
			t.Run(subformat+more, func(t *testing.T) {
				t.Parallel()
				want := layertest.Mixed(300_000, 3*mib+7*512, uint64(len(more)))
				if more == "" {
					want = want[:200*512+512]
				}
				dir := t.TempDir()
				in, out := write(t, filepath.Join(dir, "disk.raw"), want), filepath.Join(dir, "disk.vmdk")
				layertest.Run(t, qemuImg, "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat="+subformat+more, in, out)
				if more == "" {
					layertest.Contract(t, open(t, out), want)
				}
				same(t, open(t, out), newMemory(want))
			})
		}
	}
}

// qemuIO runs commands on an image as a guest would.
func qemuIO(t testing.TB, path string, commands ...string) {
	t.Helper()
	args := []string{"-f", "vmdk", path}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	layertest.Run(t, layertest.Peer(t, "qemu-io"), args...)
}

// converted is what qemu-img shows of an image, in a sparse file.
func converted(t testing.TB, path string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "converted.raw")
	layertest.Run(t, layertest.Peer(t, "qemu-img"), "convert", "-f", "vmdk", "-O", "raw", path, out)
	return out
}

// same compares two disks: the sha256 of all of it, and 2,000 reads from one and from eight goroutines.
func same(t testing.TB, got, want layer.Source) {
	t.Helper()
	if got.Size() != want.Size() {
		t.Fatalf("size %d, want %d", got.Size(), want.Size())
	}
	a, b := sha256.New(), sha256.New()
	for sum, s := range map[io.Writer]layer.Source{a: got, b: want} {
		if _, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{io.NewSectionReader(s, 0, s.Size())}, make([]byte, mib)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Sum(nil), b.Sum(nil)) {
		t.Error("other bytes")
	}
	sameReads(t, got, want, 1, 2000)
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() { sameReads(t, got, want, g+2, 250) })
	}
	wg.Wait()
}

func sameReads(t testing.TB, got, want layer.Source, seed uint64, count int) {
	r := rand.New(rand.NewPCG(seed, 3))
	a, b := make([]byte, 20_000), make([]byte, 20_000)
	for range count {
		off := r.Int64N(got.Size())
		n := min(r.Int64N(int64(len(a))), got.Size()-off)
		if err := layer.ReadFull(got, a[:n], off); err != nil {
			t.Errorf("%d bytes at %d: %v", n, off, err)
			return
		}
		if err := layer.ReadFull(want, b[:n], off); err != nil || !bytes.Equal(a[:n], b[:n]) {
			t.Errorf("%d bytes at %d are others (%v)", n, off, err)
			return
		}
	}
}

func TestBacking(t *testing.T) {
	qemuImg := layertest.Peer(t, "qemu-img")
	for _, options := range []string{"subformat=monolithicSparse", "subformat=monolithicSparse,zeroed_grain=on", "subformat=twoGbMaxExtentSparse"} {
		t.Run(options, func(t *testing.T) {
			dir := t.TempDir()
			raw := write(t, filepath.Join(dir, "disk.raw"), layertest.Mixed(300_000, 2*mib+300*512, 3))
			base, middle, top := filepath.Join(dir, "base.vmdk"), filepath.Join(dir, "middle.vmdk"), filepath.Join(dir, "top.vmdk")
			layertest.Run(t, qemuImg, "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", raw, base)
			layertest.Run(t, qemuImg, "create", "-f", "vmdk", "-o", options, "-b", "base.vmdk", "-F", "vmdk", middle)
			qemuIO(t, middle, "write -P 0x11 100k 3k", "write -P 0x12 1100k 200k", "write -z 320k 192k", "write -P 0x13 1536k 512")
			layertest.Run(t, qemuImg, "create", "-f", "vmdk", "-o", options, "-b", "middle.vmdk", "-F", "vmdk", top)
			qemuIO(t, top, "write -P 0x21 102k 1k", "write -P 0x22 1200k 1k", "write -P 0x23 2063k 512")
			same(t, open(t, top), layertest.Open(t, converted(t, top)))
		})
	}
}

// TestGrownChild reads a child that is larger than its parent.
func TestGrownChild(t *testing.T) {
	dir := t.TempDir()
	qemuImg := layertest.Peer(t, "qemu-img")
	base, top := filepath.Join(dir, "base.vmdk"), filepath.Join(dir, "top.vmdk")
	layertest.Run(t, qemuImg, "create", "-f", "vmdk", base, "1000k")
	qemuIO(t, base, "write -P 0x11 0 1000k")
	layertest.Run(t, qemuImg, "create", "-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk", top, "3M")
	qemuIO(t, top, "write -P 0x22 100k 64k", "write -P 0x33 2M 1k")
	same(t, open(t, top), layertest.Open(t, converted(t, top)))
}

// TestLarge reads disks of several extents and of more than 4 GiB with little in them.
func TestLarge(t *testing.T) {
	qemuImg := layertest.Peer(t, "qemu-img")
	for _, c := range []struct {
		subformat, size string
		extents         int // of the whole disk, zeros and data
	}{
		{"monolithicSparse", "12G", 8}, {"twoGbMaxExtentSparse", "12G", 8}, {"twoGbMaxExtentFlat", "5G", 3}, {"monolithicFlat", "5G", 1},
	} {
		t.Run(c.subformat, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "disk.vmdk")
			layertest.Run(t, qemuImg, "create", "-f", "vmdk", "-o", "subformat="+c.subformat, path, c.size)
			qemuIO(t, path, "write -P 1 0 70k", "write -P 2 2097100k 100k", "write -P 3 4800M 1M", "write -P 4 4194300k 8k")
			d := open(t, path)
			want := layertest.Open(t, converted(t, path))
			sameReads(t, d, want, 9, 400)
			for _, off := range []int64{0, 2097100 << 10, 4800 * mib, 4194300 << 10} {
				a, b := make([]byte, 3*mib), make([]byte, 3*mib)
				off = max(0, off-mib)
				if err := layer.ReadFull(d, a, off); err != nil {
					t.Fatal(err)
				}
				if err := layer.ReadFull(want, b, off); err != nil || !bytes.Equal(a, b) {
					t.Errorf("other bytes near %d (%v)", off, err)
				}
			}
			n := 0
			for e, err := range layer.Extents(d, 0, d.Size()) {
				if err != nil {
					t.Fatal(e, err)
				}
				n++
			}
			if n > c.extents+4 {
				t.Errorf("%d extents", n)
			}
		})
	}
}

func TestRealImage(t *testing.T) {
	path := layertest.Shared(t, "data", "formats", "ext2.vmdk")
	var want []byte
	for _, name := range []string{"ext2.splitraw.000", "ext2.splitraw.001"} {
		b, err := os.ReadFile(layertest.Shared(t, "data", "formats", name))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
	}
	layertest.Contract(t, open(t, path), want)
	same(t, newMemory(want), layertest.Open(t, converted(t, path)))
}

func BenchmarkRead(b *testing.B) {
	qemuImg := layertest.Peer(b, "qemu-img")
	in := write(b, filepath.Join(b.TempDir(), "disk.raw"), layertest.Mixed(300_000, 256*mib, 8))
	for _, subformat := range []string{"monolithicSparse", "twoGbMaxExtentFlat", "streamOptimized"} {
		path := filepath.Join(b.TempDir(), "disk.vmdk")
		layertest.Run(b, qemuImg, "convert", "-O", "vmdk", "-o", "subformat="+subformat, in, path)
		d := open(b, path)
		for _, random := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/random=%v", subformat, random), func(b *testing.B) {
				p := make([]byte, 64<<10)
				r := rand.New(rand.NewPCG(1, 1))
				b.SetBytes(int64(len(p)))
				b.ReportAllocs()
				for i := range b.N {
					off := int64(i) % 4096 << 16
					if random {
						off = r.Int64N(d.Size() - int64(len(p)))
					}
					if err := layer.ReadFull(d, p, off); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
