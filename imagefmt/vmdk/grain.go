package vmdk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zlib"

	"snapmount/imagefmt/layer"
)

const cacheWays = 4 // slots in which a grain may be

// packedGrain is one compressed grain. It is a value, so that two mappings to the same one compare equal.
type packedGrain struct {
	s     *sparse
	off   int64 // bytes, in the file
	start int64 // bytes, in the extent
}

// grainCache holds unpacked grains.
type grainCache struct {
	units     []atomic.Pointer[unit] // by a hash of the offset, see cached
	turn      atomic.Uint32
	inflaters sync.Pool
	buffers   sync.Pool
}

// unit is an unpacked grain in the cache. The first who asks unpacks it; only who wants the same one waits.
type unit struct {
	grain packedGrain
	once  sync.Once
	data  []byte
	err   error
}

// Size is one grain; the last one of an extent may be shorter.
func (g packedGrain) Size() int64 { return min(g.s.grain, g.s.capacity-g.start) }

func (g packedGrain) String() string { return fmt.Sprintf("a compressed grain at 0x%x", g.off) }

// ReadAt implements io.ReaderAt. A read of the whole grain is unpacked in place, others through the cache.
func (g packedGrain) ReadAt(p []byte, off int64) (int, error) {
	size := g.Size()
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	if layer.Clip(size, off, int64(len(p))) == 0 {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	u, slot := g.s.cached(g)
	if u == nil {
		if off == 0 && int64(len(p)) == size {
			if err := g.unpack(p); err != nil {
				return 0, err
			}
			return len(p), nil
		}
		u = &unit{grain: g}
		slot.Store(u)
	}
	u.once.Do(func() {
		b := make([]byte, size)
		if u.err = g.unpack(b); u.err == nil {
			u.data = b
		}
	})
	if u.err != nil {
		slot.CompareAndSwap(u, nil) // a failing disk may answer the next time
		return 0, u.err
	}
	n := copy(p, u.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// cached looks for a grain in the few slots that may hold it. Without one it returns the slot to fill: an empty one, or
// each in turn.
func (c *grainCache) cached(g packedGrain) (*unit, *atomic.Pointer[unit]) {
	n := uint64(len(c.units))
	first := (uint64(g.off/sectorLen) + uint64(g.s.salt)) * 0x9e3779b97f4a7c15 >> 32 // Fibonacci hashing
	var free *atomic.Pointer[unit]
	for way := range uint64(cacheWays) {
		slot := &c.units[(first+way)%n]
		u := slot.Load()
		if u != nil && u.grain == g {
			return u, slot
		}
		if u == nil && free == nil {
			free = slot
		}
	}
	if free == nil {
		free = &c.units[(first+uint64(c.turn.Add(1))%cacheWays)%n]
	}
	return nil, free
}

// unpack fills dst, the whole grain.
func (g packedGrain) unpack(dst []byte) error {
	s := g.s
	buf, _ := s.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer s.buffers.Put(buf)
	b, err := g.packedData(buf)
	if err != nil {
		return err
	}
	if err := s.inflate(b, dst, s.grain); err != nil {
		return layer.Corrupt("compressed grain", g.off, "%w", err)
	}
	return nil
}

// packedData reads the grain's data, and some bytes more when no marker tells its length. Almost always one read is
// enough.
func (g packedGrain) packedData(buf *[]byte) ([]byte, error) {
	s := g.s
	b, err := s.read(buf, g.off, s.grain)
	if err != nil || !s.markers {
		return b, err
	}
	if len(b) < grainMarkerLen {
		return nil, layer.Corrupt("grain marker", g.off, "past the end of the file of 0x%x bytes", s.src.Size())
	}
	le := binary.LittleEndian
	lba, size := le.Uint64(b[0:]), int64(le.Uint32(b[8:]))
	switch {
	case lba != uint64(g.start/sectorLen):
		return nil, layer.Corrupt("grain marker", g.off, "of sector 0x%x, want 0x%x", lba, g.start/sectorLen)
	case size == 0 || size > s.maxPackedGrain():
		return nil, layer.Corrupt("grain marker", g.off, "0x%x bytes of packed data, want 1 to 0x%x", size, s.maxPackedGrain())
	}
	if size > int64(len(b))-grainMarkerLen {
		if b, err = s.read(buf, g.off, grainMarkerLen+size); err != nil {
			return nil, err
		}
		if int64(len(b)) < grainMarkerLen+size {
			return nil, layer.Corrupt("compressed grain", g.off, "0x%x bytes, cut by the end of the file at 0x%x", size, s.src.Size())
		}
	}
	return b[grainMarkerLen:][:size], nil
}

// maxPackedGrain is more than deflate makes of a grain that it cannot pack.
func (s *sparse) maxPackedGrain() int64 { return 2*s.grain + sectorLen }

// read returns up to n bytes of the file in buf, fewer at its end.
func (s *sparse) read(buf *[]byte, off, n int64) ([]byte, error) {
	n = layer.Clip(s.src.Size(), off, n)
	if int64(cap(*buf)) < n {
		*buf = make([]byte, n)
	}
	b := (*buf)[:n]
	if err := layer.ReadFull(s.src, b, off); err != nil {
		return nil, fmt.Errorf("compressed grain at 0x%x: %w", off, err)
	}
	return b, nil
}

// inflate fills dst from the zlib stream in b, which holds up to a grain and whose checksum must be right.
func (c *grainCache) inflate(b, dst []byte, grain int64) error {
	in := bytes.NewReader(b)
	z, _ := c.inflaters.Get().(io.ReadCloser)
	var err error
	if z == nil {
		z, err = zlib.NewReader(in)
	} else {
		err = z.(zlib.Resetter).Reset(in, nil)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	defer c.inflaters.Put(z)
	n, err := io.ReadFull(z, dst)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("unpacks to 0x%x bytes, want 0x%x", n, len(dst))
	}
	if err == nil { // the checksum is tested at the end; the last grain may be longer than the extent needs
		_, err = io.CopyN(io.Discard, z, grain-int64(len(dst))+1)
	}
	switch err {
	case nil:
		return fmt.Errorf("unpacks to more than 0x%x bytes", grain)
	case io.EOF:
		return nil
	}
	return err
}
