package vmdk

import (
	"encoding/binary"
	"fmt"
	"sort"
	"sync"

	"snapmount/imagefmt/chunks"
	"snapmount/imagefmt/inflate"
	"snapmount/imagefmt/layer"
)

// packedGrains unpacks the compressed grains of a disk. An extent counts its own from the number of its first sector on,
// so that no two have the same.
type packedGrains struct {
	extents []*sparse // those that are compressed, by their first grain
	workers sync.Pool // of *worker
}

// worker is what unpacking needs, to be used again.
type worker struct {
	zlib inflate.Decoder
	buf  []byte
}

// newPackedGrains gives each compressed extent the Source of its grains.
func newPackedGrains(d *Disk) {
	var p packedGrains
	largest := int64(0)
	for _, x := range d.extents {
		if s := x.grains; s != nil && s.packed {
			s.unpacked = &chunks.Source{First: x.start / sectorLen, Piece: s.grain, Bytes: s.capacity, Name: "compressed grains of a VMDK image"}
			largest = max(largest, s.grain)
			p.extents = append(p.extents, s)
		}
	}
	if len(p.extents) == 0 {
		return
	}
	cache := chunks.New(d.size/sectorLen, largest, p.load, nil)
	for _, s := range p.extents {
		s.unpacked.Cache = cache
	}
}

// load returns a grain that was unpacked; the last one of an extent may be shorter.
func (p *packedGrains) load(number int64) ([]byte, error) {
	s := p.extents[sort.Search(len(p.extents), func(i int) bool { return p.extents[i].unpacked.First > number })-1]
	g := packedGrain{s: s, start: (number - s.unpacked.First) * s.grain}
	var at spot
	var err error
	if g.start < s.capacity {
		at, _, err = s.locate(g.start, 1)
	}
	if err == nil && at.state != kept {
		err = fmt.Errorf("grain at 0x%x of the extent: not in the file", g.start)
	}
	if err != nil {
		return nil, err
	}
	g.off = at.off
	w, _ := p.workers.Get().(*worker)
	if w == nil {
		w = new(worker)
	}
	defer p.workers.Put(w)
	return g.unpack(w)
}

// packedGrain is one compressed grain.
type packedGrain struct {
	s     *sparse
	off   int64 // bytes, in the file
	start int64 // bytes, in the extent
}

// unpack returns the grain. The stream may hold more than the end of the extent needs, up to a whole grain.
func (g packedGrain) unpack(w *worker) ([]byte, error) {
	b, err := g.packedData(&w.buf)
	if err != nil {
		return nil, err
	}
	want := min(g.s.grain, g.s.capacity-g.start)
	dst := make([]byte, g.s.grain)
	n, _, err := w.zlib.Zlib(dst, b)
	if err == nil && int64(n) < want {
		err = fmt.Errorf("unpacks to 0x%x bytes, want 0x%x", n, want)
	}
	if err != nil {
		return nil, layer.Corrupt("compressed grain", g.off, "%w", err)
	}
	return dst[:want], nil
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
		return nil, layer.Cut("grain marker", g.off, grainMarkerLen, s.src.Size())
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
			return nil, layer.Cut("compressed grain", g.off, size, s.src.Size())
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
