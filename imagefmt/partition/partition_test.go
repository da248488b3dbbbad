package partition_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"snapmount/imagefmt/partition"
	"snapmount/imagefmt/wintype"
)

// disk is a sparse disk in memory: what is not in its sectors is zeros.
type disk struct {
	size    int64
	sectors map[int64][]byte // 512 bytes each, by number
	bad     int64            // a sector that cannot be read; 0 for none
}

func newDisk(size int64) *disk { return &disk{size: size, sectors: make(map[int64][]byte)} }

func (d *disk) Size() int64 { return d.size }

func (d *disk) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off >= d.size {
		return 0, io.EOF
	}
	end := min(int64(len(p)), d.size-off)
	for int64(n) < end {
		at := off + int64(n)
		if d.bad != 0 && at/512 == d.bad {
			return n, errors.New("input/output error")
		}
		k := min(end-int64(n), 512-at%512)
		clear(p[n:][:k])
		if s := d.sectors[at/512]; s != nil {
			copy(p[n:][:k], s[at%512:])
		}
		n += int(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *disk) put(off int64, b []byte) {
	for i, c := range b {
		at := off + int64(i)
		if d.sectors[at/512] == nil {
			d.sectors[at/512] = make([]byte, 512)
		}
		d.sectors[at/512][at%512] = c
	}
}

// boot writes an NTFS boot sector.
func (d *disk) boot(off int64) {
	b := make([]byte, 512)
	copy(b[3:], "NTFS    ")
	b[510], b[511] = 0x55, 0xaa
	d.put(off, b)
}

type entry struct {
	status, kind byte
	start, count uint32
}

// mbr writes a boot record at off.
func (d *disk) mbr(off int64, entries ...entry) {
	b := make([]byte, 512)
	binary.LittleEndian.PutUint32(b[440:], 0xa1b2c3d4)
	for i, e := range entries {
		at := b[446+16*i:]
		at[0], at[4] = e.status, e.kind
		binary.LittleEndian.PutUint32(at[8:], e.start)
		binary.LittleEndian.PutUint32(at[12:], e.count)
	}
	b[510], b[511] = 0x55, 0xaa
	d.put(off, b)
}

type gptPart struct {
	index       int
	kind        string
	first, last uint64
	name        string
}

// gpt writes a table and its backup, as edit changes each header before its checksum is made.
func (d *disk) gpt(sector int64, entryLen int, edit func(h []byte), parts ...gptPart) {
	le := binary.LittleEndian
	array := make([]byte, 128*entryLen)
	for _, p := range parts {
		e := array[p.index*entryLen:]
		kind, _ := wintype.ParseGUID(p.kind)
		copy(e, kind[:])
		e[16] = byte(p.index) + 1
		le.PutUint64(e[32:], p.first)
		le.PutUint64(e[40:], p.last)
		for i, c := range utf16.Encode([]rune(p.name)) {
			le.PutUint16(e[56+2*i:], c)
		}
	}
	last := d.size/sector - 1
	arraySectors := int64(len(array)) / sector
	for _, at := range []struct{ here, other, array int64 }{{1, last, 2}, {last, 1, last - arraySectors}} {
		h := make([]byte, sector)
		copy(h, "EFI PART")
		le.PutUint32(h[8:], 0x10000)
		le.PutUint32(h[12:], 92)
		le.PutUint64(h[24:], uint64(at.here))
		le.PutUint64(h[32:], uint64(at.other))
		h[56] = 0xd1
		le.PutUint64(h[72:], uint64(at.array))
		le.PutUint32(h[80:], 128)
		le.PutUint32(h[84:], uint32(entryLen))
		le.PutUint32(h[88:], crc32.ChecksumIEEE(array))
		if edit != nil {
			edit(h)
		}
		le.PutUint32(h[16:], 0)
		le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
		d.put(at.here*sector, h)
		d.put(at.array*sector, array)
	}
}

const (
	basic = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"
	efi   = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	mib   = 1 << 20
)

var protective = entry{kind: 0xee, start: 1, count: 0xffffffff}

// lines writes a table so that it can be compared.
func lines(t *partition.Table) string {
	out := []string{fmt.Sprintf("%s %d", t.Scheme, t.SectorSize)}
	for _, p := range t.Partitions {
		out = append(out, fmt.Sprintf("%d: %d+%d %s %q", p.Number, p.Off, p.Len, p.Type, p.Name))
	}
	return strings.Join(out, "; ")
}

func TestList(t *testing.T) {
	parts := []gptPart{{0, efi, 2048, 4095, "EFI"}, {2, basic, 4096, 8191, "Basic data partition"}}
	twoParts := `gpt 512; 1: 1048576+1048576 EFI system "EFI"; 3: 2097152+2097152 Microsoft basic data "Basic data partition"`
	hurt := func(d *disk, off int64) { d.put(off, []byte{0x99}) }
	for _, c := range []struct {
		name string
		make func() *disk
		want string
		warn string // of all warnings joined; "" for none
	}{
		{"gpt", func() *disk { d := newDisk(8 * mib); d.mbr(0, protective); d.gpt(512, 128, nil, parts...); return d }, twoParts, ""},
		{"gpt, entries of 256", func() *disk { d := newDisk(8 * mib); d.mbr(0, protective); d.gpt(512, 256, nil, parts...); return d }, twoParts, ""},
		{"gpt, 4096", func() *disk {
			d := newDisk(64 * mib)
			d.mbr(0, protective)
			d.gpt(4096, 128, nil, parts...)
			return d
		}, `gpt 4096; 1: 8388608+8388608 EFI system "EFI"; 3: 16777216+16777216 Microsoft basic data "Basic data partition"`, ""},
		{"gpt, 4096, primary header hurt", func() *disk {
			d := newDisk(64 * mib)
			d.mbr(0, protective)
			d.gpt(4096, 128, nil, gptPart{0, basic, 1024, 2047, "x"})
			hurt(d, 4096+8)
			return d
		}, `gpt 4096; 1: 4194304+4194304 Microsoft basic data "x"`, "checksum"},
		{"gpt, hybrid", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, entry{0, 0xee, 1, 2047}, entry{0x80, 7, 4096, 4096})
			d.gpt(512, 128, nil, parts...)
			return d
		}, twoParts, ""},
		{"gpt, no MBR", func() *disk { d := newDisk(8 * mib); d.gpt(512, 128, nil, parts...); return d }, twoParts, "no protective MBR"},
		{"gpt, primary magic gone", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, protective)
			d.gpt(512, 128, nil, parts...)
			hurt(d, 512)
			return d
		}, twoParts, "backup at 0x7ffe00"},
		{"gpt, primary and MBR gone", func() *disk {
			d := newDisk(8 * mib)
			d.gpt(512, 128, nil, parts...)
			hurt(d, 512)
			return d
		}, twoParts, "backup"},
		{"gpt, primary entries hurt", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, protective)
			d.gpt(512, 128, nil, parts...)
			hurt(d, 1024+3*128)
			return d
		}, twoParts, "GPT entries at 0x400: checksum"},
		{"gpt, image longer than disk, entries hurt", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, protective)
			d.gpt(512, 128, nil, parts...)
			hurt(d, 1024)
			d.size += 3 * mib // the backup is where the header says, not at the end
			return d
		}, twoParts, "backup at 0x7ffe00"},
		{"gpt, primary cannot be read", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, protective)
			d.gpt(512, 128, nil, parts...)
			d.bad = 1
			return d
		}, twoParts, "input/output error"},
		{"gpt, image cut", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, protective)
			d.gpt(512, 128, nil, parts...)
			d.size = 3 * mib
			return d
		}, twoParts, "partition 3: ends at 0x400000, past the end of the disk at 0x300000"},
		{"gpt, not a range", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, protective)
			d.gpt(512, 128, nil, gptPart{0, efi, 9, 8, ""}, gptPart{1, efi, 0, 1 << 63, ""}, gptPart{2, basic, 2048, 4095, "ok"})
			return d
		}, `gpt 512; 3: 1048576+1048576 Microsoft basic data "ok"`, "partition 1: GPT entry at 0x400: blocks 0x9 to 0x8 are not a range: not listed; partition 2"},
		{"mbr over an old gpt", func() *disk {
			d := newDisk(8 * mib)
			d.gpt(512, 128, nil, parts...)
			d.mbr(0, entry{0x80, 7, 2048, 2048})
			return d
		}, `mbr 512; 1: 1048576+1048576 NTFS, exFAT or HPFS ""`, "the MBR counts"},
		{"mbr over an old backup", func() *disk {
			d := newDisk(8 * mib)
			d.gpt(512, 128, nil, parts...)
			hurt(d, 512)
			d.mbr(0, entry{0x80, 7, 2048, 2048})
			return d
		}, `mbr 512; 1: 1048576+1048576 NTFS, exFAT or HPFS ""`, ""},
		{"mbr", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, entry{0, 0x42, 2048, 1}, entry{}, entry{0x80, 7, 4096, 100}, entry{0, 0x99, 8192, 2})
			return d
		}, `mbr 512; 1: 1048576+512 Microsoft LDM ""; 3: 2097152+51200 NTFS, exFAT or HPFS ""; 4: 4194304+1024  ""`, "private header at 0xc00: not there"},
		{"mbr, overlap", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, entry{0, 7, 4096, 4096}, entry{0, 7, 2048, 2049})
			return d
		}, `mbr 512; 1: 2097152+2097152 NTFS, exFAT or HPFS ""; 2: 1048576+1049088 NTFS, exFAT or HPFS ""`, "partition 1: overlaps partition 2"},
		{"mbr, no sectors", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, entry{0, 7, 4096, 0}, entry{0, 7, 2048, 1})
			return d
		}, `mbr 512; 2: 1048576+512 NTFS, exFAT or HPFS ""`, "partition 1 of type 0x07 has no sectors"},
		{"mbr, 4096", func() *disk {
			d := newDisk(64 * mib)
			d.mbr(0, entry{0, 7, 256, 1024}, entry{0, 7, 3000, 1024})
			d.boot(256 * 4096)
			return d
		}, `mbr 4096; 1: 1048576+4194304 NTFS, exFAT or HPFS ""; 2: 12288000+4194304 NTFS, exFAT or HPFS ""`, ""},
		{"mbr, 4096, extended", func() *disk {
			d := newDisk(64 * mib)
			d.mbr(0, entry{0, 0x0f, 256, 2048})
			d.mbr(256*4096, entry{0, 7, 16, 1024})
			return d
		}, `mbr 4096; 5: 1114112+4194304 NTFS, exFAT or HPFS ""`, ""},
		{"mbr, both sizes", func() *disk { // a file of sectors looks like a boot sector somewhere: 512 stays
			d := newDisk(64 * mib)
			d.mbr(0, entry{0, 7, 256, 1024})
			d.boot(256 * 512)
			d.boot(256 * 4096)
			return d
		}, `mbr 512; 1: 131072+524288 NTFS, exFAT or HPFS ""`, ""},
		{"bare NTFS", func() *disk { d := newDisk(mib); d.boot(0); return d }, `none 512; 0: 0+1048576 ntfs ""`, ""},
		{"bare NTFS, boot sector lost", func() *disk { d := newDisk(mib); d.boot(mib - 512); return d }, `none 512; 0: 0+1048576 ntfs ""`, "its copy"},
		{"bare NTFS, sectors of 4096", func() *disk { d := newDisk(mib); d.boot(mib - 4096); return d }, `none 512; 0: 0+1048576 ntfs ""`, "its copy"},
		{"disk that ends in an NTFS partition", func() *disk {
			d := newDisk(mib)
			d.mbr(0, entry{0, 7, 1024, 1024})
			d.boot(mib - 512)
			return d
		}, `mbr 512; 1: 524288+524288 NTFS, exFAT or HPFS ""`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := partition.List(c.make())
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(table); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			var warned []string
			for _, w := range table.Warnings {
				warned = append(warned, w.Error())
			}
			if all := strings.Join(warned, "; "); (all == "") != (c.warn == "") || !strings.Contains(all, c.warn) {
				t.Errorf("warned %q, want %q", all, c.warn)
			}
		})
	}
}

func TestFields(t *testing.T) {
	d := newDisk(8 * mib)
	d.mbr(0, protective)
	d.gpt(512, 128, nil, gptPart{4, basic, 2048, 4095, "Datenträger 36 Zeichen lang, bis voll"[:36]})
	table, err := partition.List(d)
	if err != nil {
		t.Fatal(err)
	}
	p := table.Partitions[0]
	if table.ID[0] != 0xd1 || p.ID[0] != 5 || p.TypeID != basic || p.Number != 5 || p.Active || len(p.Name) != 36 {
		t.Errorf("table id %v, partition %+v", table.ID, p)
	}
	d = newDisk(8 * mib)
	d.mbr(0, entry{0x80, 0x27, 2048, 2048})
	if table, err = partition.List(d); err != nil {
		t.Fatal(err)
	}
	p = table.Partitions[0]
	if table.Signature != 0xa1b2c3d4 || p.TypeID != "0x27" || p.Type != "Windows recovery" || !p.Active {
		t.Errorf("signature 0x%x, partition %+v", table.Signature, p)
	}
}
