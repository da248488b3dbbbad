package vsstest

import (
	"encoding/binary"
	"io"

	"snapmount/imagefmt/wintype"
)

// Identifier starts every record.
var Identifier = wintype.GUID{0x6b, 0x87, 0x08, 0x38, 0x76, 0xc1, 0x48, 0x4e, 0xb7, 0xae, 0x04, 0x04, 0x6e, 0x6c, 0xc7, 0x52}

// HeaderOffset is where the volume header is.
const HeaderOffset = 0x1e00

// The record types.
const (
	TypeVolume  = 1
	TypeCatalog = 2
	TypeList    = 3
	TypeStore   = 4
	TypeRanges  = 5
	TypeBitmap  = 6
)

var le = binary.LittleEndian

// Header is the volume header.
type Header struct {
	Version          uint32
	Catalog, MaxSize uint64
	Volume, Storage  wintype.GUID
	Application      uint64
	Protection       uint32
}

// Bytes returns the 512 bytes at HeaderOffset.
func (h Header) Bytes() []byte {
	b := make([]byte, 512)
	copy(b, Identifier[:])
	le.PutUint32(b[0x10:], h.Version)
	le.PutUint32(b[0x14:], TypeVolume)
	le.PutUint64(b[0x18:], HeaderOffset)
	le.PutUint64(b[0x20:], HeaderOffset)
	le.PutUint64(b[0x30:], h.Catalog)
	le.PutUint64(b[0x38:], h.MaxSize)
	copy(b[0x40:], h.Volume[:])
	copy(b[0x50:], h.Storage[:])
	le.PutUint64(b[0x60:], h.Application)
	le.PutUint32(b[0x7c:], h.Protection)
	return b
}

// SnapshotEntry is catalog entry type 2.
type SnapshotEntry struct {
	Size            uint64
	Store           wintype.GUID
	Position, Flags uint64
	Created         wintype.Filetime
}

// Bytes returns 0x80 bytes.
func (e SnapshotEntry) Bytes() []byte {
	b := make([]byte, 0x80)
	le.PutUint32(b[0x00:], 2)
	le.PutUint64(b[0x08:], e.Size)
	copy(b[0x10:], e.Store[:])
	le.PutUint64(b[0x20:], e.Position)
	le.PutUint64(b[0x28:], e.Flags)
	le.PutUint64(b[0x30:], uint64(e.Created))
	return b
}

// StoreEntry is catalog entry type 3.
type StoreEntry struct {
	List                    uint64
	Store                   wintype.GUID
	Header, Ranges, Current uint64
	File, Allocated         uint64
	Previous                uint64
	Older                   uint32
}

// Bytes returns 0x80 bytes.
func (e StoreEntry) Bytes() []byte {
	b := make([]byte, 0x80)
	le.PutUint32(b[0x00:], 3)
	le.PutUint64(b[0x08:], e.List)
	copy(b[0x10:], e.Store[:])
	le.PutUint64(b[0x20:], e.Header)
	le.PutUint64(b[0x28:], e.Ranges)
	le.PutUint64(b[0x30:], e.Current)
	le.PutUint64(b[0x38:], e.File)
	le.PutUint64(b[0x40:], e.Allocated)
	le.PutUint64(b[0x48:], e.Previous)
	le.PutUint32(b[0x50:], e.Older)
	return b
}

// Information is the content of a store header.
type Information struct {
	Format, Copy, Set          wintype.GUID
	Context, Count, Attributes uint32
	Machine, Service           string
}

// Bytes returns as much as the strings need.
func (i Information) Bytes() []byte {
	b := make([]byte, 0x40)
	copy(b[0x00:], i.Format[:])
	copy(b[0x10:], i.Copy[:])
	copy(b[0x20:], i.Set[:])
	le.PutUint32(b[0x30:], i.Context)
	le.PutUint32(b[0x34:], i.Count)
	le.PutUint32(b[0x38:], i.Attributes)
	for _, s := range []string{i.Machine, i.Service} {
		u := wintype.EncodeUTF16(s)
		b = le.AppendUint16(b, uint16(2*len(u)))
		for _, c := range u {
			b = le.AppendUint16(b, c)
		}
	}
	return b
}

// Descriptor is an entry of a block list.
type Descriptor struct {
	Original, Relative, Kept uint64
	Flags, Sectors           uint32
}

// Append appends 0x20 bytes to b.
func (d Descriptor) Append(b []byte) []byte {
	b = le.AppendUint64(b, d.Original)
	b = le.AppendUint64(b, d.Relative)
	b = le.AppendUint64(b, d.Kept)
	b = le.AppendUint32(b, d.Flags)
	return le.AppendUint32(b, d.Sectors)
}

// Range is an entry of a range list: where a piece of the store file is, in bytes.
type Range struct{ Offset, Relative, Length uint64 }

// Append appends 0x18 bytes to b.
func (r Range) Append(b []byte) []byte {
	b = le.AppendUint64(b, r.Offset)
	b = le.AppendUint64(b, r.Relative)
	return le.AppendUint64(b, r.Length)
}

// Place is where a metadata block is: bytes from the start of the volume, and of its file.
type Place struct{ Offset, Relative uint64 }

// Payload returns how many bytes of entries a block of a type holds.
func Payload(kind uint32) int {
	if kind == TypeRanges {
		return 677 * 0x18
	}
	return BlockSize - 0x80
}

// Block returns a metadata block; payload may be short.
func Block(kind uint32, at Place, next uint64, payload []byte) []byte {
	b := make([]byte, BlockSize)
	copy(b, Identifier[:])
	le.PutUint32(b[0x10:], 1)
	le.PutUint32(b[0x14:], kind)
	le.PutUint64(b[0x18:], at.Relative)
	le.PutUint64(b[0x20:], at.Offset)
	le.PutUint64(b[0x28:], next)
	if kind == TypeStore {
		le.PutUint64(b[0x30:], uint64(len(payload)))
	}
	copy(b[0x80:], payload)
	return b
}

// WriteChain spreads payload over the blocks at places, each pointing to the next; what places cannot hold is dropped.
func WriteChain(w io.WriterAt, kind uint32, places []Place, payload []byte) error {
	per := Payload(kind)
	for i, at := range places {
		part := payload[:min(per, len(payload))]
		payload = payload[len(part):]
		next := uint64(0)
		if i+1 < len(places) {
			next = places[i+1].Offset
		}
		if _, err := w.WriteAt(Block(kind, at, next, part), int64(at.Offset)); err != nil {
			return err
		}
	}
	return nil
}
