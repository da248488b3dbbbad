package diffstore

import (
	"fmt"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"snapmount/imagefmt/layer"
)

// loader reads the block list of one store into events: rows in list order, still to be sorted and flattened.
type loader struct {
	s     *Snapshot
	area  area
	rows  []row
	lists []listBlock
	// Of overlays in a file, by block and data offset on the volume: a continued one does not say its file offset.
	overlays map[overlayKey]uint64
	pending  map[block]block // target of a move, to the block that moved there (rule 6)
	odd      [oddities]int
	damage   error // the list goes on where it could not be read
}

type overlayKey struct {
	block block
	kept  uint64
}

// listBlock remembers which rows a block of the list brought.
type listBlock struct {
	at   block
	rows int // read before it
}

// What is unusual in a block list, counted so that a hostile one cannot flood its reader.
const (
	oddFlags = iota
	oddBoth
	oddEmpty
	oddOutside
	oddData
	oddities
)

var oddText = [oddities]string{
	oddFlags:   "with unknown flags, taken as copies",
	oddBoth:    "both moved and overlay, taken as overlays",
	oddEmpty:   "without data offset, skipped",
	oddOutside: "of blocks past the end of the volume, skipped",
	oddData:    "with impossible data offset or target; their blocks are unreadable",
}

// load reads the whole block list of s: from the first area that has all of it, else from where most of it is. When
// the first is a damaged volume whose list is longer than that of the file, the file is of an earlier time.
func (s *Snapshot) load() *loader {
	best := &loader{s: s, damage: s.lost}
	for i, a := range s.areas {
		l := s.loadFrom(a)
		if i == 0 && l.damage == nil {
			return l
		}
		if i == 0 || len(l.rows) > len(best.rows) || l.area.file != nil && len(l.rows) == len(best.rows) {
			best = l
		}
	}
	return best
}

func (s *Snapshot) loadFrom(a area) *loader {
	l := &loader{s: s, area: a, pending: map[block]block{}, overlays: map[overlayKey]uint64{}}
	ch := chain{area: a, name: "block list", kind: typeList, warn: s.warn}
	var bad error
	err := ch.each(s.vol.ctx, s.entry.list, int(blocks(a.src.Size())), func(off uint64, payload []byte) bool {
		l.lists = append(l.lists, listBlock{blockOf(int64(off)), len(l.rows)})
		for i := 0; i+descriptorSize <= len(payload) && bad == nil; i += descriptorSize {
			bad = l.add(decodeDescriptor(payload[i:]), int64(off)+recordSize+int64(i))
		}
		return bad == nil
	})
	if l.damage = bad; bad == nil {
		l.damage = err
	}
	for i, n := range l.odd {
		if n > 0 {
			s.warn(fmt.Errorf("block list: %d descriptors %s", n, oddText[i]))
		}
	}
	return l
}

// add applies rules 5 to 9 to the next descriptor. An error says that it cannot be told which block it is about.
func (l *loader) add(d descriptor, at int64) error {
	if d.unused() {
		return nil
	}
	if d.original%BlockSize != 0 {
		return layer.Corrupt("block descriptor", at, "original offset 0x%x is not aligned", d.original)
	}
	if d.original>>blockBits >= uint64(l.s.vol.span) {
		l.odd[oddOutside]++
		return nil
	}
	if d.flags&^flagsKnown != 0 {
		l.odd[oddFlags]++
	}
	b := block(d.original >> blockBits)
	switch {
	case d.flags&flagOverlay != 0:
		if d.flags&flagMoved != 0 {
			l.odd[oddBoth]++
		}
		l.put(row{block: b, kind: overlay, sectors: d.sectors, at: l.overlay(b, d)})
	case d.flags&flagMoved != 0:
		l.move(l.owner(b), d.relative)
	case d.kept == 0 && d.flags == 0:
		l.odd[oddEmpty]++
	default:
		l.put(row{block: l.owner(b), kind: regular, at: l.kept(d)})
	}
	return nil
}

// owner returns the block whose content b holds, once (rule 6).
func (l *loader) owner(b block) block {
	if o, ok := l.pending[b]; ok {
		delete(l.pending, b)
		return o
	}
	return b
}

// move notes that the content of b went to target.
func (l *loader) move(b block, target uint64) {
	if target%BlockSize != 0 || target>>blockBits >= uint64(l.s.vol.span) {
		l.odd[oddData]++
		l.put(row{block: b, kind: moved, at: lostData})
		return
	}
	t := block(target >> blockBits)
	if t == b {
		l.put(row{block: b, kind: home})
		return
	}
	l.pending[t] = b
	l.put(row{block: b, kind: moved, at: uint64(t)})
}

// overlay returns the data offset of an overlay.
func (l *loader) overlay(b block, d descriptor) uint64 {
	if l.area.file == nil {
		return l.kept(d)
	}
	key := overlayKey{b, d.kept}
	if d.relative == continued {
		d.relative = l.overlays[key]
	} else if _, again := l.overlays[key]; !again {
		l.overlays[key] = d.relative
	}
	return l.kept(d)
}

// kept returns the data offset of d in the area, checked.
func (l *loader) kept(d descriptor) uint64 {
	off := d.kept
	if l.area.file != nil {
		off = d.relative
	}
	if off == 0 || off%BlockSize != 0 || off > math.MaxInt64-BlockSize {
		l.odd[oddData]++
		return lostData
	}
	return off
}

func (l *loader) put(r row) {
	r.store = uint16(l.s.at)
	if len(l.rows) == cap(l.rows) { // append alone would grow by a quarter
		l.rows = slices.Grow(l.rows, max(len(l.rows), payloadSize/descriptorSize))
	}
	l.rows = append(l.rows, r)
}

// targets adds a row for each move that nothing followed (rule 11).
func (l *loader) targets() {
	for t := range l.pending {
		l.put(row{block: t, kind: target})
	}
}

// cut forgets what the list block at and all after it brought.
func (l *loader) cut(n int, err error) {
	l.rows = l.rows[:l.lists[n].rows]
	l.lists = l.lists[:n]
	l.damage = err
}

// Changed returns the 16 KiB block numbers that the store of s overrides, overlays among them: a block outside of it
// and of the next newer snapshot's overlays is the same in both. It reads one block list, nothing else. With an error
// the set is what could be read.
func (s *Snapshot) Changed() (*roaring.Bitmap, error) {
	l := s.load()
	changed := roaring.New()
	for _, r := range l.rows {
		changed.Add(uint32(r.block))
	}
	changed.RunOptimize()
	return changed, l.damage
}
