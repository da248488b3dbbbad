package diskfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/diskfile"
	"snapmount/imagefmt/layer"
)

// disk is a layer of extents.
type disk struct {
	size int64
	list []layer.Extent
	bad  error // of a read of the extents without a Kind
}

func (d *disk) Size() int64 { return d.size }

func (d *disk) ReadAt(p []byte, off int64) (int, error) { return layer.Read(d, p, off, layer.Live) }

func (d *disk) At(off, n int64) (layer.Extent, error) {
	for _, e := range d.list {
		if off >= e.Off && off < e.Off+e.Len {
			if e.Base != nil {
				e.BaseOff += off - e.Off
			}
			e.Len = min(n, e.Off+e.Len-off)
			e.Off = off
			if e.Why == layer.Missing {
				return e, d.bad
			}
			return e, nil
		}
	}
	panic("no extent")
}

// twoDisks makes two disks of odd sizes that share some of what they have: shifted, holes in one, data in the other.
func twoDisks(seed uint64, size int64) (old, now *disk) {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, size+1<<20)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	leaf, other := bytes.NewReader(b), bytes.NewReader(bytes.Clone(b[512:]))
	old, now = &disk{size: size}, &disk{size: size}
	for off := int64(0); off < size; {
		n := min(size-off, 512*(1+r.Int64N(200)))
		a := layer.Extent{Off: off, Len: n, Base: leaf, BaseOff: off}
		if r.IntN(3) == 0 {
			a = layer.Extent{Off: off, Len: n, Kind: layer.Zero}
		}
		c := a
		switch r.IntN(6) {
		case 0:
			c = layer.Extent{Off: off, Len: n, Kind: layer.Zero}
		case 1:
			c = layer.Extent{Off: off, Len: n, Base: other, BaseOff: off}
		case 2:
			c = layer.Extent{Off: off, Len: n, Kind: layer.Unknown, Base: leaf, BaseOff: off, Why: layer.Unprotected}
		}
		old.list, now.list = append(old.list, a), append(now.list, c)
		off += n
	}
	return old, now
}

func content(t *testing.T, s layer.Source) []byte {
	t.Helper()
	b := make([]byte, s.Size())
	if err := layer.ReadFull(s, b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func create(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestWrite writes disks in all formats, and reads them back with the readers of this project.
func TestWrite(t *testing.T) {
	for _, size := range []int64{512, 16 << 10, 1<<20 + 512, 40<<20 + 77} {
		old, now := twoDisks(uint64(size), size)
		base := create(t, "base.raw")
		if _, err := diskfile.Write(t.Context(), base, old, diskfile.Options{}); err != nil {
			t.Fatal(err)
		}
		want := content(t, now)
		want = append(want, make([]byte, (512-len(want)%512)%512)...)
		dir := filepath.Dir(base.Name())
		for _, c := range []struct {
			name string
			o    diskfile.Options
		}{
			{"x.raw", diskfile.Options{}},
			{"x.vhd", diskfile.Options{Format: diskfile.VHD, ID: [16]byte{1}}},
			{"x.qcow2", diskfile.Options{Format: diskfile.QCow2}},
			{"over.qcow2", diskfile.Options{Format: diskfile.QCow2, Backing: &diskfile.Backing{Disk: old, Name: "base.raw", Format: "raw"}}},
		} {
			name := filepath.Join(dir, c.name)
			f, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			r, err := diskfile.Write(t.Context(), f, now, c.o)
			f.Close()
			if err != nil {
				t.Fatalf("%s of %d: %v", c.name, size, err)
			}
			img, err := imagefmt.Open(name, imagefmt.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := content(t, img); !bytes.Equal(got, want) {
				t.Errorf("%s of %d: other bytes", c.name, size)
			}
			img.Close()
			if r.Bytes > size+16<<10 || len(r.Unknown) != 0 || size > 1<<20 && (r.LeftOut == 0 || c.name == "over.qcow2" && r.Bytes > size*3/4) {
				t.Errorf("%s of %d: %+v", c.name, size, r)
			}
			checked(t, name, c.name)
		}
	}
}

// checked has qemu-img look at a file.
func checked(t *testing.T, name, kind string) {
	qemu, _ := exec.LookPath("qemu-img")
	if qemu == "" || !strings.HasSuffix(kind, ".qcow2") {
		return
	}
	if out, err := exec.Command(qemu, "check", name).CombinedOutput(); err != nil {
		t.Errorf("qemu-img check %s: %v\n%s", kind, err, out)
	}
}

// TestUnknown has ranges that are damaged, and some that are unknown: an error, or zeros that are told.
func TestUnknown(t *testing.T) {
	leaf := bytes.NewReader(bytes.Repeat([]byte("x"), 1<<20))
	broken := errors.New("broken")
	d := &disk{size: 1 << 20, bad: broken, list: []layer.Extent{
		{Off: 0, Len: 100000, Base: leaf},
		{Off: 100000, Len: 30000, Why: layer.Missing},
		{Off: 130000, Len: 70000, Base: leaf, BaseOff: 130000},
		{Off: 200000, Len: 1000, Kind: layer.Unknown, Why: layer.NotAcquired},
		{Off: 201000, Len: 1<<20 - 201000, Base: leaf, BaseOff: 201000},
	}}
	for _, format := range []diskfile.Format{diskfile.Raw, diskfile.QCow2, diskfile.VHD} {
		if _, err := diskfile.Write(t.Context(), create(t, "x"), d, diskfile.Options{Format: format}); !errors.Is(err, broken) {
			t.Errorf("format %d: %v", format, err)
		}
		r, err := diskfile.Write(t.Context(), create(t, "x"), d, diskfile.Options{Format: format, Partial: true})
		if err != nil || fmt.Sprint(r.Unknown[0].Off, r.Unknown[0].Len, r.Unknown[1].Off, r.Unknown[1].Len) != "99840 30208 199680 1536" ||
			!errors.Is(r.Unknown[0].Err, broken) || !errors.Is(r.Unknown[1].Err, layer.ErrUnknown) {
			t.Errorf("format %d: %+v, %v", format, r, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if _, err := diskfile.Write(ctx, create(t, "x"), d, diskfile.Options{Partial: true}); err != broken {
		t.Errorf("after the end: %v", err)
	}
}

// TestRefused has what a format has no room for.
func TestRefused(t *testing.T) {
	huge := &disk{size: 3 << 40, list: []layer.Extent{{Len: 3 << 40, Kind: layer.Zero}}}
	small := &disk{size: 512, list: []layer.Extent{{Len: 512, Kind: layer.Zero}}}
	long := &diskfile.Backing{Disk: small, Name: strings.Repeat("x", 1024), Format: "raw"}
	for _, c := range []struct {
		d *disk
		o diskfile.Options
	}{
		{huge, diskfile.Options{Format: diskfile.VHD}},
		{small, diskfile.Options{Format: diskfile.QCow2, Backing: long}},
		{small, diskfile.Options{Format: diskfile.Raw, Backing: long}},
		{small, diskfile.Options{Format: 9}},
	} {
		if _, err := diskfile.Write(t.Context(), memory{}, c.d, c.o); !errors.Is(err, layer.ErrUnsupported) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// memory is a file that nobody reads.
type memory struct{}

func (memory) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (memory) Truncate(int64) error                   { return nil }

// TestHoles holds that what is a hole of a huge disk costs nothing.
func TestHoles(t *testing.T) {
	leaf := bytes.NewReader(make([]byte, 1<<20))
	d := &disk{size: 64 << 40, list: []layer.Extent{{Len: 9 << 40, Kind: layer.Zero}, {Off: 9 << 40, Len: 1 << 20, Base: leaf}, {Off: 9<<40 + 1<<20, Len: 55<<40 - 1<<20, Kind: layer.Zero}}}
	r, err := diskfile.Write(t.Context(), memory{}, d, diskfile.Options{Format: diskfile.QCow2})
	if err != nil || r.Bytes != 1<<20 {
		t.Errorf("%+v, %v", r, err)
	}
}
