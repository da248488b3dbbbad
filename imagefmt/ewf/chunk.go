package ewf

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"

	"snapmount/imagefmt/inflate"
	"snapmount/imagefmt/layer"
)

const (
	marksChunks = 1 << 15 // chunks of one set of marks
	zerosMax    = 1 << 12 // packed chunks of zeros are shorter
	sumLen      = 4       // of an Adler-32
)

// marks has a bit for each of marksChunks chunks; atomic.
type marks [marksChunks / 32]uint32

func (d *Disk) isVerified(c int64) bool {
	if c/marksChunks >= int64(len(d.verified)) { // behind all tables
		return false
	}
	m := d.verified[c/marksChunks].Load()
	c %= marksChunks
	return m != nil && atomic.LoadUint32(&m[c/32])>>(c%32)&1 != 0
}

func (d *Disk) setVerified(c int64) {
	p := &d.verified[c/marksChunks]
	if p.Load() == nil {
		p.CompareAndSwap(nil, new(marks))
	}
	c %= marksChunks
	atomic.OrUint32(&p.Load()[c/32], 1<<(c%32))
}

// load unpacks chunk c, or verifies one that is stored as it is, of which it returns nil.
func (d *Disk) load(c int64) ([]byte, error) {
	s, err := d.slot(c)
	switch {
	case err != nil:
		return nil, err
	case s.kind != kindPlain:
		return d.unpack(c, s)
	case d.isVerified(c):
		return nil, nil
	}
	return nil, d.verify(c, s)
}

// inflater is what unpacking needs, to be used again.
type inflater struct {
	zlib inflate.Decoder
	buf  []byte
}

// stored reads the n bytes that are stored for a chunk into f.
func (f *inflater) stored(s slot, n int64) ([]byte, error) {
	if int64(cap(f.buf)) < n {
		f.buf = make([]byte, n)
	}
	b := f.buf[:n]
	return b, layer.ReadFull(s.src, b, s.off)
}

func (d *Disk) inflater() *inflater {
	if f, _ := d.inflaters.Get().(*inflater); f != nil {
		return f
	}
	return new(inflater)
}

// wrap names the chunk in an error.
func (s slot) wrap(c int64, err error) error {
	return fmt.Errorf("segment %d: chunk %d: %w", s.segment, c, err)
}

// verify compares the checksum of a chunk that is stored as it is.
func (d *Disk) verify(c int64, s slot) error {
	n := d.chunkLen(c)
	if !s.sum {
		if s.n < n || layer.Clip(s.src.Size(), s.off, n) < n {
			return s.wrap(c, layer.Corrupt("chunk", s.off, "0x%x bytes, want 0x%x", s.n, n))
		}
		d.setVerified(c)
		return nil
	}
	have := min(s.n, layer.Clip(s.src.Size(), s.off, d.chunkSize+sumLen))
	if s.exact && s.n == n { // the length is without the checksum
		have = layer.Clip(s.src.Size(), s.off, n+sumLen)
	}
	if have < n+sumLen {
		return s.wrap(c, layer.Corrupt("chunk", s.off, "0x%x bytes, want 0x%x", have, n+sumLen))
	}
	f := d.inflater()
	defer d.inflaters.Put(f)
	b, err := f.stored(s, have)
	if err != nil {
		return s.wrap(c, fmt.Errorf("at 0x%x: %w", s.off, err))
	}
	got, want := inflate.Adler32(b[:n]), binary.LittleEndian.Uint32(b[n:])
	if got != want && have > n+sumLen { // the last chunk may be stored in full length
		got, want = inflate.Adler32(b[:have-sumLen]), binary.LittleEndian.Uint32(b[have-sumLen:])
	}
	if got != want {
		return s.wrap(c, layer.Corrupt("chunk", s.off, "adler-32 0x%08x, want 0x%08x", got, want))
	}
	d.setVerified(c)
	return nil
}

// unpack returns chunk c, which is stored packed.
func (d *Disk) unpack(c int64, s slot) ([]byte, error) {
	dst := make([]byte, d.chunkSize)
	if s.kind == kindPattern {
		for i := range dst {
			dst[i] = byte(uint64(s.off) >> (i % 8 * 8))
		}
		return dst[:d.chunkLen(c)], nil
	}
	most := d.chunkSize + d.chunkSize/8 + 1024 // more than any packer needs for what it cannot pack
	f := d.inflater()
	defer d.inflaters.Put(f)
	b, err := f.stored(s, layer.Clip(s.src.Size(), s.off, min(s.n, most)))
	if err != nil {
		return nil, s.wrap(c, fmt.Errorf("at 0x%x: %w", s.off, err))
	}
	if z := d.zeros.Load(); z != nil && s.kind == kindZlib && bytes.HasPrefix(b, *z) {
		return dst[:d.chunkLen(c)], nil
	}
	n, used := 0, 0
	if s.kind == kindZlib {
		n, used, err = f.zlib.Zlib(dst, b)
	} else {
		n, err = unpackBzip2(dst, b)
	}
	want := d.chunkLen(c) // the last chunk may be packed in full length
	if err == nil && int64(n) != want && int64(n) != d.chunkSize && !d.isTail(int64(n)-want) {
		err = fmt.Errorf("unpacks to 0x%x bytes, want 0x%x", n, want)
	}
	if err != nil {
		return nil, s.wrap(c, layer.Corrupt("chunk", s.off, "%w", err))
	}
	if used > 0 && used <= zerosMax && d.zeros.Load() == nil && len(bytes.TrimLeft(dst[:n], "\x00")) == 0 && int64(n) == d.chunkSize {
		z := bytes.Clone(b[:used])
		d.zeros.CompareAndSwap(nil, &z)
	}
	return dst[:want], nil
}

// unpackBzip2 unpacks all of the stream in b, whose checksum is compared.
func unpackBzip2(dst, b []byte) (int, error) {
	z := bzip2.NewReader(bytes.NewReader(b))
	n, err := io.ReadFull(z, dst)
	if err == nil {
		var more [1]byte
		if k, end := z.Read(more[:]); k > 0 {
			return n, inflate.ErrLong
		} else if end != io.EOF {
			return n, end
		}
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return n, err
}

// unpacked presents the disk where its chunks are packed: offsets are the disk's, so that neighbours are one extent.
type unpacked struct{ d *Disk }

// Size is that of the disk.
func (u *unpacked) Size() int64 { return u.d.size }

// Describe implements layer.Described.
func (u *unpacked) Describe() string { return "unpacked chunks of an EWF image" }

// ReadAt implements io.ReaderAt.
func (u *unpacked) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, u.d.size, u.read)
}

func (u *unpacked) read(p []byte, off int64) (n int, err error) {
	d := u.d
	d.chunks.Follow(off/d.chunkSize, (off+int64(len(p))-1)/d.chunkSize)
	for n < len(p) {
		c := (off + int64(n)) / d.chunkSize
		in := off + int64(n) - c*d.chunkSize
		dst := p[n:min(int64(len(p)), int64(n)+d.chunkLen(c)-in)]
		if err := d.read(c, dst, in); err != nil {
			d.forgiven(c, err)
			return n, err
		}
		n += len(dst)
	}
	return n, nil
}

// read fills dst from in of chunk c, however it is stored.
func (d *Disk) read(c int64, dst []byte, in int64) error {
	s, err := d.slot(c)
	if err != nil {
		return err
	}
	var data []byte
	if s.kind != kindPlain || !d.isVerified(c) {
		if data, err = d.chunks.Piece(c); err != nil {
			return err
		}
	}
	if s.kind == kindPlain {
		return layer.ReadFull(s.src, dst, s.off+in)
	}
	copy(dst, data[in:])
	return nil
}
