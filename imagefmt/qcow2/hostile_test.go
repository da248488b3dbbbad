package qcow2_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/qcow2"
)

// small makes a version 3 image by hand: 512-byte clusters, a disk of two L2 tables (64 KiB), the second absent.
// Clusters of the file: 0 header, 1 L1 table, 2 L2 table, 3 data of disk cluster 1, and 4, all 0xbb.
func small() []byte {
	be := binary.BigEndian
	b := make([]byte, 5*512)
	copy(b, "QFI\xfb")
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], 9)
	be.PutUint64(b[24:], 64<<10)
	be.PutUint32(b[36:], 2)
	be.PutUint64(b[40:], 512)
	be.PutUint32(b[96:], 4)
	be.PutUint32(b[100:], 104)
	be.PutUint64(b[512:], 1<<63|1024)
	be.PutUint64(b[1024+8:], 1<<63|1536)
	copy(b[1536:], bytes.Repeat([]byte{0xaa}, 512))
	copy(b[2048:], bytes.Repeat([]byte{0xbb}, 512))
	return b
}

func TestSmall(t *testing.T) {
	want := make([]byte, 64<<10)
	copy(want[512:], bytes.Repeat([]byte{0xaa}, 512))
	d, err := qcow2.Open(bytes.NewReader(small()), format.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Size() != int64(len(want)) {
		t.Fatalf("size %d", d.Size())
	}
	got := make([]byte, len(want))
	if err := layer.ReadFull(d, got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, or other bytes", err)
	}
}

func TestRefused(t *testing.T) {
	feature := func(bit int) imagetest.Edit { return imagetest.PutBE64(72, 1<<bit) }
	named := func(b []byte) []byte { // a table that names bit 9
		b = feature(9)(b)
		imagetest.PutBE32(104, 0x6803f857)(b)
		imagetest.PutBE32(108, 48)(b)
		b[113] = 9
		copy(b[114:], "moon phase")
		return b
	}
	backed := func(name string) imagetest.Edit {
		return func(b []byte) []byte {
			imagetest.PutBE64(8, 300)(b)
			imagetest.PutBE32(16, uint32(len(name)))(b)
			copy(b[300:], name)
			return b
		}
	}
	for _, c := range []struct {
		name string
		edit imagetest.Edit
		kind error
		text string
	}{
		{"empty", func(b []byte) []byte { return nil }, layer.ErrFormat, "magic"},
		{"other magic", imagetest.PutBE32(0, 0x51464900), layer.ErrFormat, "magic"},
		{"magic only", func(b []byte) []byte { return b[:4] }, layer.ErrCorrupt, "4 bytes"},
		{"v2 header cut", func(b []byte) []byte { return imagetest.PutBE32(4, 2)(b)[:71] }, layer.ErrCorrupt, "71 bytes"},
		{"v3 header cut", func(b []byte) []byte { return b[:103] }, layer.ErrCorrupt, "103 bytes"},
		{"qcow 1", imagetest.PutBE32(4, 1), layer.ErrUnsupported, "version 1"},
		{"version 4", imagetest.PutBE32(4, 4), layer.ErrUnsupported, "version 4"},
		{"clusters of 2^8", imagetest.PutBE32(20, 8), layer.ErrCorrupt, "2^8"},
		{"clusters of 2^30", imagetest.PutBE32(20, 30), layer.ErrCorrupt, "2^30"},
		{"clusters of 2^40", imagetest.PutBE32(20, 40), layer.ErrCorrupt, "2^40"},
		{"clusters of 2^63", imagetest.PutBE32(20, 63), layer.ErrCorrupt, "2^63"},
		{"negative size", imagetest.PutBE64(24, 1<<63), layer.ErrCorrupt, "0x8000000000000000"},
		{"size over 2^56", imagetest.PutBE64(24, 1<<56+1), layer.ErrCorrupt, "2^56"},
		{"size asks for more L1", imagetest.PutBE64(24, 1<<40), layer.ErrCorrupt, "2 entries, want 33554432"},
		{"L1 count", func(b []byte) []byte { return imagetest.PutBE64(24, 1<<40)(imagetest.PutBE32(36, 0x7fffffff)(b)) }, layer.ErrUnsupported, "L1 table"},
		{"L1 outside", imagetest.PutBE64(40, 5*512), layer.ErrCorrupt, "L1 table of 16 bytes"},
		{"L1 offset huge", imagetest.PutBE64(40, 1<<63), layer.ErrCorrupt, "L1 table"},
		{"L1 offset -8", imagetest.PutBE64(40, ^uint64(7)), layer.ErrCorrupt, "L1 table"},
		{"header length", imagetest.PutBE32(100, 103), layer.ErrCorrupt, "header of 103"},
		{"header length huge", imagetest.PutBE32(100, 0xfffffff8), layer.ErrCorrupt, "header of"},
		{"AES", imagetest.PutBE32(32, 1), layer.ErrUnsupported, "AES"},
		{"LUKS", imagetest.PutBE32(32, 2), layer.ErrUnsupported, "LUKS"},
		{"crypt 3", imagetest.PutBE32(32, 3), layer.ErrUnsupported, "method 3"},
		{"external data", feature(2), layer.ErrUnsupported, "external data file"},
		{"extended L2 needs 2^14", func(b []byte) []byte { return imagetest.PutBE32(36, 9)(feature(4)(b)) }, layer.ErrCorrupt, "2^14"},
		{"bit 5", feature(5), layer.ErrUnsupported, "bit 5"},
		{"bit 63", feature(63), layer.ErrUnsupported, "bit 63"},
		{"named bit", named, layer.ErrUnsupported, `bit 9 ("moon phase")`},
		{"compression 2", func(b []byte) []byte {
			b = imagetest.PutBE32(100, 112)(feature(3)(b))
			b[104] = 2
			return b
		}, layer.ErrUnsupported, "compression type 2"},
		{"compression without bit", func(b []byte) []byte { b = imagetest.PutBE32(100, 112)(b); b[104] = 1; return b }, layer.ErrCorrupt, "compression type 1"},
		{"extension too long", func(b []byte) []byte { imagetest.PutBE32(104, 7)(b); return imagetest.PutBE32(108, 401)(b) }, layer.ErrCorrupt, "header extension at 0x68"},
		{"extension of 2^32-1", func(b []byte) []byte { imagetest.PutBE32(104, 7)(b); return imagetest.PutBE32(108, 0xffffffff)(b) }, layer.ErrCorrupt, "header extension"},
		{"backing name outside", func(b []byte) []byte { imagetest.PutBE64(8, 512-3)(b); return imagetest.PutBE32(16, 4)(b) }, layer.ErrCorrupt, "backing file name"},
		{"backing name offset huge", func(b []byte) []byte { imagetest.PutBE64(8, 1<<63)(b); return imagetest.PutBE32(16, 4)(b) }, layer.ErrCorrupt, "backing file name"},
		{"backing name long", func(b []byte) []byte { imagetest.PutBE64(8, 200)(b); return imagetest.PutBE32(16, 1024)(b) }, layer.ErrCorrupt, "1024 bytes"},
		{"backing without opener", backed("/etc/passwd"), layer.ErrUnsupported, `"/etc/passwd"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := qcow2.Open(bytes.NewReader(c.edit(small())), format.Env{})
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q of kind %q", err, c.text, c.kind)
			}
		})
	}
}

// backing is what a function gives for a backing file.
type backing struct {
	imagetest.Files
	open func(name, kind string) (*format.Disk, error)
}

func (b backing) Backing(name, kind string) (*format.Disk, error) { return b.open(name, kind) }

func TestBackingRequest(t *testing.T) {
	b := small()
	imagetest.PutBE64(8, 300)(b)
	imagetest.PutBE32(16, 9)(b)
	copy(b[300:], "base.img\x00and more")
	imagetest.PutBE32(104, 0xe2792aca)(b)
	imagetest.PutBE32(108, 3)(b)
	copy(b[112:], "raw")
	failed := errors.New("not there")
	_, err := qcow2.Open(bytes.NewReader(b), format.Env{Files: backing{open: func(name, kind string) (*format.Disk, error) {
		if name != "base.img\x00" || kind != "raw" {
			t.Errorf("asked for %q of format %q", name, kind)
		}
		return nil, failed
	}}})
	if !errors.Is(err, failed) {
		t.Errorf("error %v, want the opener's", err)
	}
}

func TestCorruptBitWarns(t *testing.T) {
	var warned []error
	_, err := qcow2.Open(bytes.NewReader(imagetest.PutBE64(72, 3)(small())), format.Env{Warn: func(err error) { warned = append(warned, err) }})
	if err != nil || len(warned) != 1 {
		t.Errorf("error %v, warnings %v, want one warning", err, warned)
	}
}

// TestDamageIsLocal breaks one table or cluster at a time: its range is an error, all other ranges still read.
func TestDamageIsLocal(t *testing.T) {
	const l2Span = 32 << 10
	for _, c := range []struct {
		name     string
		edit     imagetest.Edit
		off, n   int64 // the range that must be an error
		text     string
		elseSame bool
	}{
		{"L2 unaligned", imagetest.PutBE64(512, 1024+8), 0, l2Span, "L1 entry at 0x200", false},
		{"L2 not on a cluster's border, reserved bit", imagetest.PutBE64(512, 1<<56|1024), 0, l2Span, "L1 entry", false},
		{"L2 outside", imagetest.PutBE64(520, 1<<55), l2Span, l2Span, "in a missing part", true},
		{"L2 cut", imagetest.PutBE64(520, 5*512), l2Span, l2Span, "in a missing part", true},
		{"cluster outside", imagetest.PutBE64(1024+16, 1<<40), 1024, 512, "in a missing part", true},
		{"cluster cut", func(b []byte) []byte { return imagetest.PutBE64(1024+16, 2048)(b)[:2100] }, 1024 + 52, 512 - 52, "in a missing part", false},
		{"reserved bit", imagetest.PutBE64(1024+16, 1<<61|2048), 1024, 512, "L2 entry at 0x410", true},
		{"reserved low bit", imagetest.PutBE64(1024+16, 2|2048), 1024, 512, "L2 entry at 0x410", true},
		{"compressed outside", imagetest.PutBE64(1024+16, 1<<62|1<<50), 1024, 512, "in a missing part", true},
		{"compressed and copied", imagetest.PutBE64(1024+16, 3<<62|2048), 1024, 512, "compressed cluster at 0x800", true},
		{"compressed junk", imagetest.PutBE64(1024+16, 1<<62|2048), 1024, 512, "compressed cluster at 0x800", true},
		{"zero flag in version 2", func(b []byte) []byte { return imagetest.PutBE32(4, 2)(imagetest.PutBE64(1024+16, 1)(b)) }, 1024, 512, "L2 entry at 0x410", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := qcow2.Open(bytes.NewReader(c.edit(small())), format.Env{})
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 1)
			for off := int64(0); off < d.Size(); off += 4 {
				_, err := d.ReadAt(p, off)
				bad := off >= c.off && off < c.off+c.n
				if bad != (err != nil) {
					t.Fatalf("reading at %d: error %v, want one: %v", off, err, bad)
				}
				if bad && (!imagetest.Lost(err) || !strings.Contains(err.Error(), c.text)) {
					t.Fatalf("error %v, want %q", err, c.text)
				}
				if !bad && c.elseSame && (p[0] == 0xaa) != (off >= 512 && off < 1024) {
					t.Fatalf("byte 0x%x at %d", p[0], off)
				}
			}
		})
	}
}

func TestZeroCluster(t *testing.T) {
	// A preallocated zero cluster hides the data that its entry points to.
	d, err := qcow2.Open(bytes.NewReader(imagetest.PutBE64(1024+8, 1<<63|1536|1)(small())), format.Env{})
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 2048)
	if err := layer.ReadFull(d, p, 0); err != nil || !bytes.Equal(p, make([]byte, 2048)) {
		t.Errorf("%v, or not zeros", err)
	}
}

// TestSubclusterDamage checks the rules of an extended entry's bitmap.
func TestSubclusterDamage(t *testing.T) {
	image := func(entry, bitmap uint64) []byte {
		b := make([]byte, 4<<14)
		copy(b, small()[:512])
		imagetest.PutBE32(20, 14)(b)
		imagetest.PutBE64(72, 16)(b)
		imagetest.PutBE32(36, 1)(b)
		imagetest.PutBE64(40, 1<<14)(b)
		imagetest.PutBE64(1<<14, 2<<14)(b)
		imagetest.PutBE64(2<<14, entry)(b)
		imagetest.PutBE64(2<<14+8, bitmap)(b)
		copy(b[3<<14:], bytes.Repeat([]byte{0xcc}, 1<<14))
		return b
	}
	for _, c := range []struct {
		name          string
		entry, bitmap uint64
		ok            bool
	}{
		{"every kind", 3 << 14, 0x0000_00f0_f000_000f, true},
		{"both", 3 << 14, 0x0000_0001_0000_0001, false},
		{"allocated nowhere", 0, 1, false},
		{"zero nowhere", 0, 1 << 32, true},
		{"zero flag of plain entries", 3<<14 | 1, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := qcow2.Open(bytes.NewReader(image(c.entry, c.bitmap)), format.Env{})
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 1)
			for off := int64(0); off < 1<<14; off += 256 {
				_, err := d.ReadAt(p, off)
				if (err == nil) != c.ok {
					t.Fatalf("at %d: %v", off, err)
				}
				if alloc := c.bitmap>>(off/512)&1 != 0; c.ok && alloc != (p[0] == 0xcc) {
					t.Errorf("byte 0x%x at %d, allocated: %v", p[0], off, alloc)
				}
			}
			if _, err := d.ReadAt(p, 1<<14); err != nil {
				t.Errorf("the next cluster: %v", err)
			}
		})
	}
}

// TestTablesNamedAgain refuses a file of 37 clusters whose L1 table names one L2 table 2,048 times: it would stand for any
// amount of data. As many different ones, which a file that was cut short has lost, only cannot be read.
func TestTablesNamedAgain(t *testing.T) {
	const tables = 2048
	image := func(entry func(i int) uint64) []byte {
		b := append(small(), make([]byte, tables*8)...)
		imagetest.PutBE64(24, tables<<15)(b)
		imagetest.PutBE32(36, tables)(b)
		imagetest.PutBE64(40, 5*512)(b)
		for i := range tables {
			imagetest.PutBE64(5*512+8*i, entry(i))(b)
		}
		return b
	}
	_, err := qcow2.Open(bytes.NewReader(image(func(int) uint64 { return 1<<63 | 1024 })), format.Env{})
	if !errors.Is(err, layer.ErrCorrupt) || !strings.Contains(err.Error(), "2048 L2 tables") {
		t.Errorf("one table: %v", err)
	}
	d, err := qcow2.Open(bytes.NewReader(image(func(i int) uint64 { return uint64(1024 + i*64<<10) })), format.Env{})
	if err != nil {
		t.Fatalf("different tables: %v", err)
	}
	p := make([]byte, 512)
	if err := layer.ReadFull(d, p, 512); err != nil || p[0] != 0xaa {
		t.Errorf("the first table: %v, 0x%x", err, p[0])
	}
	if err := layer.ReadFull(d, p, 512+1<<15); !layer.IsMissing(err) {
		t.Errorf("the second table, which is lost: %v", err)
	}
}

// TestReadErrorsAreNotKept holds that what could not be read is asked for again.
func TestReadErrorsAreNotKept(t *testing.T) {
	src := &imagetest.Failing{Source: bytes.NewReader(small()), Off: 1024, Len: 5 * 512}
	d, err := qcow2.Open(src, format.Env{})
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 512)
	if _, err := d.ReadAt(p, 512); err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "bad sector") {
		t.Errorf("error %v, want the disk's own", err)
	}
	src.Mended.Store(true)
	if _, err := d.ReadAt(p, 512); err != nil || p[0] != 0xaa {
		t.Errorf("after the disk came back: %v, 0x%x", err, p[0])
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(small())
	f.Add(imagetest.PutBE64(1024+16, 1<<62|2048)(small()))
	f.Add(imagetest.PutBE64(72, 16)(imagetest.PutBE32(20, 14)(small())))
	f.Add(imagetest.PutBE32(4, 2)(small()))
	files := backing{Files: imagetest.Files{Get: imagetest.InMemory(nil)}, open: func(_, _ string) (*format.Disk, error) {
		return &format.Disk{Source: bytes.NewReader(make([]byte, 1000))}, nil
	}}
	f.Fuzz(func(t *testing.T, b []byte) {
		imagetest.Hostile(t, func() (*qcow2.Disk, error) { return qcow2.Open(bytes.NewReader(b), format.Env{Files: files}) })
	})
}
