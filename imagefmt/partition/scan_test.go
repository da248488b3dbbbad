package partition_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/partition"
)

// reads counts how often a disk is read.
type reads struct {
	layer.Source
	n int
}

func (r *reads) ReadAt(p []byte, off int64) (int, error) { r.n++; return r.Source.ReadAt(p, off) }

func foundLines(list []partition.Found) string {
	var out []string
	for _, f := range list {
		line := fmt.Sprintf("%s %d+%d", f.Kind, f.Off, f.Len)
		for _, w := range []struct {
			is   bool
			word string
		}{{f.Sound, "sound"}, {f.BothEnds(), "both"}, {!f.Sized, "unsized"}, {f.Outer >= 0, fmt.Sprint("in ", f.Outer)}} {
			if w.is {
				line += " " + w.word
			}
		}
		out = append(out, strings.TrimSpace(line))
	}
	return strings.Join(out, "; ")
}

// bitLocker writes the boot sector of an encrypted volume and its metadata blocks; size 0 for one that is not encrypted
// to its end.
func (d *disk) bitLocker(off, size int64) {
	b := make([]byte, 512)
	copy(b, "\xeb\x58\x90-FVE-FS-\x00\x02\x08")
	copy(b[160:], "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01")
	b[510], b[511] = 0x55, 0xaa
	for i := range int64(3) {
		at := (i + 1) * 65536
		binary.LittleEndian.PutUint64(b[176+8*i:], uint64(at))
		block := make([]byte, 64)
		copy(block, "-FVE-FS-\x00\x00\x02\x00\x05")
		if size > 0 {
			block[12] = 4
			binary.LittleEndian.PutUint64(block[16:], uint64(size))
		}
		d.put(off+at, block)
	}
	d.put(off, b)
}

// metadata writes the metadata blocks of an encrypted volume, with their checksums, but for those that are lost.
func (d *disk) metadata(off, size int64, lost ...int) {
	b := make([]byte, 64+48)
	copy(b, "-FVE-FS-\x07\x00\x02\x00\x04\x00\x04")
	binary.LittleEndian.PutUint64(b[16:], uint64(size))
	for i := range 3 {
		binary.LittleEndian.PutUint64(b[32+8*i:], uint64(metadataPlaces[i]))
	}
	for i, n := range []uint32{48, 1, 48, 48} {
		binary.LittleEndian.PutUint32(b[64+4*i:], n)
	}
	b = append(b, "\x90\xff\x02\x00"...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[:64+48]))
	for i, place := range metadataPlaces {
		if !slices.Contains(lost, i) {
			d.put(off+place, b)
		}
	}
}

var metadataPlaces = [3]int64{2*mib + 0x95000, 3*mib + 0x1d000, 5*mib + 0x3a000}

// TestScan finds volumes at any sector, whatever is left of their ends.
func TestScan(t *testing.T) {
	const odd = 3*mib + 512*77
	for _, c := range []struct {
		name, want string
		edit       func(d *disk)
	}{
		{"nothing", "", func(*disk) {}},
		{"at an odd sector", fmt.Sprintf("ntfs %d+%d sound both", odd, 4*mib), func(d *disk) { d.ntfs(odd, 4*mib, 512) }},
		{"sectors of 4096", fmt.Sprintf("ntfs %d+%d sound both", odd, 4*mib), func(d *disk) { d.ntfs(odd, 4*mib, 4096); d.vss(odd) }},
		{"by its copy", fmt.Sprintf("ntfs %d+%d sound", odd, 4*mib), func(d *disk) { d.ntfs(odd, 4*mib, 512, "boot") }},
		{"by its copy and the mirror", fmt.Sprintf("ntfs %d+%d sound", odd, 4*mib), func(d *disk) { d.ntfs(odd, 4*mib, 512, "boot", "table"); d.vss(odd) }},
		{"by its boot sector, cut", fmt.Sprintf("ntfs %d+%d sound", 30*mib, 8*mib), func(d *disk) { d.ntfs(30*mib, 8*mib, 512) }},
		{"one behind the other", fmt.Sprintf("ntfs %d+%d sound both; ntfs %d+%d sound both", mib, 4*mib, 5*mib, 4*mib), func(d *disk) {
			d.ntfs(mib, 4*mib, 512)
			d.ntfs(5*mib, 4*mib, 512)
		}},
		{"boot sector alone", fmt.Sprintf("ntfs %d+%d", mib, 4*mib), func(d *disk) { d.ntfs(mib, 4*mib, 512, "copy", "table", "mirror") }},
		{"both ends, and no table", fmt.Sprintf("ntfs %d+%d both", mib, 4*mib), func(d *disk) { d.ntfs(mib, 4*mib, 512, "table", "mirror") }},
		{"VSS header alone", fmt.Sprintf("%d+%d unsized; ntfs %d+%d sound both", mib, 9*mib, 10*mib, 4*mib), func(d *disk) { d.vss(mib); d.ntfs(10*mib, 4*mib, 512) }},
		{"what VSS copied of a volume", fmt.Sprintf("ntfs %d+%d sound both; ntfs %d+%d sound in %d", mib, 4*mib, 3*mib, 4*mib, mib), func(d *disk) {
			d.ntfs(mib, 4*mib, 512)
			d.ntfs(3*mib, 4*mib, 512, "copy")
			d.vss(3 * mib)
		}},
		{"image in a file", fmt.Sprintf("ntfs %d+%d sound both; ntfs %d+%d sound both in %d", mib, 20*mib, 3*mib, 4*mib, mib), func(d *disk) {
			d.ntfs(mib, 20*mib, 512)
			d.ntfs(3*mib, 4*mib, 512)
		}},
		{"BitLocker", fmt.Sprintf("bitlocker %d+%d sound", mib, 8*mib), func(d *disk) { d.bitLocker(mib, 8*mib) }},
		{"BitLocker not to its end", fmt.Sprintf("bitlocker %d+%d sound unsized", mib, 31*mib), func(d *disk) { d.bitLocker(mib, 0) }},
		{"BitLocker by its metadata", fmt.Sprintf("bitlocker %d+%d sound", odd, 8*mib), func(d *disk) { d.metadata(odd, 8*mib) }},
		{"BitLocker by two copies", fmt.Sprintf("bitlocker %d+%d sound", odd, 8*mib), func(d *disk) { d.metadata(odd, 8*mib, 1) }},
		{"BitLocker by the first copy", fmt.Sprintf("bitlocker 0+%d sound", 8*mib), func(d *disk) { d.metadata(0, 8*mib, 1, 2) }},
		{"BitLocker by the last copy", fmt.Sprintf("bitlocker %d+%d", mib, 8*mib), func(d *disk) { d.metadata(mib, 8*mib, 0, 1) }},
		{"BitLocker behind another, by metadata alone", fmt.Sprintf("bitlocker %d+%d sound; bitlocker %d+%d sound", mib, 8*mib, 9*mib, 8*mib), func(d *disk) {
			d.metadata(mib, 8*mib)
			d.metadata(9*mib, 8*mib)
		}},
		{"no metadata of BitLocker: the checksum is wrong", "", func(d *disk) {
			d.metadata(mib, 8*mib, 1, 2)
			d.put(mib+metadataPlaces[0]+100, []byte{1})
		}},
		{"FAT32 by its copy, exFAT", fmt.Sprintf("fat32 %d+%d sound; exfat %d+%d sound", mib, 4*mib, 8*mib, 4*mib), func(d *disk) {
			b, table := fatBoot("FAT32   ", 4*mib/512)
			d.put(mib+6*512, b)
			d.put(mib+table, []byte("\xf8\xff\xff\x0f"))
			d.put(8*mib, exFATBoot(4*mib/512))
			d.put(9*mib, []byte("\xf8\xff\xff\xff"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk(32 * mib)
			c.edit(d)
			m, err := layer.Section(d, 0, d.size)
			if err != nil {
				t.Fatal(err)
			}
			s, err := partition.ScanAll(t.Context(), m, nil)
			if err != nil || !s.Complete || len(s.Unread) > 0 {
				t.Fatalf("%+v, %v", s, err)
			}
			if got := foundLines(s.Found); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestScanEncrypted finds a volume of BitLocker that has lost its first MiB, at an odd sector of a disk.
func TestScanEncrypted(t *testing.T) {
	dir := t.TempDir()
	testenv.Unpack(t, testenv.Shared(t, "data", "bitlocker", "syn-xts256.img.xz"), dir)
	volume, err := os.ReadFile(filepath.Join(dir, "syn-xts256.img"))
	if err != nil {
		t.Fatal(err)
	}
	const start = mib + 77*512
	disk := append(make([]byte, start), volume...)
	clear(disk[start:][:mib])
	m, err := layer.Section(bytes.NewReader(disk), 0, int64(len(disk)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := partition.ScanAll(t.Context(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := foundLines(s.Found), fmt.Sprintf("bitlocker %d+%d sound", start, len(volume)); got != want || len(s.Found[0].Marks) != 3 {
		t.Errorf("got  %s, marks %v\nwant %s", got, s.Found[0].Marks, want)
	}
}

func TestScanUnread(t *testing.T) {
	d := newDisk(32 * mib)
	d.ntfs(4*mib+512, 8*mib, 512)
	d.bad = 9 // the first 8 are no part of it
	m, err := layer.Section(d, 0, d.size)
	if err != nil {
		t.Fatal(err)
	}
	s, err := partition.ScanAll(t.Context(), m, nil)
	if err != nil || len(s.Unread) != 1 || s.Unread[0] != (partition.Range{Off: 9 * 512, Len: 512}) || len(s.Found) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := errors.New("enough")
	cancel(ended)
	if _, err := partition.ScanAll(ctx, m, nil); !errors.Is(err, ended) {
		t.Errorf("error %v of an ended scan", err)
	}
	if _, err := partition.ScanLikely(ctx, m); !errors.Is(err, ended) {
		t.Errorf("error %v of an ended search", err)
	}
}

// TestLikelyPlaces finds the volumes of a disk of 4 TiB without a table, where Windows puts them, with few reads.
func TestLikelyPlaces(t *testing.T) {
	const gib, cylinder = 1 << 30, 255 * 63 * 512
	type volume struct {
		off, size int64
		lost      []string
	}
	for name, volumes := range map[string][]volume{
		"first track":          {{63 * 512, 20*cylinder - 63*512, nil}, {20 * cylinder, 5 * cylinder, nil}, {25*cylinder + 63*512, 7 * cylinder, nil}},
		"Windows 7":            {{mib, 100 * mib, nil}, {101 * mib, 3 << 40, nil}},
		"Windows 10":           {{mib, 529 * mib, nil}, {646 * mib, 700 * gib, nil}},
		"Server 2019":          {{mib, 499 * mib, nil}, {616 * mib, 900 * gib, nil}},
		"not aligned":          {{5 * mib, 10 * mib, nil}, {15*mib + 512*333, 3 << 40, nil}},
		"behind 1 GiB":         {{mib, 1000 * mib, nil}, {1017 * mib, 100 * gib, nil}, {103545 * mib, 50 * gib, nil}},
		"data disk":            {{129 * mib, 4<<40 - 130*mib, nil}},
		"old data disk":        {{32 * mib, 10 * gib, []string{"boot"}}, {10*gib + 32*mib, 4<<40 - 10*gib - 64*mib, nil}},
		"last one by its copy": {{2<<40 + 77*mib, 2<<40 - 78*mib, []string{"boot"}}},
		"to the last sector":   {{mib, 4<<40 - mib, []string{"boot", "table"}}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(4 << 40)
			var want []string
			for _, v := range volumes {
				d.ntfs(v.off, v.size, 512, v.lost...)
				want = append(want, fmt.Sprintf("%d+%d", v.off, v.size))
			}
			r := &reads{Source: d}
			table, err := partition.Find(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, p := range table.Partitions {
				if got = append(got, fmt.Sprintf("%d+%d", p.Off, p.Len)); p.Number != i+1 || !p.Searched {
					t.Errorf("partition %+v, want number %d", p, i+1)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || table.Scheme != partition.Searched || len(table.Warnings) != len(want)+1 {
				t.Errorf("got %v, want %v; warned %v", got, want, table.Warnings)
			}
			if r.n >= 1000 {
				t.Errorf("%d reads", r.n)
			}
		})
	}
}

// TestLikelyBounded searches disks that are full of boot sectors, which lead everywhere, or hold nothing.
func TestLikelyBounded(t *testing.T) {
	full := newDisk(16 * mib)
	for off := int64(0); off < full.size; off += 512 {
		full.ntfs(off, 512*(off/512%5000+20), 512, "copy", "table", "mirror")
	}
	many := newDisk(1 << 40)
	for i := range int64(2000) {
		many.ntfs(mib+i*16*mib, 16*mib, 512)
	}
	damaged := newDisk(1 << 40)
	damaged.bad = 3
	for name, d := range map[string]*disk{"full": full, "many": many, "nothing": newDisk(4 << 40), "damaged": damaged} {
		r := &reads{Source: d}
		begin := time.Now()
		s, err := partition.ScanLikely(t.Context(), r)
		if err != nil || r.n >= 1000 || time.Since(begin) > 20*time.Second {
			t.Errorf("%s: %d reads, %v", name, r.n, err)
		} else if (name == "full" || name == "many") == s.Complete {
			t.Errorf("%s: complete %t", name, s.Complete)
		}
		r.n = 0
		if _, err := partition.Find(t.Context(), r); r.n >= 1000 {
			t.Errorf("%s: %d reads with those of tables, %v", name, r.n, err)
		}
	}
}

// TestFind keeps what a table leads to, and adds to one that leads nowhere.
func TestFind(t *testing.T) {
	linux := entry{0, 0x83, 40960, 2048}
	for _, c := range []struct {
		name, want string
		edit       func(d *disk)
	}{
		{"a table that leads to one of two", `mbr 512; 1: 4194304+4194304 NTFS, exFAT or HPFS ""`, func(d *disk) {
			d.mbr(0, entry{0, 7, 8192, 8192})
			d.ntfs(4*mib, 4*mib, 512)
			d.ntfs(10*mib, 4*mib, 512)
		}},
		{"a table of another system", `mbr 512; 1: 20971520+1048576 Linux file system ""; 2: 4194304+4194304 in no table, found by searching ""`, func(d *disk) {
			d.mbr(0, linux)
			d.ntfs(4*mib, 4*mib, 512)
		}},
		{"a table that lists nothing", `searched 512; 1: 4194304+4194304 in no table, found by searching ""; 2: 10485760+4194304 in no table, found by searching ""`, func(d *disk) {
			d.mbr(0)
			d.ntfs(4*mib, 4*mib, 512)
			d.ntfs(10*mib, 4*mib, 512, "boot")
		}},
		{"a GPT of reserved space", `gpt 512; 3: 1048576+1048576 Microsoft reserved ""; 4: 4194304+4194304 in no table, found by searching ""`, func(d *disk) {
			d.mbr(0, protective)
			d.gpt(512, 128, nil, gptPart{2, "e3c9e316-0b5c-4db8-817d-f92df00215ae", 2048, 4095, ""})
			d.ntfs(4*mib, 4*mib, 512)
		}},
		{"a boot sector that leads nowhere", `searched 512; 1: 4194304+4194304 in no table, found by searching ""`, func(d *disk) {
			d.put(0, leftOver(32 * mib)["ntfs"])
			d.ntfs(4*mib, 4*mib, 512)
		}},
		{"the copy of the last volume", `searched 512; 1: 20971520+12582912 in no table, found by searching ""`, func(d *disk) { d.ntfs(20*mib, 12*mib, 512) }},
		{"a volume without a table of files, with snapshots", `none 512; 0: 0+33554432 ntfs ""`, func(d *disk) {
			d.ntfs(0, 32*mib, 512, "table", "mirror")
			d.vss(0)
			d.ntfs(4*mib, 4*mib, 512)
		}},
		{"a volume that is smaller than the disk, by its copy", `none 512; 0: 0+33554432 ntfs ""`, func(d *disk) {
			d.ntfs(0, 20*mib, 512)
			d.put(0x30, bytes.Repeat([]byte{1}, 16))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk(32 * mib)
			c.edit(d)
			table, err := partition.Find(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(table); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	if _, err := partition.Find(t.Context(), newDisk(mib)); !errors.Is(err, layer.ErrFormat) || !strings.Contains(err.Error(), "likely places") {
		t.Errorf("error %v of an empty disk", err)
	}
}

func FuzzScan(f *testing.F) {
	for _, edit := range []func(d *disk){
		func(d *disk) { d.ntfs(0, 48<<10, 512); d.vss(0) },
		func(d *disk) { d.bitLocker(512, 4096); d.ntfs(8192, 32<<10, 4096, "boot") },
		func(d *disk) { d.metadata(-2*mib-0x94000, 16<<10, 1, 2) },
		func(d *disk) { b, _ := fatBoot("FAT32   ", 64); d.put(512, b); d.put(1024, exFATBoot(32)) },
	} {
		d := newDisk(48 << 10)
		edit(d)
		b := make([]byte, d.size)
		if err := layer.ReadFull(d, b, 0); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := layer.Section(bytes.NewReader(b), 0, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := partition.ScanAll(t.Context(), m, nil)
		if err != nil {
			t.Fatal(err)
		}
		likely, err := partition.ScanLikely(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range append(s.Found, likely.Found...) {
			if x.Off < 0 || x.Len < 0 || x.Off+x.Len < 0 || len(x.Marks) == 0 || x.Off > int64(len(b)) {
				t.Errorf("%+v", x)
			}
		}
		if table, err := partition.Find(t.Context(), m); (table == nil) == (err == nil) {
			t.Errorf("table %v, error %v", table, err)
		}
	})
}
