package bitlockertest

import "hash/crc32"

// Sizes of what tells of encrypt-on-write.
const (
	onWriteBlock  = 56 // and 8 for each region
	onWriteBitmap = 60
	onWriteRecord = 36 // and the bits
	onWriteUnit   = 0x200
	onWriteLog    = 0x1000
)

// planOnWrite places the blocks, bitmaps and logs.
func (w *writer) planOnWrite() (err error) {
	t := &w.OnWrite
	t.Chunk = w.Chunk
	for i := range t.Blocks {
		if t.Blocks[i], err = w.zeros.next(onWriteLog); err != nil {
			return err
		}
	}
	header := w.Volume.Header
	for i, r := range []Range{{8192, header.Off - 8192}, header, {header.Off + header.Len, w.Size - header.Off - header.Len}} {
		chunks := (r.Len + w.Chunk - 1) / w.Chunk
		bits := w.noise("chunks "+string(rune('0'+i)), int(chunks+7)/8)
		size := onWriteUnit + 2*recordRoom(bits)
		region := Region{Range: r, Bits: bits, chunks: chunks, Bitmap: Range{Len: size}, Log: Range{Len: onWriteLog}}
		if region.Bitmap.Off, err = w.zeros.next(size); err != nil {
			return err
		}
		if region.Log.Off, err = w.zeros.next(onWriteLog); err != nil {
			return err
		}
		t.Regions = append(t.Regions, region)
	}
	return nil
}

// recordRoom is how many bytes a record with its bits takes.
func recordRoom(bits []byte) int64 {
	return (onWriteRecord + int64(len(bits)) + onWriteUnit - 1) / onWriteUnit * onWriteUnit
}

// writeOnWrite writes both blocks (u16 size of the header, u16 size, u32 sector, u32 ?, u32 chunk, u32 log, u32 ?, u32
// regions, u32 CRC, 2 x u64 blocks, u64 for each bitmap), and bitmaps with empty logs.
func (w *writer) writeOnWrite() error {
	t := &w.OnWrite
	b := make([]byte, onWriteBlock+8*len(t.Regions))
	copy(b, "FVE-EOW\x00")
	le.PutUint16(b[8:], onWriteBlock)
	le.PutUint16(b[10:], uint16(len(b)))
	le.PutUint32(b[12:], uint32(w.Options.Sector))
	le.PutUint32(b[16:], onWriteUnit)
	le.PutUint32(b[20:], uint32(w.Chunk))
	le.PutUint32(b[24:], onWriteLog)
	le.PutUint32(b[28:], 0x40400)
	le.PutUint32(b[32:], uint32(len(t.Regions)))
	for i, off := range t.Blocks {
		le.PutUint64(b[40+8*i:], uint64(off))
	}
	for i, r := range t.Regions {
		le.PutUint64(b[onWriteBlock+8*i:], uint64(r.Bitmap.Off))
		if err := w.put(bitmap(r, i%2), r.Bitmap.Off); err != nil {
			return err
		}
		if err := w.put(make([]byte, r.Log.Len), r.Log.Off); err != nil {
			return err
		}
	}
	le.PutUint32(b[36:], crc32.ChecksumIEEE(b))
	for _, off := range t.Blocks {
		if err := w.put(b, off); err != nil {
			return err
		}
	}
	return nil
}

// bitmap is a region's: a header (u16 size at 10, u32 size, u64 offset and length of the region, u64 log, 2 x u32 records,
// u32 room of one, u32 CRC), and two records, of which the one of that number is older and says the contrary.
func bitmap(r Region, older int) []byte {
	room := recordRoom(r.Bits)
	b := make([]byte, r.Bitmap.Len)
	copy(b, "FVE-EOWBM\x00")
	le.PutUint16(b[10:], onWriteBitmap)
	le.PutUint32(b[12:], uint32(len(b)))
	le.PutUint64(b[20:], uint64(r.Off))
	le.PutUint64(b[28:], uint64(r.Len))
	le.PutUint64(b[36:], uint64(r.Log.Off))
	for i := range int64(2) {
		at := onWriteUnit + i*room
		le.PutUint32(b[44+4*i:], uint32(at))
		record(b[at:][:room], r, i == int64(older))
	}
	le.PutUint32(b[52:], uint32(room))
	le.PutUint32(b[56:], crc32.ChecksumIEEE(b[:onWriteUnit]))
	return b
}

// record is u16 size of the header at 10, u32 size, u32 bits, u64 sequence number, u32 flags, u32 CRC, and the bits.
func record(b []byte, r Region, older bool) {
	size := onWriteRecord + len(r.Bits)
	copy(b, "FVE-EOWBR\x00")
	le.PutUint16(b[10:], onWriteRecord)
	le.PutUint32(b[12:], uint32(size))
	le.PutUint32(b[16:], uint32(r.chunks))
	le.PutUint64(b[20:], 7)
	le.PutUint32(b[28:], 2)
	copy(b[onWriteRecord:], r.Bits)
	if older {
		le.PutUint64(b[20:], 6)
		for i := range r.Bits {
			b[onWriteRecord+i] = ^r.Bits[i]
		}
	}
	le.PutUint32(b[32:], crc32.ChecksumIEEE(b[:size]))
}
