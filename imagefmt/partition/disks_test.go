package partition_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/partition"
)

func TestBareVolumes(t *testing.T) {
	fat := func(name string, at int, sectors uint16, table byte) []byte {
		b := make([]byte, 512)
		copy(b, "\xeb\x3c\x90MSDOS5.0\x00\x02\x04\x01\x00\x02\x00\x02\x00\x00\xf8")
		copy(b[at:], name)
		binary.LittleEndian.PutUint16(b[19:], sectors)
		b[22] = table
		b[510], b[511] = 0x55, 0xaa
		return b
	}
	oem := func(name string) []byte {
		b := make([]byte, 512)
		copy(b[3:], name)
		b[510], b[511] = 0x55, 0xaa
		return b
	}
	refs := make([]byte, 512)
	copy(refs[3:], "ReFS\x00\x00\x00\x00\x00\x00\x00\x00\x00FSRS")
	toGo := fat("FAT32   ", 82, 0, 0)
	copy(toGo[424:], "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01")
	toGoOnWrite := fat("FAT32   ", 82, 0, 0)
	copy(toGoOnWrite[424:], "\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8")
	badFAT := fat("FAT16   ", 54, 9000, 3)
	badFAT[13] = 3
	for _, c := range []struct {
		name string
		boot []byte
		kind string
	}{
		{"ntfs", oem("NTFS    "), "ntfs"}, {"bitlocker", oem("-FVE-FS-"), "bitlocker"}, {"exfat", oem("EXFAT   "), "exfat"}, {"refs", refs, "refs"},
		{"fat12", fat("FAT12   ", 54, 16000, 12), "fat12"}, {"fat16", fat("FAT16   ", 54, 17000, 17), "fat16"}, {"fat32", fat("FAT32   ", 82, 0, 0), "fat32"},
		{"most clusters of fat12", fat("FAT     ", 54, 1+2*12+32+4*4084+3, 12), "fat12"}, {"fewest clusters of fat16", fat("FAT12   ", 54, 1+2*12+32+4*4085, 12), "fat16"},
		{"fat of less than its tables", fat("FAT16   ", 54, 20, 17), ""}, {"bitlocker to go", toGo, "bitlocker"}, {"bitlocker to go, encrypt-on-write", toGoOnWrite, "bitlocker"},
		{"luks", []byte("LUKS\xba\xbe\x00\x02"), "luks"}, {"luks of no version", []byte("LUKS\xba\xbe\x00\x03"), ""}, {"copy of a header of luks", []byte("SKUL\xba\xbe\x00\x02"), ""},
		{"fat with 3 sectors a cluster", badFAT, ""}, {"ntfs unsigned", append(oem("NTFS    ")[:510], 0, 0), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk(mib)
			d.put(0, c.boot)
			if got := partition.FileSystem(d); got != c.kind {
				t.Errorf("file system %q, want %q", got, c.kind)
			}
			table, err := partition.List(d)
			if c.kind == "" {
				if !errors.Is(err, layer.ErrFormat) {
					t.Errorf("error %v, want not this format", err)
				}
				return
			}
			if err != nil || table.Scheme != partition.None || len(table.Partitions) != 1 || table.Partitions[0].Type != c.kind {
				t.Errorf("%+v, %v, want one volume of %s", table, err, c.kind)
			}
		})
	}
}

func TestFileSystemByCopy(t *testing.T) {
	for _, at := range []int64{512, 4096} {
		d := newDisk(mib)
		d.boot(mib - at)
		if got := partition.FileSystem(d); got != "ntfs" {
			t.Errorf("file system %q with a copy %d bytes before the end", got, at)
		}
		d.bad = 1 // the sectors at either end are not this one: read errors elsewhere do not matter
		if got := partition.FileSystem(d); got != "ntfs" {
			t.Errorf("file system %q with a bad sector", got)
		}
	}
	for _, size := range []int64{0, 100, 512} {
		if got := partition.FileSystem(newDisk(size)); got != "" {
			t.Errorf("file system %q of %d bytes of zeros", got, size)
		}
	}
}

// chain makes a disk of three logical partitions behind a primary one.
func chain() *disk {
	d := newDisk(64 * mib)
	d.mbr(0, entry{0x80, 7, 2048, 2048}, entry{0, 0x0f, 8192, 65536})
	d.mbr(8192*512, entry{0, 7, 63, 1000}, entry{0, 5, 4096, 3000})
	d.mbr((8192+4096)*512, entry{0, 0x83, 64, 2000}, entry{0, 5, 10000, 5000})
	d.mbr((8192+10000)*512, entry{0, 0x0b, 128, 3000})
	return d
}

func TestLogical(t *testing.T) {
	const first = `mbr 512; 1: 1048576+1048576 NTFS, exFAT or HPFS ""; 5: 4226560+512000 NTFS, exFAT or HPFS ""; 6: 6324224+1024000 Linux file system ""`
	for _, c := range []struct {
		name, want, warn string
		edit             func(d *disk)
	}{
		{"good", first + `; 7: 9379840+1536000 FAT32 ""`, "", func(*disk) {}},
		{"loop", first, "does not end", func(d *disk) {
			d.mbr((8192+4096)*512, entry{0, 0x83, 64, 2000}, entry{0, 5, 0, 5000})
		}},
		{"self", first, "does not end", func(d *disk) {
			d.mbr((8192+4096)*512, entry{0, 0x83, 64, 2000}, entry{0, 5, 4096, 5000})
		}},
		{"no signature", first, "0x8e2000: no signature", func(d *disk) { d.put((8192+10000)*512+510, []byte{0}) }},
		{"outside", first, "past the end", func(d *disk) {
			d.mbr((8192+4096)*512, entry{0, 0x83, 64, 2000}, entry{0, 5, 0xfffffff0, 5000})
		}},
		{"unreadable", first, "input/output error", func(d *disk) { d.bad = 8192 + 10000 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := chain()
			c.edit(d)
			table, err := partition.List(d)
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(table); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if got := fmt.Sprint(table.Warnings); (c.warn == "") != (len(table.Warnings) == 0) || !strings.Contains(got, c.warn) {
				t.Errorf("warned %q, want %q", got, c.warn)
			}
		})
	}
	t.Run("endless", func(t *testing.T) {
		d := newDisk(1 << 30)
		d.mbr(0, entry{0, 5, 8, 1 << 20})
		for i := range int64(1000) {
			d.mbr((8+i*8)*512, entry{0, 7, 1, 7}, entry{0, 5, uint32(i+1) * 8, 8})
		}
		table, err := partition.List(d)
		if err != nil || len(table.Partitions) != 256 || len(table.Warnings) != 1 {
			t.Errorf("error %v, want 256 partitions and one warning", err)
		}
	})
}

// TestMmls compares a disk with logical partitions with what sleuthkit finds.
func TestMmls(t *testing.T) {
	mmls := testenv.Peer(t, "mmls")
	d := chain()
	path := filepath.Join(t.TempDir(), "disk.raw")
	b := make([]byte, d.size)
	if err := layer.ReadFull(d, b, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := partition.List(d)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, p := range table.Partitions {
		got = append(got, fmt.Sprintf("%d+%d", p.Off/512, p.Len/512))
	}
	line := regexp.MustCompile(`(?m)^\d+:  \d+:\d+ +(\d+) +\d+ +(\d+) `)
	for _, m := range line.FindAllSubmatch(testenv.Run(t, mmls, "-t", "dos", path), -1) {
		want = append(want, strings.TrimLeft(string(m[1]), "0")+"+"+strings.TrimLeft(string(m[2]), "0"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, sleuthkit %q", got, want)
	}
}

// TestSgdisk lists what sgdisk wrote, with and without its primary table.
func TestSgdisk(t *testing.T) {
	sgdisk := testenv.Peer(t, "sgdisk")
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 64*mib); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, sgdisk, "-n", "1:2048:4095", "-t", "1:ef00", "-c", "1:EFI", "-n", "2:4096:8191", "-t", "2:0c01",
		"-n", "7:8192:40959", "-t", "7:0700", "-c", "7:Größe \U0001f4be", "-n", "3:40960:50000", "-t", "3:2700", path)
	want := `gpt 512; 1: 1048576+1048576 EFI system "EFI"; 2: 2097152+2097152 Microsoft reserved ""; ` +
		`3: 20971520+4628992 Windows recovery ""; 7: 4194304+16777216 Microsoft basic data "Größe ` + "\U0001f4be\""
	for _, lose := range []int{0, 1024} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		clear(b[512:][:lose])
		table, err := partition.List(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if got := lines(table); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if (len(table.Warnings) > 0) != (lose > 0) {
			t.Errorf("warnings %v with %d bytes lost", table.Warnings, lose)
		}
	}
}

// TestRealDisk lists a disk that Windows partitioned.
func TestRealDisk(t *testing.T) {
	f, err := os.Open(testenv.Shared(t, "data", "vss_3_volstor.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	h, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2*mib)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	d := newDisk(h.Size)
	d.put(0, b)
	table, err := partition.List(d)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Partitions) != 2 || table.Partitions[0].Off != 2048*512 || table.Partitions[1].Off != 4196352*512 || len(table.Warnings) != 0 {
		t.Errorf("%+v, want volumes at the sectors 2048 and 4196352", table)
	}
}

func TestRefused(t *testing.T) {
	both := func(edit func(h []byte)) *disk {
		d := newDisk(8 * mib)
		d.mbr(0, protective)
		d.gpt(512, 128, edit, gptPart{0, basic, 2048, 4095, ""})
		return d
	}
	le := binary.LittleEndian
	unreadable := newDisk(mib)
	unreadable.bad = 1
	onlyProtective := newDisk(mib)
	onlyProtective.mbr(0, protective)
	status := newDisk(mib)
	status.mbr(0, entry{0x12, 7, 100, 100})
	for _, c := range []struct {
		name string
		d    layer.Source
		kind error
		text string
	}{
		{"empty", newDisk(0), layer.ErrFormat, "looked for"},
		{"short", newDisk(511), layer.ErrFormat, "looked for"},
		{"zeros", newDisk(mib), layer.ErrFormat, "looked for"},
		{"status", status, layer.ErrFormat, "looked for"},
		{"unreadable", unreadable, nil, "input/output error"},
		{"protective alone", onlyProtective, layer.ErrCorrupt, "no GPT"},
		{"count of 2^32-1", both(func(h []byte) { le.PutUint32(h[80:], 0xffffffff) }), layer.ErrCorrupt, "4294967295 entries"},
		{"entries of 2^31", both(func(h []byte) { le.PutUint32(h[84:], 1<<31) }), layer.ErrCorrupt, "entries of 2147483648 bytes"},
		{"entries of 0", both(func(h []byte) { le.PutUint32(h[84:], 0) }), layer.ErrCorrupt, "entries of 0 bytes"},
		{"entries of 384", both(func(h []byte) { le.PutUint32(h[84:], 384) }), layer.ErrCorrupt, "entries of 384 bytes"},
		{"entries outside", both(func(h []byte) { le.PutUint64(h[72:], 1<<62) }), layer.ErrCorrupt, "0x4000000000000000"},
		{"entries at the end", both(func(h []byte) { le.PutUint64(h[72:], 16383) }), layer.ErrCorrupt, "GPT entries at 0x7ffe00"},
		{"header length", both(func(h []byte) { le.PutUint32(h[12:], 1<<31) }), layer.ErrCorrupt, "2147483648 bytes"},
		{"elsewhere", both(func(h []byte) { le.PutUint64(h[24:], 77) }), layer.ErrCorrupt, "block 0x4d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := partition.List(c.d)
			if err == nil {
				t.Fatalf("listed %s", lines(table))
			}
			if c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q of kind %v", err, c.text, c.kind)
			}
		})
	}
}

func FuzzList(f *testing.F) {
	add := func(d *disk) {
		b := make([]byte, d.size)
		if err := layer.ReadFull(d, b, 0); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	d := newDisk(48 << 10)
	d.mbr(0, protective)
	d.gpt(512, 128, nil, gptPart{0, basic, 40, 50, "x"})
	add(d)
	d = newDisk(16 << 10)
	d.mbr(0, entry{0, 7, 1, 2}, entry{0, 5, 4, 8})
	d.mbr(2048, entry{0, 7, 1, 2}, entry{0, 5, 2, 2})
	add(d)
	d = newDisk(1024)
	d.boot(512)
	add(d)
	d = newDisk(8 << 10)
	d.mbr(0, entry{0, 0x42, 1, 2})
	d.put(6*512, private())
	add(d)
	d = newDisk(48 << 10)
	d.mbr(0, protective)
	d.gpt(512, 128, nil, gptPart{0, ldmMetadata, 40, 50, ""}, gptPart{1, spaces, 51, 52, ""})
	d.put(50*512, private())
	d.put(1024+16, []byte{9})
	add(d)
	f.Fuzz(func(t *testing.T, b []byte) {
		begin := time.Now()
		table, err := partition.List(bytes.NewReader(b))
		if (table == nil) == (err == nil) {
			t.Fatalf("table %v, error %v", table, err)
		}
		if err == nil {
			for _, p := range table.Partitions {
				if p.Off < 0 || p.Len < 0 || p.Off+p.Len < 0 {
					t.Errorf("partition %+v", p)
				}
			}
		}
		if s := time.Since(begin); s > 30*time.Second {
			t.Errorf("took %v", s)
		}
	})
}
