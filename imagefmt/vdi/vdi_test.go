package vdi_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/vdi"
)

const mib = 1 << 20

func open(t testing.TB, src layer.Source) *vdi.Disk {
	t.Helper()
	d, err := vdi.Open(src, format.Env{Warn: func(err error) { t.Errorf("warning: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConverted(t *testing.T) {
	for _, options := range []string{"static=off", "static=on"} {
		t.Run(options, func(t *testing.T) {
			image := imagetest.Made(t, "vdi", options, layertest.Mixed(3*mib, 9*mib+7*512, 1))
			imagetest.Same(t, open(t, testenv.Open(t, image)), imagetest.Converted(t, "vdi", image), 2000)
			disk := layertest.Mixed(3*mib, mib-3*512, 2)
			layertest.Contract(t, open(t, testenv.Open(t, imagetest.Made(t, "vdi", options, disk))), disk)
		})
	}
}

func TestLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.vdi")
	testenv.Run(t, testenv.Peer(t, "qemu-img"), "create", "-f", "vdi", path, "30G")
	imagetest.QemuIO(t, "vdi", path, "write -P 1 29G 70k", "write -P 2 0 1k", "write -P 3 5000M 3M")
	d, want := open(t, testenv.Open(t, path)), imagetest.Converted(t, "vdi", path)
	imagetest.SameReads(t, d, want, 1, 2000)
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
		imagetest.Same(t, section, other, 2000)
	}
	if n != 6 {
		t.Errorf("%d extents, want data, zeros, data, zeros, data, zeros", n)
	}
}

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
	files := imagetest.Files{Format: vdi.Format, Warn: func(err error) { t.Errorf("warning: %v", err) }, Get: imagetest.InMemory(map[string][]byte{
		"base.vdi": base.bytes(), "middle.vdi": middle.bytes(), "top.vdi": top.bytes(),
	}), Beside: []string{"top.vdi", "middle.vdi", "base.vdi"}}
	want := base.disk(nil)
	layertest.Contract(t, open(t, bytes.NewReader(base.bytes())), want)
	for _, im := range []image{middle, top} {
		want = im.disk(want)
		d, err := vdi.Open(bytes.NewReader(im.bytes()), format.Env{Warn: files.Warn, Files: files})
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, d, want)
	}
}

// found are files of which the search gives one whatever is looked for.
type found struct{ imagetest.Files }

func (f found) Parent(l format.Lineage) (*format.Disk, error) {
	l.Names = f.Beside
	return f.Files.Parent(l)
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
			files := map[string][]byte{"base.vdi": c.b}
			if c.b == nil {
				clear(files)
			}
			warned := ""
			_, err := vdi.Open(bytes.NewReader(child), format.Env{
				Warn:  func(err error) { warned += err.Error() },
				Files: found{imagetest.Files{Format: vdi.Format, Get: imagetest.InMemory(files), Beside: []string{"base.vdi"}}},
			})
			if !errors.Is(err, c.err) || err != nil && !strings.HasPrefix(err.Error(), `parent "base.vdi": `) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if !strings.Contains(warned, c.warn) || (warned == "") != (c.warn == "") {
				t.Errorf("warned %q, want %q", warned, c.warn)
			}
		})
	}
	none := imagetest.Files{Format: vdi.Format, Get: imagetest.InMemory(map[string][]byte{"other.vdi": other.bytes()}), Beside: []string{"other.vdi"}}
	if _, err := vdi.Open(bytes.NewReader(child), format.Env{Files: none}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "parent 01010101-0101-0101-0101-010101010101: ") {
		t.Errorf("error %v, want one of no file", err)
	}
	if _, err := vdi.Open(bytes.NewReader(child), format.Env{}); !errors.Is(err, layer.ErrUnsupported) {
		t.Errorf("error %v without an opener", err)
	}
}

func BenchmarkRead(b *testing.B) {
	image := imagetest.Made(b, "vdi", "static=off", layertest.Mixed(3*mib, 256*mib, 8))
	d := open(b, testenv.Open(b, image))
	imagetest.Reads(b, "", d)
}
