package partition

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
)

// Partition types of parts of volumes.
const (
	mbrLDM      = "0x42"
	ldmMetadata = "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3"
	ldmData     = "af9b60a0-1431-4f62-bc68-3311714a69ad"
	spaces      = "e75caf8f-f680-4cee-afa3-b001e56efc2d"
	mbrSpaces   = "0xe7"
)

const (
	privateHeader    = "PRIVHEAD"
	privateHeaderLen = 283 + 4*8
	mbrPrivateHeader = 6 * 512
)

// dynamic is what the private header of a dynamic disk tells. Big-endian; as the Linux-NTFS project documents it.
type dynamic struct {
	magic        string
	major, minor uint16
	disk, group  string // a GUID and a name, as text
	start, count uint64 // sectors of volumes
}

func decodeDynamic(b []byte) dynamic {
	be := binary.BigEndian
	text := func(b []byte) string {
		b, _, _ = bytes.Cut(b, []byte{0})
		return string(b)
	}
	return dynamic{
		magic: string(b[0:8]), major: be.Uint16(b[12:]), minor: be.Uint16(b[14:]),
		disk: text(b[48:112]), group: text(b[240:272]), start: be.Uint64(b[283:]), count: be.Uint64(b[291:]),
	}
}

// pools names what puts volumes together from parts of several partitions or disks, which is not done here.
func (t *Table) pools(d *reader) (warnings []error) {
	ldm, header := false, int64(mbrPrivateHeader)
	for _, p := range t.Partitions {
		switch p.TypeID {
		case spaces, mbrSpaces:
			warnings = append(warnings, fmt.Errorf("partition %d: a part of a Storage Spaces pool, which is not put together: %w", p.Number, layer.ErrUnsupported))
		case ldmMetadata:
			ldm, header = true, p.Off+p.Len-int64(t.SectorSize) // in the last sector
		case ldmData, mbrLDM:
			ldm = true
		}
	}
	if ldm {
		warnings = append(warnings, d.dynamic(header))
	}
	return warnings
}

// dynamic tells what is known of a dynamic disk whose private header is at at.
func (d *reader) dynamic(at int64) error {
	b := d.read(at, privateHeaderLen)
	if b == nil || string(b[:8]) != privateHeader {
		return fmt.Errorf("dynamic disk (LDM): %w", layer.Corrupt("private header", at, "not there, want %q", privateHeader))
	}
	h := decodeDynamic(b)
	return fmt.Errorf("dynamic disk (LDM %d.%d) %q of group %q, volumes in 0x%x sectors at 0x%x: only those that begin where a partition does are found: %w",
		h.major, h.minor, h.disk, h.group, h.count, h.start, layer.ErrUnsupported)
}
