package raw

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"snapmount/imagefmt/layer"
)

// Part is a file of a split disk. One without a Source is missing.
type Part struct {
	Name string
	layer.Source
}

// Split is a disk kept in several files one after the other. Its extents are its parts: holes of sparse files are not
// looked for, because a SEEK_HOLE for each request costs as much as the read that it would save.
type Split struct {
	parts  []layer.Source
	starts []int64 // where each part begins, and the end of the last
}

// Join puts parts in a row. All but the last are of one size: what is missing of one that is shorter is Unknown, so that
// nothing behind it moves. The faults tell of such parts. It is a layer.ErrCorrupt when no size can be told.
func Join(parts []Part) (s *Split, faults []error, err error) {
	size, err := common(parts)
	if err != nil {
		return nil, nil, err
	}
	s = &Split{starts: make([]int64, 1, len(parts)+1)}
	for i, p := range parts {
		at, src, n := s.starts[i], p.Source, size
		switch {
		case src == nil:
			faults = append(faults, fmt.Errorf("part %s is missing: 0x%x bytes at 0x%x of the disk", p.Name, size, at))
			src = strings.NewReader("")
		case i == len(parts)-1:
			n = src.Size()
		case src.Size() < size:
			faults = append(faults, fmt.Errorf("part %s has 0x%x bytes, want 0x%x as the others have: 0x%x bytes at 0x%x of the disk are missing",
				p.Name, src.Size(), size, size-src.Size(), at+src.Size()))
		}
		if n > math.MaxInt64-at {
			return nil, nil, fmt.Errorf("part %s: %d bytes more than %d are too many", p.Name, n, at)
		}
		if src.Size() < n {
			if src, err = layer.Section(src, 0, n); err != nil {
				return nil, nil, err
			}
		}
		s.parts, s.starts = append(s.parts, src), append(s.starts, at+n)
	}
	return s, faults, nil
}

// common is the size of all parts but the last. Where they differ it is the largest, if two have it. The last may be
// larger by the remainder, as split(1) does it for a number of parts.
func common(parts []Part) (size int64, err error) {
	last := len(parts) - 1
	alike, have := true, 0
	for i, p := range parts {
		if p.Source == nil || i == last {
			continue
		}
		alike = alike && (have == 0 || p.Size() == size)
		size, have = max(size, p.Size()), have+1
	}
	if last < 1 {
		return 0, nil
	}
	most := size
	if alike {
		most = min(size, math.MaxInt64-int64(last)) + int64(last)
	}
	with, odd := 0, parts[last]
	for i, p := range parts {
		switch {
		case p.Source == nil:
		case p.Size() == size:
			with++
		case i < last:
			odd = p
		}
	}
	if !alike && with < 2 || parts[last].Size() > most {
		return 0, fmt.Errorf("part %s has 0x%x bytes, another 0x%x: want one size for all but the last: %w", odd.Name, odd.Size(), size, layer.ErrCorrupt)
	}
	return size, nil
}

// Size is the sum of the parts, in bytes.
func (s *Split) Size() int64 { return s.starts[len(s.parts)] }

// ReadAt implements io.ReaderAt.
func (s *Split) ReadAt(p []byte, off int64) (int, error) { return layer.Read(s, p, off, layer.Fail) }

// At implements layer.Mapper.
func (s *Split) At(off, n int64) (layer.Extent, error) {
	// The first part that ends behind off; parts may be empty.
	i := sort.Search(len(s.parts), func(i int) bool { return s.starts[i+1] > off })
	return layer.Extent{Off: off, Len: min(n, s.starts[i+1]-off), Kind: layer.Data, Base: s.parts[i], BaseOff: off - s.starts[i]}, nil
}
