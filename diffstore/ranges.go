package diffstore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"snapmount/imagefmt/layer"
)

const (
	rangeSize = 0x18
	// maxRanges bounds the range list of a store file in blocks: 2.7 million pieces.
	maxRanges = 4096
)

// fileRange is an entry of a range list, 0x18 bytes: a piece of the store file. All are in bytes.
type fileRange struct {
	off uint64 // on the volume
	rel uint64 // in the store file
	len uint64
}

func decodeRange(b []byte) fileRange {
	le := binary.LittleEndian
	return fileRange{off: le.Uint64(b[0x00:]), rel: le.Uint64(b[0x08:]), len: le.Uint64(b[0x10:])}
}

// valid reports whether r may be a piece of a file on a volume of size bytes.
func (r fileRange) valid(size uint64) bool {
	return (r.off|r.rel|r.len)%BlockSize == 0 && r.off > 0 && r.len > 0 &&
		r.off < size && r.len <= size-r.off && r.rel < uint64(maxVolume) && r.len <= uint64(maxVolume)-r.rel
}

// placement says where the blocks of a store file are on the volume that holds it: the second address of each (rule 16).
// A nil placement knows nothing.
type placement struct {
	ranges []fileRange // by rel, without overlap
	start  fileRange   // of the file, where the list may leave it out: in one piece, by habit of Windows; no witness
	blocks []record    // of the range list itself
}

// find returns which range has byte rel of the store file.
func (p *placement) find(rel uint64) (int, bool) {
	if p == nil {
		return 0, false
	}
	i, found := slices.BinarySearchFunc(p.ranges, rel, func(r fileRange, rel uint64) int { return cmp.Compare(r.rel, rel) })
	if !found {
		i--
	}
	return i, i >= 0 && rel-p.ranges[i].rel < p.ranges[i].len
}

// offset returns where byte rel of the store file is on the volume.
func (p *placement) offset(rel uint64) (uint64, bool) {
	i, ok := p.find(rel)
	if !ok {
		return 0, false
	}
	return p.ranges[i].off + rel - p.ranges[i].rel, true
}

// likely is offset with what is no proof.
func (p *placement) likely(rel uint64) (uint64, bool) {
	if off, ok := p.offset(rel); ok || rel >= p.start.len {
		return off, ok
	}
	return p.start.off + rel, true
}

// relative returns which byte of the store file is likely at off of the volume.
func (p *placement) relative(off uint64) (uint64, bool) {
	for _, r := range append(p.ranges[:len(p.ranges):len(p.ranges)], p.start) {
		if off >= r.off && off-r.off < r.len {
			return off - r.off + r.rel, true
		}
	}
	return 0, false
}

// readPlacement reads the range list of a store (type 5); nil when there is none that can be read. It is a witness only,
// so that damage is told and hides nothing.
// buf may have its first block.
func (s *Snapshot) readPlacement(a area, buf gulp) *placement {
	if s.entry.ranges == 0 {
		return nil
	}
	size := uint64(maxVolume)
	if a.file == nil {
		size = uint64(a.src.Size())
	}
	p, odd := &placement{}, 0
	ch := chain{area: a, name: "range list", kind: typeRanges, warn: s.warn, gulp: buf}
	err := ch.each(s.vol.ctx, s.entry.ranges, maxRanges, func(_ uint64, r record, payload []byte) bool {
		p.blocks = append(p.blocks, r)
		for i := 0; i+rangeSize <= len(payload); i += rangeSize {
			switch r := decodeRange(payload[i:]); {
			case r == fileRange{}:
			case r.valid(size):
				p.ranges = append(p.ranges, r)
			default:
				odd++
			}
		}
		return true
	})
	odd += p.settle()
	for _, r := range p.blocks { // the list has its own place right, of which it tells too
		if i, ok := p.find(r.relative); ok && p.ranges[i].off+r.relative-p.ranges[i].rel != r.current {
			p.ranges = slices.Delete(p.ranges, i, i+1)
			odd++
		}
	}
	if odd > 0 {
		err = errors.Join(err, layer.Corrupt("range list", int64(s.entry.ranges), "%d entries that cannot be", odd))
	}
	if err != nil {
		s.warn(fmt.Errorf("%w; the blocks that it is about have one address only", err))
	}
	if len(p.ranges) == 0 {
		return nil
	}
	if first := p.ranges[0]; first.rel > 0 && (first.off < s.entry.header || first.off >= s.entry.header+first.rel) {
		p.start = fileRange{off: s.entry.header, len: first.rel}
	}
	return p
}

// settle sorts the ranges and drops those that claim what another one has; it returns how many.
func (p *placement) settle() int {
	n := len(p.ranges)
	for _, by := range []func(r fileRange) uint64{
		func(r fileRange) uint64 { return r.off },
		func(r fileRange) uint64 { return r.rel },
	} {
		slices.SortFunc(p.ranges, func(a, b fileRange) int { return cmp.Compare(by(a), by(b)) })
		kept := p.ranges[:0]
		for i := 0; i < len(p.ranges); {
			end, j := by(p.ranges[i])+p.ranges[i].len, i+1
			for ; j < len(p.ranges) && by(p.ranges[j]) < end; j++ {
				end = max(end, by(p.ranges[j])+p.ranges[j].len)
			}
			if j == i+1 {
				kept = append(kept, p.ranges[i])
			}
			i = j
		}
		p.ranges = kept
	}
	return n - len(p.ranges)
}

// votes count, by range, the blocks whose two addresses agree, and those whose do not; last those outside of all ranges.
type votes [][2]int

// vote notes whether the two addresses of a block agree. It reports false, and the range, when they contradict.
func (p *placement) vote(v votes, rel, off uint64) (which int, agree bool) {
	if p == nil {
		return 0, true
	}
	i, ok := p.find(rel)
	switch {
	case ok:
		agree = p.ranges[i].off+rel-p.ranges[i].rel == off
	case rel < p.start.len && rel%BlockSize == 0: // of which the list says nothing
		return 0, true
	default:
		i = len(p.ranges)
	}
	if agree {
		v[i][0]++
	} else {
		v[i][1]++
	}
	return i, agree
}

// doubted reports whether so many blocks contradict range i that it is the range that is wrong.
func (v votes) doubted(i int) bool {
	agreed := v[i][0]
	if i == len(v)-1 { // a list that lacks a range
		for _, r := range v {
			agreed += r[0]
		}
		agreed /= 8
	}
	return v[i][1] > max(1, agreed)
}

// placement returns where the blocks of the store are by the range list in one of its areas, or nil; buf may have its first
// block.
func (s *Snapshot) placement(i int, buf gulp) *placement {
	s.placed.mu.Lock()
	defer s.placed.mu.Unlock()
	if s.placed.by == nil {
		s.placed.by = map[int]*placement{}
	}
	p, ok := s.placed.by[i]
	if !ok {
		p = s.readPlacement(s.areas[i], buf)
		s.placed.by[i] = p
	}
	return p
}

// placements are kept by area.
type placements struct {
	mu sync.Mutex
	by map[int]*placement
}
