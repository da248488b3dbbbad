// Package usn decodes the records of an NTFS change journal, $Extend\$UsnJrnl:$J.
//
// The layouts are those of USN_RECORD_V2, V3 and V4 in winioctl.h and [MS-FSCC]; numbers are little-endian. A journal is a sparse stream in which a record's USN is its offset. Records start at
// multiples of 8 and do not cross pages of 4 KiB: what is left of a page is zero.
package usn

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// Sizes of the records before their names or extents.
const (
	lenV2 = 60
	lenV3 = 76
	lenV4 = 64

	lenExtent = 16
	lenMin    = lenV2
)

// FileID is a file's number: 64 bits on NTFS, which ReFS fills to 128.
type FileID struct{ Low, High uint64 }

// Ref is the MFT record and sequence number of an NTFS file. ok is false when the number has more than 64 bits.
func (f FileID) Ref() (record uint64, seq uint16, ok bool) {
	return f.Low & (1<<48 - 1), uint16(f.Low >> 48), f.High == 0
}

// String gives record and sequence number, or all digits of a number that is not of NTFS.
func (f FileID) String() string {
	record, seq, ok := f.Ref()
	if !ok {
		return fmt.Sprintf("0x%016x%016x", f.High, f.Low)
	}
	return fmt.Sprintf("%d-%d", record, seq)
}

// Extent is a range of a file's content that was changed.
type Extent struct{ Off, Len int64 } // bytes

// Record is one change of a file, or what led to its last close. Versions 2 and 3 differ in the width of file numbers
// only. With range tracking, records of version 4 come before one of version 3: they tell which ranges were changed, but no
// Time, SecurityID, Attr or Name.
type Record struct {
	Offset       int64 // in the journal as read, bytes
	USN          int64 // Offset, unless the journal was copied without its hole or is damaged
	Major, Minor uint16
	File, Parent FileID
	Time         wintype.Filetime
	Reason       Reason // all since the file was opened
	Source       SourceInfo
	SecurityID   uint32
	Attr         uint32 // DOS attributes after the change
	Name         string // WTF-8, without a path

	Extents   []Extent // of version 4
	Remaining uint32   // extents that follow in more records
}

// Moved reports whether the record is not where its USN says.
func (r *Record) Moved() bool { return r.USN != r.Offset }

// decode decodes the record at the start of b and returns its length; off is where b lies in the journal.
func decode(b []byte, off int64) (Record, int, error) {
	le := binary.LittleEndian
	if len(b) < lenMin {
		return Record{}, 0, corrupt(off, "0x%x bytes left in its page", len(b))
	}
	r := Record{Offset: off, Major: le.Uint16(b[4:]), Minor: le.Uint16(b[6:])}
	n := le.Uint32(b[0:])
	if n < lenMin || uint64(n) > uint64(len(b)) || n%8 != 0 {
		return r, 0, corrupt(off, "length 0x%x, 0x%x left in its page", n, len(b))
	}
	var err error
	switch b := b[:n]; r.Major {
	case 2:
		r.File, r.Parent = FileID{Low: le.Uint64(b[8:])}, FileID{Low: le.Uint64(b[16:])}
		err = r.decodeNamed(b, 24)
	case 3:
		if n < lenV3 {
			return r, 0, corrupt(off, "length 0x%x, want 0x%x at least", n, lenV3)
		}
		r.File, r.Parent = fileID(b[8:]), fileID(b[24:])
		err = r.decodeNamed(b, 40)
	case 4:
		err = r.decodeExtents(b)
	default:
		err = corrupt(off, "version %d.%d, want 2, 3 or 4", r.Major, r.Minor)
	}
	return r, int(n), err
}

func fileID(b []byte) FileID {
	return FileID{Low: binary.LittleEndian.Uint64(b[0:]), High: binary.LittleEndian.Uint64(b[8:])}
}

// decodeNamed decodes what versions 2 and 3 have in common, from offset at of the record b.
func (r *Record) decodeNamed(b []byte, at int) error {
	le := binary.LittleEndian
	f := b[at:]
	r.USN, r.Time = int64(le.Uint64(f[0:])), wintype.Filetime(le.Uint64(f[8:]))
	r.Reason, r.Source = Reason(le.Uint32(f[16:])), SourceInfo(le.Uint32(f[20:]))
	r.SecurityID, r.Attr = le.Uint32(f[24:]), le.Uint32(f[28:])
	n, first := int(le.Uint16(f[32:])), int(le.Uint16(f[34:]))
	if n == 0 || n%2 != 0 || first != at+36 || align(first+n) != len(b) {
		return corrupt(r.Offset, "name of 0x%x bytes at 0x%x of 0x%x", n, first, len(b))
	}
	for i := first; i < first+n; i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			return corrupt(r.Offset, "a NUL in its name")
		}
	}
	r.Name = wintype.DecodeUTF16(b[first:][:n])
	return r.check()
}

func (r *Record) decodeExtents(b []byte) error {
	le := binary.LittleEndian
	if len(b) < lenV4 {
		return corrupt(r.Offset, "length 0x%x, want 0x%x at least", len(b), lenV4)
	}
	r.File, r.Parent = fileID(b[8:]), fileID(b[24:])
	r.USN, r.Reason, r.Source = int64(le.Uint64(b[40:])), Reason(le.Uint32(b[48:])), SourceInfo(le.Uint32(b[52:]))
	r.Remaining = le.Uint32(b[56:])
	n, size := int(le.Uint16(b[60:])), int(le.Uint16(b[62:]))
	if size < lenExtent || align(lenV4+n*size) != len(b) {
		return corrupt(r.Offset, "%d extents of 0x%x bytes in 0x%x", n, size, len(b)-lenV4)
	}
	for i := range n {
		e := b[lenV4+i*size:]
		x := Extent{Off: int64(le.Uint64(e[0:])), Len: int64(le.Uint64(e[8:]))}
		if x.Off < 0 || x.Len < 0 {
			return corrupt(r.Offset, "extent of 0x%x bytes at 0x%x", uint64(x.Len), uint64(x.Off))
		}
		r.Extents = append(r.Extents, x)
	}
	return r.check()
}

// check refuses what no driver writes.
func (r *Record) check() error {
	if r.USN < 0 || r.Time < 0 {
		return corrupt(r.Offset, "USN 0x%x, time 0x%x", uint64(r.USN), uint64(r.Time))
	}
	return nil
}

func align(n int) int { return (n + 7) &^ 7 }

func corrupt(off int64, format string, args ...any) error {
	return layer.Corrupt("USN record", off, format, args...)
}
