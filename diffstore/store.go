package diffstore

import (
	"bytes"
	"cmp"
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
	lost     error // the first descriptor that is
	least    int   // descriptors that the list has, and perhaps more
	places   *placement
	votes    votes
	doubts   []doubt
	accounts Accounts
	file     accounting
	samples  []block // that it keeps because they were written to
}

// doubt is a row whose two addresses contradict, and the range that says so.
type doubt struct{ row, placed int }

type overlayKey struct {
	block block
	kept  uint64
}

// listBlock remembers which rows a block of the list brought.
type listBlock struct {
	at       block
	rows     int // read before it
	relative uint64
	next     uint64
	full     bool
}

// What is unusual in a block list, counted so that a hostile one cannot flood its reader.
const (
	oddFlags = iota
	oddBoth
	oddEmpty
	oddOutside
	oddData
	oddPlaces
	oddities
)

var oddText = [oddities]string{
	oddFlags:   "with unknown flags, taken as copies",
	oddBoth:    "both moved and overlay, taken as overlays",
	oddEmpty:   "without data offset, skipped",
	oddOutside: "of blocks past the end of the volume, skipped",
	oddData:    "with impossible data offset or target; their blocks are unreadable",
	oddPlaces:  "whose place on the volume and in the store file contradict; their blocks are unknown",
}

// load reads the whole block list of s: from the first area that has all of it, else from where most of it is. When
// the first is a damaged volume whose list is known to be longer than that of the file, the file is of an earlier time.
func (s *Snapshot) load() *loader {
	best := &loader{s: s, damage: s.lost}
	for i := range s.areas {
		l := s.loadFrom(i)
		if i == 0 && l.damage == nil {
			return l
		}
		if i == 0 || l.least > best.least || l.least == best.least && s.areas[i].file != nil {
			best = l
		}
	}
	return best
}

func (s *Snapshot) loadFrom(i int) *loader {
	a := s.areas[i]
	l := &loader{s: s, area: a, pending: map[block]block{}, overlays: map[overlayKey]uint64{}}
	ch := chain{area: a, name: "block list", kind: typeList, warn: s.warn}
	var follows gulp
	if at, err := a.place(ch.name, s.entry.list); err == nil && s.entry.ranges == s.entry.list+BlockSize {
		ch.ahead = 2 * BlockSize
		if _, err := ch.block(at); err == nil && len(ch.buf) > BlockSize { // else it is met again
			follows = gulp{slices.Clone(ch.buf[BlockSize:]), at + BlockSize}
		}
	}
	l.places = s.placement(i, follows)
	ch.places = l.places
	if l.places != nil {
		l.votes = make(votes, len(l.places.ranges)+1)
		for _, r := range l.places.blocks {
			l.places.vote(l.votes, r.relative, r.current)
		}
	}
	l.read(&ch)
	l.weigh()
	l.audit()
	for i, n := range l.odd {
		if n > 0 && i != oddPlaces { // which is damage
			s.warn(fmt.Errorf("block list: %d descriptors %s", n, oddText[i]))
		}
	}
	return l
}

// read reads the block list as far as it can be followed.
func (l *loader) read(ch *chain) {
	for first := l.s.entry.list; first != 0; {
		err := ch.each(l.s.vol.ctx, first, int(blocks(l.area.src.Size())), l.block)
		if first = 0; err != nil {
			first = l.follow(err)
		}
		if l.damage = cmp.Or(l.lost, err); first != 0 {
			l.damage = l.lost
		}
	}
	if l.damage == nil {
		l.damage = l.ended()
	}
	if l.damage != nil && l.lost == nil && l.least > 0 {
		l.least++ // the first of the next block
	}
}

// block takes the descriptors of a block of the list, and reports whether the list goes on: a block that is not full is
// the last, whatever its next field says (rule 12). Behind the first that is lost they are only counted.
func (l *loader) block(off uint64, r record, payload []byte) (more bool) {
	const slots = payloadSize / descriptorSize
	used := slots
	for used > 0 && decodeDescriptor(payload[(used-1)*descriptorSize:]) == (descriptor{}) {
		used--
	}
	l.lists = append(l.lists, listBlock{blockOf(int64(off)), len(l.rows), r.relative, r.next, used == slots})
	l.places.vote(l.votes, r.relative, off)
	for i := range used {
		d := decodeDescriptor(payload[i*descriptorSize:])
		if l.places != nil && d.flags&flagMoved == 0 {
			l.file.take(d.relative)
		}
		if at := int64(off) + recordSize + int64(i)*descriptorSize; l.lost != nil {
			continue
		} else if d != (descriptor{}) {
			l.lost = l.add(d, at)
		} else if l.hole(payload, i) {
			l.lost = layer.Corrupt("block descriptor", at, "lost, with others behind it")
		}
	}
	l.least += used
	if used < slots && r.next != 0 && l.goesOn(r) {
		l.lost = cmp.Or(l.lost, layer.Corrupt("block list", int64(off), "%d slots are lost: another block follows", slots-used))
		return true
	}
	return used == slots
}

// hole reports whether the empty slot i, which is not behind the last one used, was lost. Windows fills the slots in
// order; where a store has no second witness, only a whole sector of them counts.
func (l *loader) hole(payload []byte, i int) bool {
	const perSector = sectorSize / descriptorSize
	first := i - i%perSector
	return l.places != nil || len(bytes.Trim(payload[first*descriptorSize:][:sectorSize], "\x00")) == 0
}

// add applies rules 5 to 9 to the next descriptor. An error says that it cannot be told which block it is about.
func (l *loader) add(d descriptor, at int64) error {
	if d.flags&flagUnused != 0 {
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
		at := l.overlay(b, &d)
		l.compare(&d)
		l.put(row{block: b, kind: overlay, sectors: d.sectors, at: at})
	case d.flags&flagMoved != 0:
		l.move(l.owner(b), d.relative)
	case d.kept == 0 && d.flags == 0 && (l.places == nil || d.relative == 0):
		l.odd[oddEmpty]++
	default:
		owner := l.owner(b)
		if len(l.samples) < maxSamples && d.flags == 0 && owner == b {
			l.samples = append(l.samples, b)
		}
		l.compare(&d)
		l.put(row{block: owner, kind: regular, at: l.kept(d)})
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

// compare notes whether the two addresses of the next row agree (rule 16).
func (l *loader) compare(d *descriptor) {
	if l.places == nil {
		return
	}
	if which, agree := l.places.vote(l.votes, d.relative, d.kept); !agree {
		l.doubts = append(l.doubts, doubt{len(l.rows), which})
	}
}

// weigh marks the rows whose addresses contradict, unless it is the range that contradicts most of its rows. What is left of
// a deleted store may have rows of another one, all of which contradict.
func (l *loader) weigh() {
	told := map[int]bool{}
	for _, d := range l.doubts {
		if l.s.strict && l.s.Recovered || !l.votes.doubted(d.placed) {
			l.rows[d.row].doubt = true
			l.odd[oddPlaces]++
		} else if !told[d.placed] {
			told[d.placed] = true
			v := l.votes[d.placed]
			l.s.warn(layer.Corrupt("range list", int64(l.s.entry.ranges), "contradicts %d of %d descriptors of a range; not believed", v[1], v[0]+v[1]))
		}
	}
}

// overlay returns the data offset of an overlay, and completes the offset in the file of one that continues another.
func (l *loader) overlay(b block, d *descriptor) uint64 {
	if l.area.file != nil || l.places != nil {
		key := overlayKey{b, d.kept}
		if first, again := l.overlays[key]; d.relative == continued {
			d.relative = first
		} else if !again {
			l.overlays[key] = d.relative
		}
	}
	return l.kept(*d)
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
