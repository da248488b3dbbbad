package partition_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/partition"
)

const (
	ldmMetadata = "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3"
	ldmData     = "af9b60a0-1431-4f62-bc68-3311714a69ad"
	spaces      = "e75caf8f-f680-4cee-afa3-b001e56efc2d"
)

// private is the private header of a dynamic disk.
func private() []byte {
	b := make([]byte, 512)
	copy(b, "PRIVHEAD")
	be := binary.BigEndian
	be.PutUint16(b[12:], 2)
	be.PutUint16(b[14:], 12)
	copy(b[48:], "11111111-2222-3333-4444-555555555555")
	copy(b[240:], "HOST-Dg0")
	be.PutUint64(b[283:], 0x3f)
	be.PutUint64(b[291:], 0x9000)
	return b
}

func TestPools(t *testing.T) {
	const told = `dynamic disk (LDM 2.12) "11111111-2222-3333-4444-555555555555" of group "HOST-Dg0", volumes in 0x9000 sectors at 0x3f`
	gpt := func(sector int64, kinds ...string) *disk {
		d := newDisk(64 * mib)
		d.mbr(0, protective)
		var parts []gptPart
		for i, kind := range kinds {
			first := uint64(1024 * (i + 1))
			parts = append(parts, gptPart{i, kind, first, first + 1023, ""})
			if kind == ldmMetadata {
				d.put(int64(first+1023)*sector, private())
			}
		}
		d.gpt(sector, 128, nil, parts...)
		return d
	}
	for _, c := range []struct {
		name string
		make func() *disk
		warn string // "" for none
		kind error
	}{
		{"mbr", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, entry{0x80, 0x42, 63, 16000})
			d.put(6*512, private())
			return d
		}, told, layer.ErrUnsupported},
		{"mbr, header lost", func() *disk { d := newDisk(8 * mib); d.mbr(0, entry{0x80, 0x42, 63, 16000}); return d }, "private header at 0xc00: not there", layer.ErrCorrupt},
		{"gpt", func() *disk { return gpt(512, ldmMetadata, basic, ldmData) }, told, layer.ErrUnsupported},
		{"gpt, 4096", func() *disk { return gpt(4096, basic, ldmMetadata, ldmData) }, told, layer.ErrUnsupported},
		{"gpt, no metadata", func() *disk { return gpt(512, ldmData) }, "private header", layer.ErrCorrupt},
		{"storage spaces", func() *disk { return gpt(512, basic, spaces) }, "partition 2: a part of a Storage Spaces pool", layer.ErrUnsupported},
		{"storage spaces, mbr", func() *disk { d := newDisk(8 * mib); d.mbr(0, entry{0, 0xe7, 63, 16000}); return d }, "partition 1: a part of a Storage Spaces pool", layer.ErrUnsupported},
		{"neither", func() *disk {
			d := newDisk(8 * mib)
			d.mbr(0, entry{0, 7, 63, 16000})
			d.put(6*512, private())
			return d
		}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := partition.List(c.make())
			if err != nil {
				t.Fatal(err)
			}
			if (len(table.Warnings) == 0) != (c.warn == "") || len(table.Warnings) > 1 {
				t.Fatalf("warned %v, want %q", table.Warnings, c.warn)
			}
			if c.warn != "" && (!strings.Contains(table.Warnings[0].Error(), c.warn) || !errors.Is(table.Warnings[0], c.kind)) {
				t.Errorf("warned %v, want %q", table.Warnings[0], c.warn)
			}
		})
	}
}

// TestDamagedGPT hurts checksums and contents of either table.
func TestDamagedGPT(t *testing.T) {
	const whole = `gpt 512; 1: 1048576+1048576 EFI system "EFI"; 2: 2097152+2097152 Microsoft basic data "data"`
	const last, array = 8*mib - 512, 8*mib - 512 - 128*128
	for _, c := range []struct {
		name string
		hurt []int64 // bytes to change
		want string  // "" for an error
		warn []string
	}{
		{"sound", nil, whole, nil},
		{"backup header", []int64{last + 60}, whole, []string{"GPT: backup table: GPT header at 0x7ffe00: checksum"}},
		{"backup magic", []int64{last}, whole, []string{"GPT: backup table: not found: the primary one is used"}},
		{"backup entries", []int64{array + 4}, whole, []string{"GPT: backup table: GPT entries at 0x7fbe00: checksum"}},
		{"both headers", []int64{512 + 60, last + 60}, whole, []string{"no table has right checksums"}},
		{"header and the other's entries", []int64{512 + 60, array + 128*9}, whole, []string{"no table has right checksums"}},
		{"both entries", []int64{1024 + 128 + 57, array + 128 + 57}, strings.Replace(whole, `"data"`, `"`+"\U00009164"+`ata"`, 1), []string{"no table has right checksums"}},
		{"both entries, one past the end", []int64{1024 + 128 + 43, array + 128 + 43}, strings.Split(whole, "; 2:")[0], []string{"no table has right checksums", "partition 2: ends past the end of the disk, and the table is damaged: not listed"}},
		{"both entries, nothing right", []int64{1024 + 46, 1024 + 128 + 46, array + 46, array + 128 + 46}, "", nil},
		{"both magics", []int64{512, last}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk(8 * mib)
			d.mbr(0, protective)
			d.gpt(512, 128, nil, gptPart{0, efi, 2048, 4095, "EFI"}, gptPart{1, basic, 4096, 8191, "data"})
			for _, at := range c.hurt {
				d.put(at, []byte{0x91})
			}
			table, err := partition.List(d)
			if c.want == "" {
				if !errors.Is(err, layer.ErrCorrupt) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(table); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			all := fmt.Sprint(table.Warnings)
			for _, w := range c.warn {
				if !strings.Contains(all, w) {
					t.Errorf("warned %s, want %q", all, w)
				}
			}
			if len(c.warn) == 0 && len(table.Warnings) > 0 {
				t.Errorf("warned %s", all)
			}
		})
	}
}

// TestBackupDiffers has a backup of another table.
func TestBackupDiffers(t *testing.T) {
	d, old := newDisk(8*mib), newDisk(8*mib)
	d.mbr(0, protective)
	d.gpt(512, 128, nil, gptPart{0, basic, 2048, 4095, ""})
	old.gpt(512, 128, nil, gptPart{0, basic, 2048, 9999, ""})
	for sector := int64(8*mib-512-128*128) / 512; sector < 8*mib/512; sector++ {
		d.sectors[sector] = old.sectors[sector]
	}
	table, err := partition.List(d)
	if err != nil || len(table.Warnings) != 1 || !strings.Contains(table.Warnings[0].Error(), "lists other partitions at 0x7ffe00") || table.Partitions[0].Len != mib {
		t.Errorf("%+v, %v", table, err)
	}
}

// made makes a file of a size and runs a program on it.
func made(t *testing.T, size int64, program string, args ...string) layer.Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, program), append(args, path)...)
	return testenv.Open(t, path)
}

// TestMadeVolumes names what mkfs programs made.
func TestMadeVolumes(t *testing.T) {
	for _, c := range []struct {
		kind string
		size int64
		args []string
	}{
		{"fat12", 1440 << 10, []string{"mkfs.fat"}}, {"fat12", 8 * mib, []string{"mkfs.fat", "-F", "12", "-S", "4096"}},
		{"fat16", 64 * mib, []string{"mkfs.fat", "-F", "16"}}, {"fat32", 600 * mib, []string{"mkfs.fat"}},
		{"fat32", 64 * mib, []string{"mkfs.fat", "-F", "32", "-s", "8", "-S", "4096"}},
		{"exfat", 64 * mib, []string{"mkfs.exfat"}}, {"ntfs", 16 * mib, []string{"mkntfs", "-F", "-Q", "-q"}},
		{"ntfs", 64 * mib, []string{"mkntfs", "-F", "-Q", "-q", "-s", "4096"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			d := made(t, c.size, c.args[0], c.args[1:]...)
			if got := partition.FileSystem(d); got != c.kind {
				t.Errorf("file system %q, want %q", got, c.kind)
			}
			if table, err := partition.List(d); err != nil || table.Scheme != partition.None || table.Partitions[0].Type != c.kind {
				t.Errorf("%+v, %v", table, err)
			}
		})
	}
}

// TestHybrid lists a GPT beside whose protective partition sgdisk put others.
func TestHybrid(t *testing.T) {
	table, err := partition.List(made(t, 64*mib, "sgdisk", "-n", "1:2048:+10M", "-t", "1:0700", "-n", "2:0:+20M", "-t", "2:0700", "-h", "1:2"))
	if err != nil {
		t.Fatal(err)
	}
	want := `gpt 512; 1: 1048576+10485760 Microsoft basic data ""; 2: 11534336+20971520 Microsoft basic data ""`
	if got := lines(table); got != want || len(table.Warnings) > 0 {
		t.Errorf("got %s, %v", got, table.Warnings)
	}
}
