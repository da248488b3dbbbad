package partition_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"snapmount/imagefmt/partition"
)

// ntfs writes the boot sector, the record of $MFT and the copy of the boot sector of a volume with clusters of 4096 bytes,
// but for what is to be lost.
func (d *disk) ntfs(off, size int64, sector int, lost ...string) {
	b := make([]byte, 512)
	copy(b, "\xeb\x52\x90NTFS    ")
	le := binary.LittleEndian
	le.PutUint16(b[11:], uint16(sector))
	b[13], b[21] = byte(4096/sector), 0xf8
	le.PutUint64(b[0x28:], uint64(size/int64(sector)-1))
	le.PutUint64(b[0x30:], 4)
	le.PutUint64(b[0x38:], 2)
	b[510], b[511] = 0x55, 0xaa
	record := make([]byte, 64)
	copy(record, "FILE\x30\x00")
	record[22] = 1
	for _, w := range []struct {
		what string
		off  int64
		b    []byte
	}{{"boot", 0, b}, {"copy", size - int64(sector), b}, {"table", 4 * 4096, record}, {"mirror", 2 * 4096, record}} {
		if !strings.Contains(fmt.Sprint(lost), w.what) {
			d.put(off+w.off, w.b)
		}
	}
}

// vss writes the VSS header of a volume.
func (d *disk) vss(off int64) {
	b := []byte("\x6b\x87\x08\x38\x76\xc1\x48\x4e\xb7\xae\x04\x04\x6e\x6c\xc7\x52\x01\x00\x00\x00\x01")
	d.put(off+0x1e00, b)
}

// fatBoot is a boot sector of FAT with 512-byte sectors, and the place of its table.
func fatBoot(name string, sectors uint32) (b []byte, table int64) {
	b = make([]byte, 512)
	copy(b, "\xeb\x3c\x90MSDOS5.0\x00\x02\x04\x20\x00\x02")
	le := binary.LittleEndian
	b[21] = 0xf8
	le.PutUint32(b[32:], sectors)
	if name == "FAT32   " {
		copy(b[82:], name)
		le.PutUint16(b[50:], 6)
	} else {
		copy(b[54:], name)
		le.PutUint16(b[22:], 200)
	}
	b[510], b[511] = 0x55, 0xaa
	return b, 32 * 512
}

func exFATBoot(sectors uint64) []byte {
	b := make([]byte, 512)
	copy(b, "\xeb\x76\x90EXFAT   ")
	le := binary.LittleEndian
	le.PutUint64(b[72:], sectors)
	le.PutUint32(b[80:], 2048)
	b[108] = 9
	b[510], b[511] = 0x55, 0xaa
	return b
}

// leftOver are boot sectors of whole disks whose volumes are not there.
func leftOver(size int64) map[string][]byte {
	ntfs := newDisk(size)
	ntfs.ntfs(0, size, 512)
	fat16, _ := fatBoot("FAT16   ", uint32(size/512))
	fat32, _ := fatBoot("FAT32   ", uint32(size/512))
	return map[string][]byte{"ntfs": ntfs.sectors[0], "fat16": fat16, "fat32": fat32, "exfat": exFATBoot(uint64(size / 512))}
}

// TestLeftOverBootSector has boot code of another use of the disk in sector 0, below a table that leads to volumes.
func TestLeftOverBootSector(t *testing.T) {
	const size = 64 * mib
	for kind, boot := range leftOver(size) {
		for _, sector := range []int64{512, 4096} {
			volume := [2]int64{4 * mib / sector, 12*mib/sector - 1}
			for scheme, write := range map[string]func(d *disk){
				"mbr": func(d *disk) {
					d.mbr(0, entry{0x80, 7, uint32(volume[0]), uint32(volume[1] - volume[0] + 1)})
				},
				"gpt": func(d *disk) {
					d.mbr(0, protective)
					d.gpt(sector, 128, nil, gptPart{0, basic, uint64(volume[0]), uint64(volume[1]), ""})
				},
			} {
				t.Run(fmt.Sprint(kind, " under ", scheme, " ", sector), func(t *testing.T) {
					d := newDisk(size)
					write(d)
					d.put(0, boot[:446])
					d.ntfs(4*mib, 8*mib, int(sector))
					table, err := partition.List(d)
					if err != nil {
						t.Fatal(err)
					}
					if table.Scheme != scheme || len(table.Partitions) != 1 || table.Partitions[0].Off != 4*mib || table.Partitions[0].Len != 8*mib {
						t.Errorf("got %s", lines(table))
					}
					if got := fmt.Sprint(table.Warnings); !strings.Contains(got, kind) || !strings.Contains(got, "left from another use") {
						t.Errorf("warned %s", got)
					}
				})
			}
		}
	}
}

func TestWeighed(t *testing.T) {
	const size = 64 * mib
	whole := fmt.Sprintf("none 512; 0: 0+%d ", size)
	gpt := gptPart{0, basic, 8192, 16383, ""} // 4 MiB to 8 MiB
	const listed = `gpt 512; 1: 4194304+4194304 Microsoft basic data ""`
	for _, c := range []struct {
		name, want, warn string
		edit             func(d *disk)
	}{
		{"volume over entries that lead nowhere", whole + `ntfs ""`, "the table does not count", func(d *disk) {
			d.mbr(0, entry{0x80, 7, 8192, 8192})
			table := bytes.Clone(d.sectors[0][446:510])
			d.ntfs(0, size, 512)
			d.put(446, table)
		}},
		{"volume, and the backup of an old GPT that leads to one", whole + `ntfs ""`, "the table does not count", func(d *disk) {
			d.gpt(512, 128, nil, gpt)
			d.ntfs(4*mib, 4*mib, 512)
			d.put(512, make([]byte, 33*512))
			d.ntfs(0, size-mib, 512)
		}},
		{"backup of a GPT alone, and a boot sector that leads nowhere", listed, "left from another use", func(d *disk) {
			d.gpt(512, 128, nil, gpt)
			d.ntfs(4*mib, 4*mib, 512)
			d.put(512, make([]byte, 33*512))
			d.ntfs(0, size, 512, "table", "mirror", "copy")
		}},
		{"FAT with an entry for itself", whole + `fat32 ""`, "", func(d *disk) {
			b, table := fatBoot("FAT32   ", size/512)
			d.mbr(0, entry{0x80, 0x0c, 0, size / 512})
			d.put(0, b[:446])
			d.put(table, []byte("\xf8\xff\xff\x0f"))
		}},
		{"boot sector that leads nowhere over another system's partitions", `mbr 512; 1: 1048576+4194304 Linux file system ""`, "left from another use", func(d *disk) {
			d.mbr(0, entry{0, 0x83, 2048, 8192})
			d.put(0, leftOver(size)["ntfs"][:446])
		}},
		{"boot sector that leads nowhere, and entries that make no sense", whole + `ntfs ""`, "", func(d *disk) {
			d.mbr(0, entry{0, 0x83, 2048, 0xfffffff0}, entry{0x80, 7, 4096, 4096})
			d.put(0, leftOver(size)["ntfs"][:446])
		}},
		{"hybrid that contradicts", listed, "hybrid MBR: partition 2, 0x100000 bytes at 0x1400000, is not in the GPT", func(d *disk) {
			d.mbr(0, entry{0, 0xee, 1, 8191}, entry{0, 7, 40960, 2048}, entry{0, 7, 8192, 8192})
			d.gpt(512, 128, nil, gpt)
		}},
		{"hybrid of another length", listed, "hybrid MBR: partition 2, 0x200000 bytes at 0x400000, is not in the GPT", func(d *disk) {
			d.mbr(0, entry{0, 0xee, 1, 8191}, entry{0, 7, 8192, 4096})
			d.gpt(512, 128, nil, gpt)
		}},
		{"hybrid whose GPT is lost", `mbr 512; 2: 4194304+4194304 NTFS, exFAT or HPFS ""`, "other partitions of the hybrid MBR are used", func(d *disk) {
			d.mbr(0, entry{0, 0xee, 1, 8191}, entry{0, 7, 8192, 8192})
			d.ntfs(4*mib, 4*mib, 512)
		}},
		{"MBR that leads nowhere over a GPT that does", listed, "only the GPT leads to volumes", func(d *disk) {
			d.mbr(0, entry{0, 7, 40960, 2048})
			d.gpt(512, 128, nil, gpt)
			d.ntfs(4*mib, 4*mib, 512)
		}},
		{"no signature", `mbr 512; 1: 4194304+4194304 NTFS, exFAT or HPFS ""; 2: 8388608+1048576 Linux file system ""`, "no signature 55aa at 0x1fe", func(d *disk) {
			d.mbr(0, entry{0x80, 7, 8192, 8192}, entry{0, 0x83, 16384, 2048})
			d.put(510, []byte{0, 0})
			d.ntfs(4*mib, 4*mib, 512)
		}},
		{"no signature, sectors of 4096, boot sector lost", `mbr 4096; 1: 4194304+4194304 NTFS, exFAT or HPFS ""`, "no signature 55aa", func(d *disk) {
			d.mbr(0, entry{0x80, 7, 1024, 1024})
			d.put(510, []byte{0, 0})
			d.ntfs(4*mib, 4*mib, 4096, "boot")
		}},
		{"no signature in a boot record", `mbr 512; 5: 4194304+4194304 NTFS, exFAT or HPFS ""; 6: 12582912+4194304 NTFS, exFAT or HPFS ""`, "extended boot record at 0xb00000: no signature", func(d *disk) {
			d.mbr(0, entry{0, 5, 6144, 65536})
			d.mbr(3*mib, entry{0, 7, 2048, 8192}, entry{0, 5, 16384, 10240})
			d.mbr(11*mib, entry{0, 7, 2048, 8192})
			d.put(11*mib+510, []byte{0, 0})
			d.ntfs(4*mib, 4*mib, 512)
			d.ntfs(12*mib, 4*mib, 512)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk(size)
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
	d := newDisk(size)
	d.mbr(0, entry{0x80, 7, 8192, 8192})
	d.put(510, []byte{0, 0})
	if table, err := partition.List(d); err == nil {
		t.Errorf("entries without a signature that lead nowhere: %s", lines(table))
	}
}

// TestBackupElsewhere has a GPT whose primary table is lost, in an image that is longer than the disk was.
func TestBackupElsewhere(t *testing.T) {
	for _, c := range []struct {
		name   string
		sector int64
		longer int64
		mbr    bool // tells how long the disk was
		found  bool
	}{
		{"a sector", 512, 512, true, true}, {"5 MiB", 512, 5 * mib, true, true}, {"1 TiB, told by the MBR", 512, 1 << 40, true, true},
		{"no whole sector", 512, 100, true, true}, {"30 MiB without an MBR", 512, 30*mib + 7, false, true}, {"sectors of 4096", 4096, 9*mib + 512, true, true},
		{"sectors of 4096 without an MBR", 4096, 4096, false, true}, {"1 TiB without an MBR", 512, 1 << 40, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk(64 * mib)
			if c.mbr {
				d.mbr(0, entry{0, 0xee, 1, uint32(d.size/c.sector - 1)})
			}
			d.gpt(c.sector, 128, nil, gptPart{0, basic, uint64(4 * mib / c.sector), uint64(8*mib/c.sector) - 1, ""})
			d.put(c.sector, make([]byte, 5*4096))
			d.size += c.longer
			table, err := partition.List(d)
			if !c.found {
				if err == nil {
					t.Errorf("listed %s", lines(table))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf(`gpt %d; 1: 4194304+4194304 Microsoft basic data ""`, c.sector)
			if got := lines(table); got != want || !strings.Contains(fmt.Sprint(table.Warnings), "its backup at 0x3ff") {
				t.Errorf("got %s, %v", got, table.Warnings)
			}
		})
	}
}
