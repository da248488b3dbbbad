package bitlocker

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"slices"

	"snapmount/imagefmt/layer"
)

// Encrypt-on-write (Windows 8 and later) encrypts a volume in chunks, in any order. Two equal blocks name a bitmap for each
// of some regions, which tells which chunks of it are encrypted.

const (
	maxEOW    = 64 << 10 // bytes of a block, whose size is a u16
	maxBitmap = 64 << 10 // bytes of a bitmap with its two records; the known ones have 0x600
	maxChunks = 1 << 23  // of a volume: 64 TiB of chunks of 8 MiB
	maxPieces = 1 << 18  // of a volume, where encrypted chunks and others take turns
)

// An eow is what the blocks and the bitmaps of encrypt-on-write say.
type eow struct {
	reserved []span // where blocks, bitmaps and logs lie
	regions  []eowRegion
}

type span struct{ off, n int64 }

// An eowRegion is a range of the volume whose chunks count from its start.
type eowRegion struct {
	span
	chunk int64
	bits  []byte // of chunks, the lowest first: 1 is encrypted
	count int64  // of bits
	err   error  // what is wrong with a record
}

// checked reports whether the CRC-32 at an offset of b is that of b with zeros there.
func checked(b []byte, at int) bool {
	sum := crc32.ChecksumIEEE(b[:at])
	sum = crc32.Update(sum, crc32.IEEETable, make([]byte, 4))
	return crc32.Update(sum, crc32.IEEETable, b[at+4:]) == le.Uint32(b[at:])
}

// readEOW reads the first of the two blocks that holds, and all bitmaps. What is wrong with a bitmap is the region's.
func readEOW(src layer.Source, blocks [2]int64) (*eow, []error, error) {
	var warnings []error
	for _, off := range blocks {
		b, err := readEOWBlock(src, off)
		if err != nil {
			warnings = append(warnings, err)
			continue
		}
		e, more := b.bitmaps(src)
		if b.blocks != blocks {
			warnings = append(warnings, layer.Corrupt("encrypt-on-write block", off, "it says that both are at 0x%x, and the boot sector at 0x%x", b.blocks, blocks))
		}
		for _, at := range b.blocks {
			e.reserved = append(e.reserved, span{at, b.size})
		}
		if other, err := readEOWBlock(src, blocks[1]); off == blocks[0] && err != nil {
			warnings = append(warnings, err)
		} else if err == nil && !slices.Equal(b.places, other.places) {
			warnings = append(warnings, layer.Corrupt("encrypt-on-write block", blocks[1], "it names other bitmaps than the one at 0x%x, which is used", off))
		}
		return e, append(warnings, more...), nil
	}
	return nil, nil, fmt.Errorf("encrypt-on-write is under way, and neither of its blocks tells what is encrypted: %w", joined(warnings))
}

// An eowBlock is a block of encrypt-on-write.
type eowBlock struct {
	off, size, chunk, log int64
	blocks                [2]int64 // where this one and its copy are
	places                []int64  // of bitmaps
}

// readEOWBlock decodes the block at off: signature, u16 header size 56, u16 size, u32 bytes of a sector at 12, u32 bytes of
// a chunk at 20, u32 bytes of a log at 24, u32 regions at 32, u32 CRC-32 at 36, u64 of both blocks' offsets, and from 56 on
// a u64 for each bitmap.
func readEOWBlock(src layer.Source, off int64) (*eowBlock, error) {
	fail := func(format string, args ...any) (*eowBlock, error) {
		return nil, layer.Corrupt("encrypt-on-write block", off, format, args...)
	}
	b, err := readSized(src, "encrypt-on-write block", off, "FVE-EOW\x00", 10, 56, maxEOW)
	if err != nil {
		return nil, err
	}
	e := &eowBlock{off: off, size: int64(len(b)), chunk: int64(le.Uint32(b[20:])), log: int64(le.Uint32(b[24:])), blocks: [2]int64{place(b[40:]), place(b[48:])}}
	count := int64(le.Uint32(b[32:]))
	switch {
	case !checked(b, 36):
		return fail("wrong checksum %08x", le.Uint32(b[36:]))
	case le.Uint16(b[8:]) != 56 || count > (e.size-56)/8:
		return fail("%d regions behind a header of %d bytes, of 0x%x", count, le.Uint16(b[8:]), e.size)
	case e.chunk == 0 || e.chunk%512 != 0:
		return fail("chunks of 0x%x bytes", e.chunk)
	}
	for i := range count {
		e.places = append(e.places, place(b[56+8*i:]))
	}
	return e, nil
}

// readSized reads a structure that begins with a signature and tells its size, a u16 at 10 or a u32 at 12.
func readSized(src layer.Source, what string, off int64, signature string, at int, low, high int64) ([]byte, error) {
	if layer.Clip(src.Size(), off, low) < low {
		return nil, layer.Cut(what, off, low, src.Size())
	}
	b := make([]byte, low)
	if err := layer.ReadFull(src, b, off); err != nil {
		return nil, fmt.Errorf("%s at 0x%x: %w", what, off, err)
	}
	if string(b[:len(signature)]) != signature {
		return nil, layer.Corrupt(what, off, "signature %x, want %q", b[:len(signature)], signature)
	}
	size := int64(le.Uint16(b[at:]))
	if at == 12 {
		size = int64(le.Uint32(b[at:]))
	}
	if size < low || size > high {
		return nil, layer.Corrupt(what, off, "a size of 0x%x, want 0x%x to 0x%x", size, low, high)
	}
	if layer.Clip(src.Size(), off, size) < size {
		return nil, layer.Cut(what, off, size, src.Size())
	}
	b = make([]byte, size)
	if err := layer.ReadFull(src, b, off); err != nil {
		return nil, fmt.Errorf("%s at 0x%x: %w", what, off, err)
	}
	return b, nil
}

// bitmaps reads all bitmaps of a block.
func (e *eowBlock) bitmaps(src layer.Source) (*eow, []error) {
	var warnings []error
	all, total := &eow{}, int64(0)
	for _, off := range e.places {
		b, err := readSized(src, "encrypt-on-write bitmap", off, "FVE-EOWBM\x00", 12, 60, maxBitmap)
		if err != nil {
			warnings = append(warnings, fmt.Errorf("%w: which parts of its region are encrypted is not known", err))
			continue
		}
		all.reserved = append(all.reserved, span{off, int64(len(b))})
		r, log, err := decodeBitmap(b, off)
		if err != nil {
			warnings = append(warnings, err)
			continue
		}
		all.reserved = append(all.reserved, span{log, e.log})
		r.chunk, r.bits = e.chunk, slices.Clone(r.bits) // and not all of b
		if total += r.count; total > maxChunks {
			r.bits, r.count, r.err = nil, 0, fmt.Errorf("encrypt-on-write bitmap at 0x%x: the volume has over %d chunks: %w", off, maxChunks, layer.ErrUnsupported)
		}
		if r.err != nil {
			warnings = append(warnings, r.err)
		}
		all.regions = append(all.regions, r)
	}
	return all, warnings
}

// decodeBitmap decodes a bitmap: signature, u16 header size 60, u32 size at 12, u64 offset and u64 size of its region at 20,
// u64 offset of the log at 36, u32 offsets of two records at 44, u32 size of a record at 52, u32 CRC-32 at 56 of what is
// before the first record. Of the records, the valid one with the higher sequence number counts.
func decodeBitmap(b []byte, off int64) (r eowRegion, log int64, err error) {
	first, second, size := int64(le.Uint32(b[44:])), int64(le.Uint32(b[48:])), int64(le.Uint32(b[52:]))
	if le.Uint16(b[10:]) != 60 || first < 60 || first > int64(len(b)) || !checked(b[:first], 56) {
		return r, 0, layer.Corrupt("encrypt-on-write bitmap", off, "wrong checksum %08x, or records at 0x%x of 0x%x: which parts of its region are encrypted is not known", le.Uint32(b[56:]), first, len(b))
	}
	r.span = span{place(b[20:]), place(b[28:])}
	newest := uint64(0)
	for _, at := range []int64{first, second} {
		bits, count, sequence, err := decodeRecord(b, at, size, off)
		switch {
		case err != nil:
			r.err = err
		case r.bits == nil || sequence > newest:
			r.bits, r.count, newest = bits, count, sequence
		}
	}
	if r.bits != nil && r.err != nil {
		r.err = fmt.Errorf("%w: the other record is used, which may be older", r.err)
	}
	return r, place(b[36:]), nil
}

// decodeRecord decodes a record of a bitmap at off: signature, u16 header size 36, u32 size at 12, u32 number of bits, u64
// sequence number at 20, u32 flags, u32 CRC-32 at 32, and bits.
func decodeRecord(b []byte, at, size, off int64) (bits []byte, count int64, sequence uint64, err error) {
	fail := func(format string, args ...any) ([]byte, int64, uint64, error) {
		return nil, 0, 0, layer.Corrupt("encrypt-on-write record", off+at, format, args...)
	}
	if layer.Clip(int64(len(b)), at, size) < size || size < 36 {
		return fail("0x%x bytes at 0x%x of 0x%x", size, at, len(b))
	}
	b = b[at : at+size]
	n := int64(le.Uint32(b[12:]))
	if string(b[:10]) != "FVE-EOWBR\x00" || le.Uint16(b[10:]) != 36 || n < 36 || n > size {
		return fail("signature %x, header of %d bytes, a size of 0x%x", b[:10], le.Uint16(b[10:]), n)
	}
	if b = b[:n]; !checked(b, 32) {
		return fail("wrong checksum %08x", le.Uint32(b[32:]))
	}
	if count = int64(le.Uint32(b[16:])); count > 8*(n-36) {
		return fail("%d bits in 0x%x bytes", count, n-36)
	}
	return b[36:][:(count+7)/8], count, le.Uint64(b[20:]), nil
}

// ranges appends which parts of the region are encrypted, and which are not; what no bit tells of is refused.
func (r *eowRegion) ranges(out []piece, size int64) []piece {
	n, i := layer.Clip(size, r.off, r.n), int64(0)
	for ; i < r.count && i*r.chunk < n && len(out) < maxPieces; i++ {
		p := piece{off: r.off + i*r.chunk, kind: piecePlain}
		p.n = min(r.chunk, n-i*r.chunk)
		if r.bits[i/8]>>(i%8)&1 == 1 {
			p.kind = pieceCipher
		}
		p.from = p.off
		if last := len(out) - 1; last >= 0 && out[last].kind == p.kind && out[last].off+out[last].n == p.off {
			out[last].n += p.n
			continue
		}
		out = append(out, p)
	}
	if told := min(n, i*r.chunk); told < n {
		out = append(out, refused(r.off+told, n-told, cmp.Or(r.err, errNoBit)))
	}
	return out
}
