package layout

import "encoding/binary"

// FileMagic is what a file record begins with.
const FileMagic = "FILE"

// Bits of FileRecord.Flags.
const (
	RecordInUse     = 0x0001
	RecordDirectory = 0x0002
)

// FileRecordLen is the size of a file record's header, in bytes. No record is that small.
const FileRecordLen = 48

// FileRecord is the header of a file record of the $MFT, behind its magic and its update sequence: struct MFT_REC in
// ntfs.h.
type FileRecord struct {
	LSN    uint64 // 0x08, of the last change that $LogFile has
	Seq    uint16 // 0x10
	First  uint16 // 0x14, offset of the first attribute
	Flags  uint16 // 0x16
	Used   uint32 // 0x18, bytes of the record that are in use
	Base   uint64 // 0x20, reference of the file that an extension record is of, 0 in a base record
	Number uint32 // 0x2c, of this record; since NTFS 3.1, where First is 0x30 or more
}

// Decode reads the header of a record, of FileRecordLen bytes or more.
func (r *FileRecord) Decode(b []byte) {
	le := binary.LittleEndian
	_ = b[FileRecordLen-1]
	r.LSN = le.Uint64(b[0x08:])
	r.Seq = le.Uint16(b[0x10:])
	r.First = le.Uint16(b[0x14:])
	r.Flags = le.Uint16(b[0x16:])
	r.Used = le.Uint32(b[0x18:])
	r.Base = le.Uint64(b[0x20:])
	r.Number = le.Uint32(b[0x2c:])
}
