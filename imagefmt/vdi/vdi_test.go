package vdi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/vdi"
	"snapmount/imagefmt/wintype"
)

const mib = 1 << 20

func open(t testing.TB, src layer.Source) *vdi.Disk {
	t.Helper()
	d, err := vdi.Open(src, vdi.Options{Warn: func(err error) { t.Errorf("warning: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	return d
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

// converted writes a disk as qemu-img does and returns the image with what qemu-img shows of it.
func converted(t testing.TB, disk []byte, options string) (image string, want layer.Source) {
	t.Helper()
	qemuImg := layertest.Peer(t, "qemu-img")
	in := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(in, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	layertest.Run(t, qemuImg, "convert", "-f", "raw", "-O", "vdi", "-o", options, in, in+".vdi")
	layertest.Run(t, qemuImg, "convert", "-f", "vdi", "-O", "raw", in+".vdi", in+".back")
	return in + ".vdi", layertest.Open(t, in+".back")
}

func TestConverted(t *testing.T) {
	for _, options := range []string{"static=off", "static=on"} {
		t.Run(options, func(t *testing.T) {
			image, want := converted(t, layertest.Mixed(3*mib, 9*mib+7*512, 1), options)
			same(t, open(t, layertest.Open(t, image)), want)
			disk := layertest.Mixed(3*mib, mib-3*512, 2)
			image, _ = converted(t, disk, options)
			layertest.Contract(t, open(t, layertest.Open(t, image)), disk)
		})
	}
}

func TestLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.vdi")
	layertest.Run(t, layertest.Peer(t, "qemu-img"), "create", "-f", "vdi", path, "30G")
	layertest.Run(t, layertest.Peer(t, "qemu-io"), "-f", "vdi", path, "-c", "write -P 1 29G 70k", "-c", "write -P 2 0 1k", "-c", "write -P 3 5000M 3M")
	raw := path + ".raw"
	layertest.Run(t, layertest.Peer(t, "qemu-img"), "convert", "-f", "vdi", "-O", "raw", path, raw)
	d, want := open(t, layertest.Open(t, path)), layertest.Open(t, raw)
	sameReads(t, d, want, 1, 2000)
	n := 0
	for e, err := range layer.Extents(d, 0, d.Size()) {
		if err != nil {
			t.Fatal(e, err)
		}
		if n++; e.Kind == layer.Zero {
			continue
		}
		section, err := layer.Section(d, e.Off, e.Len)
		if err != nil {
			t.Fatal(err)
		}
		other, err := layer.Section(want, e.Off, e.Len)
		if err != nil {
			t.Fatal(err)
		}
		same(t, section, other)
	}
	if n != 6 {
		t.Errorf("%d extents, want data, zeros, data, zeros, data, zeros", n)
	}
}

type memory struct{ *bytes.Reader }

func newMemory(b []byte) layer.Source { return memory{bytes.NewReader(b)} }

// image is a disk to be written by hand: header, block map at 512, data at 1024.
type image struct {
	kind, block, extra uint32
	size               uint64
	id, parent         byte // all bytes of the UUIDs; the modification UUIDs are 0x10 more
	blocks             []block
}

// block is one entry of the map: 'f' free, 'z' zero, else a block of that byte.
type block byte

func (im image) bytes() []byte {
	le := binary.LittleEndian
	b := make([]byte, 1024)
	copy(b, "<<< Oracle VM VirtualBox Disk Image >>>\n")
	for at, v := range map[int]uint32{0x40: 0xbeda107f, 0x44: 0x10001, 0x48: 400, 0x4c: im.kind, 0x154: 512, 0x158: 1024, 0x168: 512,
		0x178: im.block, 0x17c: im.extra, 0x180: uint32(len(im.blocks))} {
		le.PutUint32(b[at:], v)
	}
	le.PutUint64(b[0x170:], im.size)
	for i, v := range []byte{im.id, im.id + 0x10, im.parent, im.parent + 0x10} {
		copy(b[0x188+16*i:], bytes.Repeat([]byte{v}, 16))
	}
	n := uint32(0)
	for i := len(im.blocks) - 1; i >= 0; i-- { // in another order than the disk's
		entry := n
		switch im.blocks[i] {
		case 'f':
			entry = 0xffffffff
		case 'z':
			entry = 0xfffffffe
		default:
			n++
			b = append(b, bytes.Repeat([]byte{0xee}, int(im.extra))...)
			b = append(b, bytes.Repeat([]byte{byte(im.blocks[i])}, int(im.block))...)
		}
		le.PutUint32(b[512+4*i:], entry)
	}
	return b
}

// disk is what the image shows above a parent.
func (im image) disk(parent []byte) []byte {
	var d []byte
	parent = append(bytes.Clone(parent), make([]byte, im.size)...)
	for i, bl := range im.blocks {
		switch bl {
		case 'f':
			d = append(d, parent[i*int(im.block):][:im.block]...)
		case 'z':
			d = append(d, make([]byte, im.block)...)
		default:
			d = append(d, bytes.Repeat([]byte{byte(bl)}, int(im.block))...)
		}
	}
	return d[:im.size]
}

func TestDifferencing(t *testing.T) {
	base := image{kind: 1, block: 4096, extra: 512, size: 5*4096 - 512, id: 1, blocks: []block("fab z")}
	middle := image{kind: 4, block: 8192, size: 7 * 4096, id: 2, parent: 1, blocks: []block("fcfz")}
	top := image{kind: 4, block: 1024, extra: 16, size: 6*4096 + 100, id: 3, parent: 2, blocks: []block("fdzfffffffffffffffffffffe")}
	files := map[wintype.GUID]image{}
	for _, im := range []image{base, middle, top} {
		files[wintype.GUID(bytes.Repeat([]byte{im.id}, 16))] = im
	}
	var opts vdi.Options
	opts.Warn = func(err error) { t.Errorf("warning: %v", err) }
	opts.OpenParent = func(id, modified wintype.GUID) (*vdi.Disk, error) {
		if modified[0] != id[0]+0x10 {
			t.Errorf("asked for %v changed at %v", id, modified)
		}
		return vdi.Open(newMemory(files[id].bytes()), opts)
	}
	want := base.disk(nil)
	layertest.Contract(t, open(t, newMemory(base.bytes())), want)
	for _, im := range []image{middle, top} {
		want = im.disk(want)
		d, err := vdi.Open(newMemory(im.bytes()), opts)
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, d, want)
	}
}

func TestParents(t *testing.T) {
	child := image{kind: 4, block: 4096, size: 4096, id: 2, parent: 1, blocks: []block("f")}.bytes()
	base := image{kind: 2, block: 4096, size: 4096, id: 1, blocks: []block("a")}
	changed, other := base.bytes(), base
	changed[0x198]++
	other.id = 9
	for _, c := range []struct {
		name string
		b    []byte
		err  error
		warn string
	}{
		{"right", base.bytes(), nil, ""}, {"changed", changed, nil, "was changed after"}, {"other", other.bytes(), vdi.ErrOtherDisk, ""},
		{"missing", nil, fs.ErrNotExist, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			warned := ""
			_, err := vdi.Open(newMemory(child), vdi.Options{Warn: func(err error) { warned += err.Error() }, OpenParent: func(_, _ wintype.GUID) (*vdi.Disk, error) {
				if c.b == nil {
					return nil, fs.ErrNotExist
				}
				return vdi.Open(newMemory(c.b), vdi.Options{})
			}})
			if !errors.Is(err, c.err) || err != nil && !strings.HasPrefix(err.Error(), "parent 01010101-0101-0101-0101-010101010101: ") {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if !strings.Contains(warned, c.warn) || (warned == "") != (c.warn == "") {
				t.Errorf("warned %q, want %q", warned, c.warn)
			}
		})
	}
	if _, err := vdi.Open(newMemory(child), vdi.Options{}); !errors.Is(err, layer.ErrUnsupported) {
		t.Errorf("error %v without an opener", err)
	}
}

func BenchmarkRead(b *testing.B) {
	image, _ := converted(b, layertest.Mixed(3*mib, 256*mib, 8), "static=off")
	d := open(b, layertest.Open(b, image))
	for _, random := range []bool{false, true} {
		b.Run(fmt.Sprintf("random=%v", random), func(b *testing.B) {
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
