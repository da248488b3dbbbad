// Package bitlockertest writes volumes encrypted by BitLocker whose truth is known, for tests and benchmarks of every package.
//
// Write takes any plain volume and encrypts it: what BitLocker keeps for itself goes into runs of zeros, so that the decrypted
// volume is the plain one, byte by byte. All keys, identifiers and salts come from Options.Seed: the same options write the
// same bytes. What is written is what Windows Vista (version 1) and 7 to 11 (version 2) write, as far as readers look at it;
// the peers that read it are named in the tests.
//
// Nothing here imports the reader. Opening a password costs 2^20 rounds of SHA-256, as the format has it.
package bitlockertest

import (
	"crypto/sha256"
	"fmt"
	"io"

	"snapmount/imagefmt/wintype"
)

// Created is the time that volumes and protectors tell.
const Created wintype.Filetime = 0x01dc5f0000000000

// Options say what is written. The zero value is a volume that nobody can open.
type Options struct {
	Method      uint16 // 0 is XTS128
	Sector      int    // bytes: 512, which 0 is, or 4096
	Version     int    // of the metadata: 1 or 2, which 0 is
	Header      int64  // bytes at the start that version 2 keeps elsewhere; 0 is 8 KiB
	Description string // computer, volume and date
	Seed        string // of all that is random
	Protectors  []Protector

	State  State // how far the encryption is
	Offset int64 // of Paused: what lies below it is encrypted; of Encrypted in version 1, where it is 0, only what is told
	Chunk  int64 // of OnWrite: bytes that are encrypted at once
	ToGo   bool  // the boot sector is one of FAT, as on a stick, in version 2
}

// A State is how far the encryption of a volume is.
type State int

const (
	Encrypted State = iota
	Paused          // up to an offset
	Decrypted       // but the metadata is there; there are no protectors
	OnWrite         // encrypt-on-write of Windows 8 and later: some chunks are encrypted, and bitmaps tell which
)

// A Protector is a way to open a volume.
type Protector struct {
	Kind     Kind
	Secret   string // of RecoveryPassword (48 digits with dashes) and Password
	VolumeID bool   // of StartupKey: the file names the volume, as Windows 11 does, and has 180 bytes instead of 156
}

// A Kind of protector, as the metadata numbers it.
type Kind uint16

const (
	ClearKey         Kind = 0x0000
	TPM              Kind = 0x0100 // with a blob of noise
	StartupKey       Kind = 0x0200
	TPMAndPIN        Kind = 0x0500 // the same
	RecoveryPassword Kind = 0x0800
	Password         Kind = 0x2000
)

// A Volume is what is known of one that was written. Offsets and lengths are bytes.
type Volume struct {
	Size        int64
	Sector      int
	Method      uint16
	ID          wintype.GUID
	Protectors  []wintype.GUID // their identifiers, in the order of Options
	StartupKeys [][]byte       // the files of the protectors of that kind, in order; their names are the identifiers
	Key, Master []byte         // the volume's key, and the one that opens it
	Metadata    [3]int64       // where the copies are
	Reserved    int64          // bytes of each
	Block       []byte         // the first bytes of each copy that the checksum is of
	Header      Range          // where the start of the volume is kept, none in version 1
	OnWrite     OnWriteTruth

	state  State
	offset int64
}

// A Range is bytes of a volume.
type Range struct{ Off, Len int64 }

// OnWriteTruth is what a volume has whose State is OnWrite.
type OnWriteTruth struct {
	Blocks  [2]int64 // copies of what tells of the rest
	Chunk   int64
	Regions []Region
}

// A Region has a bitmap of its chunks.
type Region struct {
	Range
	Bitmap, Log Range
	Bits        []byte // the lowest first: the chunk is encrypted

	chunks int64
}

// IsEncrypted tells whether the sector at an offset of the encrypted volume is encrypted, where it is not metadata.
func (v *Volume) IsEncrypted(p int64) bool {
	switch v.state {
	case Decrypted:
		return false
	case Paused:
		return p < v.offset
	case OnWrite:
		for _, r := range v.OnWrite.Regions {
			if in := p - r.Off; in >= 0 && in < r.Len {
				chunk := in / v.OnWrite.Chunk
				return r.Bits[chunk/8]>>(chunk%8)&1 != 0
			}
		}
		return false
	}
	return true
}

// noise is n bytes that depend on the seed and a name.
func (o *Options) noise(name string, n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		h := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", o.Seed, i, name))
		b = append(b, h[:]...)
	}
	return b[:n]
}

// ready fills in what is 0, and refuses what cannot be written.
func (o *Options) ready(size int64) error {
	set(&o.Method, XTS128)
	set(&o.Sector, 512)
	set(&o.Version, 2)
	set(&o.Header, 8192)
	sector := int64(o.Sector)
	switch {
	case KeySize(o.Method) == 0:
		return fmt.Errorf("method 0x%x", o.Method)
	case o.Sector != 512 && o.Sector != 4096 || o.Header%sector != 0 || o.Header < 8192:
		return fmt.Errorf("sectors of %d bytes, and a header of %d", o.Sector, o.Header)
	case size%sector != 0:
		return fmt.Errorf("%d bytes, want whole sectors of %d", size, sector)
	case o.Version < 1 || o.Version > 2 || o.Version == 1 && (o.State == OnWrite || o.ToGo):
		return fmt.Errorf("version %d in state %d", o.Version, o.State)
	case o.State == OnWrite && (o.Chunk <= 0 || o.Chunk%sector != 0) || o.Offset%sector != 0:
		return fmt.Errorf("encrypted up to 0x%x, in chunks of 0x%x: want whole sectors", o.Offset, o.Chunk)
	case o.State == Decrypted && len(o.Protectors) > 0:
		return fmt.Errorf("a decrypted volume has no protectors")
	}
	return nil
}

func set[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Write encrypts a plain volume of size bytes. It needs runs of zeros in it: three of 64 KiB and one of the header's size, in
// version 1 three of 16 KiB or a cluster. It holds 1 MiB of it in memory.
func Write(w io.WriterAt, plain io.ReaderAt, size int64, o Options) (*Volume, error) {
	if err := o.ready(size); err != nil {
		return nil, fmt.Errorf("BitLocker volume: %w", err)
	}
	v := &Volume{Size: size, Sector: o.Sector, Method: o.Method, state: o.State, offset: o.Offset}
	writer := &writer{Volume: v, Options: o, w: w, plain: plain}
	if err := writer.write(); err != nil {
		return nil, fmt.Errorf("BitLocker volume: %w", err)
	}
	return v, nil
}
