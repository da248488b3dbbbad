package vhdx

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// replay returns the file as it is after the replay of its log: src itself when the log is empty. Nothing is written.
func replay(src layer.Source, h header, env format.Env) (layer.Source, error) {
	if h.logID.IsZero() || h.logLen == 0 {
		return src, nil
	}
	if h.logVersion != 0 {
		return nil, fmt.Errorf("log of version %d, want 0: %w", h.logVersion, layer.ErrUnsupported)
	}
	ring, err := megabytes(h.logOff, h.logLen)
	if err != nil || layer.Clip(src.Size(), ring.off, ring.n) < ring.n {
		return nil, layer.Corrupt("header", headerStep,
			"log of 0x%x bytes at 0x%x, want whole megabytes within the file of 0x%x bytes", h.logLen, h.logOff, src.Size())
	}
	j := &journal{src: src, ring: ring, id: h.logID, buf: make([]byte, logSector)}
	list, err := j.entries()
	if err != nil {
		return nil, err
	}
	list = j.active(list)
	if len(list) == 0 {
		env.Fault(fmt.Errorf("log at 0x%x: is not empty, but has no valid entries: what was changed last can be wrong", ring.off))
		return src, nil
	}
	env.Warn(fmt.Errorf("log at 0x%x: the file was not closed, %d log entries are replayed in memory", ring.off, len(list)))
	r := newReplayed(src, list)
	last := list[len(list)-1]
	if r.cut = last.flushed > uint64(src.Size()); r.cut {
		env.Fault(fmt.Errorf("file is cut short at 0x%x: by its log it had 0x%x bytes or more", src.Size(), last.flushed))
	} else {
		r.size = max(r.size, int64(min(last.last, math.MaxInt64)))
	}
	return r, nil
}

// patch is a range of the file that the log changes.
type patch struct {
	off, n int64
	data   int64 // where its bytes are in the sectors of the log; -1 for zeros
}

// replayed is a file with the changes of its log, a layer.Mapper.
type replayed struct {
	src     layer.Source
	size    int64
	cut     bool // what the file lacks at its end is lost; else it is zeros
	patches []patch
	sectors *sectors
}

// newReplayed applies the changes of the entries in their order: the last that changes a byte wins.
func newReplayed(src layer.Source, list []*entry) *replayed {
	r := &replayed{src: src, size: src.Size(), sectors: &sectors{src: src}}
	var changes []change
	var cuts []int64 // where changes begin and end
	for _, e := range list {
		for _, c := range e.changes {
			changes = append(changes, c)
			cuts = append(cuts, c.off, c.off+c.n)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	// From the last change to the first, each paints the pieces between cuts that are still free.
	painter := make([]int32, len(cuts)) // of each piece: 1 + the index of the change
	free := make([]int32, len(cuts)+1)  // the next piece that is perhaps free
	for i := range free {
		free[i] = int32(i)
	}
	for i := len(changes) - 1; i >= 0; i-- {
		c := changes[i]
		first, _ := slices.BinarySearch(cuts, c.off)
		for k := nextFree(free, first); k < len(cuts) && cuts[k] < c.off+c.n; k = nextFree(free, k) {
			painter[k], free[k] = int32(i+1), int32(k+1)
		}
	}
	for k, p := range painter {
		if p > 0 {
			r.add(cuts[k], cuts[k+1]-cuts[k], changes[p-1])
		}
	}
	return r
}

// nextFree follows the links of free from k, and shortens them.
func nextFree(free []int32, k int) int {
	for int(free[k]) != k {
		free[k] = free[free[k]]
		k = int(free[k])
	}
	return k
}

// add appends a range that c changes; a change to data is always of one whole sector.
func (r *replayed) add(off, n int64, c change) {
	p := patch{off, n, -1}
	if c.data != 0 {
		p.data = r.sectors.Size()
		r.sectors.list = append(r.sectors.list, c)
	}
	r.size = max(r.size, off+n)
	if i := len(r.patches) - 1; i >= 0 {
		if last := &r.patches[i]; last.off+last.n == off && (last.data < 0) == (p.data < 0) {
			last.n += n
			return
		}
	}
	r.patches = append(r.patches, p)
}

// Size is in bytes; what the log adds at the end counts.
func (r *replayed) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt.
func (r *replayed) ReadAt(p []byte, off int64) (int, error) { return layer.Read(r, p, off, layer.Fail) }

// Extents implements layer.Mapper.
// At implements layer.Mapper.
func (r *replayed) At(off, n int64) (layer.Extent, error) {
	i := sort.Search(len(r.patches), func(i int) bool { return r.patches[i].off+r.patches[i].n > off })
	if i < len(r.patches) {
		switch p := r.patches[i]; {
		case off < p.off:
			n = min(n, p.off-off)
		case p.data < 0:
			return layer.Extent{Off: off, Len: min(n, p.off+p.n-off), Kind: layer.Zero}, nil
		default:
			return layer.Extent{Off: off, Len: min(n, p.off+p.n-off), Base: r.sectors, BaseOff: p.data + off - p.off}, nil
		}
	}
	if k := layer.Clip(r.src.Size(), off, n); k > 0 {
		return layer.Extent{Off: off, Len: k, Base: r.src, BaseOff: off}, nil
	}
	if r.cut {
		return layer.Extent{Off: off, Len: n}.Lost(layer.Missing), nil
	}
	return layer.Extent{Off: off, Len: n, Kind: layer.Zero}, nil
}

// sectors are the sectors that the log keeps, one after the other: a leaf. Each is put together when it is read, from
// the log and its descriptor.
type sectors struct {
	src  layer.Source
	list []change
}

// Size is in bytes.
func (s *sectors) Size() int64 { return int64(len(s.list)) * logSector }

// Describe implements layer.Described.
func (s *sectors) Describe() string { return "log" }

// ReadAt implements io.ReaderAt.
func (s *sectors) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, s.Size(), s.read)
}

func (s *sectors) read(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		c, in := s.list[at/logSector], int(at%logSector)
		b := p[n:min(len(p), n+logSector-in)]
		if err := layer.ReadFull(s.src, b, c.data+int64(in)); err != nil {
			return n, fmt.Errorf("log at 0x%x: %w", c.data, err)
		}
		overlay(b, in, c.leading[:], 0)
		overlay(b, in, c.trailing[:], logSector-trailingLen)
		n += len(b)
	}
	return n, nil
}

// overlay puts what begins at at over the part of it that b has, which begins at in.
func overlay(b []byte, in int, what []byte, at int) {
	lo, hi := max(in, at), min(in+len(b), at+len(what))
	if lo < hi {
		copy(b[lo-in:], what[lo-at:hi-at])
	}
}
