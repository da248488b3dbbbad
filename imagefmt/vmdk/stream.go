package vmdk

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"snapmount/imagefmt/layer"
)

// maxTrailer is how far before the end of a file the footer of a stream is looked for: some archives pad their files.
const maxTrailer = 64 << 10

// readFooter finds the copy of the header at the end of a stream, which says where the directory is: behind a marker of
// its kind, before the marker of the end.
func readFooter(src layer.Source) (hostedHeader, error) {
	n := min(src.Size(), maxTrailer)
	n -= n % sectorLen
	from := (src.Size() - n) / sectorLen * sectorLen
	b := make([]byte, n)
	if err := layer.ReadFull(src, b, from); err != nil {
		return hostedHeader{}, fmt.Errorf("footer: %w", err)
	}
	for at := len(b) - sectorLen; at >= sectorLen; at -= sectorLen {
		m := decodeMarker(b[at-sectorLen:])
		if string(b[at:at+4]) != magicHosted || m.kind != markerFooter || m.size != 0 {
			continue
		}
		if h := decodeHosted(b[at:]); h.directory != atEnd {
			return h, h.check()
		}
	}
	return hostedHeader{}, errors.New("no footer at the end of the stream")
}

// recovered is a grain directory made from the markers of a stream.
type recovered struct {
	grains []int64 // their numbers, ascending
	offs   []int64 // bytes, in the file
	whole  bool    // the walk came to the tables at the end: what was not found is not there
	end    int64   // where the walk came to
	last   int64   // the highest grain; of a torn stream that is not in order, -1
}

// locate is that of sparse. What comes behind the end of a torn stream is not known.
func (r *recovered) locate(off, n, grain int64) (spot, int64, error) {
	g := off / grain
	i := sort.Search(len(r.grains), func(i int) bool { return r.grains[i] >= g })
	if i < len(r.grains) && r.grains[i] == g {
		return spot{kept, r.offs[i]}, min(n, grain-off%grain), nil
	}
	if i < len(r.grains) {
		n = min(n, r.grains[i]*grain-off)
	}
	if !r.whole && g > r.last {
		return spot{}, n, layer.Cut("stream", r.end, grain, r.end)
	}
	return spot{state: absent}, n, nil
}

// recover walks the markers of a stream from off, without their data. Streams are written in the order of the disk, so
// that a torn one still tells where it has nothing, up to the last grain it has.
func (s *sparse) recover(off int64) error {
	r := &recovered{last: -1}
	s.recovered = r
	ordered := true
	b := make([]byte, 16)
	for !r.whole {
		r.end = off
		if layer.Clip(s.src.Size(), off, 16) < 16 {
			break
		}
		if err := layer.ReadFull(s.src, b, off); err != nil {
			return fmt.Errorf("marker at 0x%x: %w", off, err)
		}
		m := decodeMarker(b)
		if m.size == 0 {
			if m.kind == markerEnd || m.kind > markerFooter || m.value > uint64(s.src.Size())/sectorLen {
				break
			}
			r.whole = m.kind == markerDirectory || m.kind == markerFooter
			off += sectorLen + int64(m.value)*sectorLen
			continue
		}
		if m.value >= uint64(s.capacity)/sectorLen || m.value*sectorLen%uint64(s.grain) != 0 || int64(m.size) > s.maxPackedGrain() {
			break
		}
		g := int64(m.value) * sectorLen / s.grain
		ordered = ordered && g > r.last
		r.last = max(r.last, g)
		r.grains, r.offs = append(r.grains, g), append(r.offs, off)
		off += (grainMarkerLen + int64(m.size) + sectorLen - 1) / sectorLen * sectorLen
	}
	if !ordered {
		r.sort()
	}
	return nil
}

// sort orders the grains of a stream that was not written in order. Of two of the same number the later one counts.
func (r *recovered) sort() {
	r.last = -1
	offs := make(map[int64]int64, len(r.grains))
	for i, g := range r.grains {
		offs[g] = r.offs[i]
	}
	r.grains, r.offs = r.grains[:0], r.offs[:0]
	for g := range offs {
		r.grains = append(r.grains, g)
	}
	slices.Sort(r.grains)
	for _, g := range r.grains {
		r.offs = append(r.offs, offs[g])
	}
}
