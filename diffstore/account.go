package diffstore

import (
	"bytes"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"snapmount/imagefmt/layer"
)

// Accounts say what the blocks of a store file are for. Windows hands them out in order, so that below the highest one in
// use each is a record of the store or holds what some descriptor is about (rule 17).
type Accounts struct {
	Known  bool // false when nothing tells where the blocks of the file are
	Blocks int64
	// Orphans have content and belong to nothing: copies whose descriptor is lost. They prove that copies are missing,
	// and say nothing of which blocks of the volume they are.
	Orphans int64
}

// Accounts reads the block lists of all stores, and of a store with blocks that belong to nothing those too.
func (s *Snapshot) Accounts() Accounts { return s.vol.index().accounts[s.at] }

// maxAudit bounds how many blocks that belong to nothing are looked at: 4 GiB.
const maxAudit = 1 << 18

// accounting counts the data blocks of a list while they rise, which in Windows' stores is always.
type accounting struct {
	blocks   int64
	last     uint64 // offset in the store file
	disorder bool
}

// take counts the block at rel of the store file.
func (a *accounting) take(rel uint64) {
	switch {
	case rel == 0 || rel%BlockSize != 0 || rel >= uint64(maxVolume): // empty, continues an overlay, or is damaged
	case rel > a.last:
		a.last = rel
		a.blocks++
	default:
		a.disorder = a.disorder || rel < a.last
	}
}

// structures returns the blocks of the store file that its records take, nil when that cannot be told.
func (l *loader) structures() *roaring.Bitmap {
	set := roaring.BitmapOf(0)
	for _, b := range l.lists {
		set.Add(uint32(b.relative >> blockBits))
	}
	for _, r := range l.places.blocks {
		set.Add(uint32(r.relative >> blockBits))
	}
	pages := uint64(blocks(l.s.Size)+bitsPerBlock-1) / bitsPerBlock
	for _, off := range []uint64{l.s.entry.current, l.s.entry.previous} {
		if off == 0 {
			continue
		}
		rel, ok := l.places.relative(off)
		if !ok {
			return nil
		}
		set.AddRange(rel>>blockBits, rel>>blockBits+pages)
	}
	return set
}

// audit accounts for the blocks of the store file. Copies without descriptor make the list incomplete.
func (l *loader) audit() {
	if l.places == nil || len(l.lists) == 0 {
		return
	}
	set := l.structures()
	if set == nil {
		return
	}
	high := l.high() >> blockBits
	l.accounts = Accounts{Known: true, Blocks: int64(high + 1)}
	if !l.file.disorder && l.file.blocks+int64(set.Rank(uint32(high))) == l.accounts.Blocks {
		return
	}
	if err := l.claims(set); err == nil {
		l.accounts.Orphans = l.orphans(set, high)
	}
	if n := l.accounts.Orphans; n > 0 {
		err := fmt.Errorf("%d blocks of the store file hold copies whose descriptor is lost: %w", n, layer.ErrCorrupt)
		if l.damage != nil {
			err = fmt.Errorf("%w; %w", l.damage, err)
		}
		l.damage = err
	}
}

// high returns where the highest block of the store file is that the list uses.
func (l *loader) high() uint64 {
	high := l.file.last
	for _, b := range l.lists {
		high = max(high, min(b.relative, uint64(maxVolume)))
	}
	return high
}

// claims adds the blocks of the store file that the descriptors of the list are about, of those too that were dropped.
func (l *loader) claims(set *roaring.Bitmap) error {
	ch := chain{area: l.area, name: "block list", kind: typeList, warn: func(error) {}}
	for _, b := range l.lists {
		_, payload, err := ch.read(uint64(b.at.off()))
		if err != nil {
			return err
		}
		for i := 0; i+descriptorSize <= len(payload); i += descriptorSize {
			d := decodeDescriptor(payload[i:])
			if d.flags&flagMoved == 0 && d.relative%BlockSize == 0 && d.relative < uint64(maxVolume) {
				set.Add(uint32(d.relative >> blockBits))
			}
			if rel, ok := l.places.relative(d.kept); ok && d.flags&flagMoved == 0 { // when both contradict, either may be right
				set.Add(uint32(rel >> blockBits))
			}
		}
	}
	return nil
}

// orphans counts the blocks up to high that have content, are not in the set and are no record of the store.
func (l *loader) orphans(set *roaring.Bitmap, high uint64) (n int64) {
	missing := roaring.Flip(set, 0, high+1)
	missing.RemoveRange(high+1, allBlocks)
	var b [BlockSize]byte
	for i, looked := missing.Iterator(), 0; i.HasNext() && looked < maxAudit; looked++ {
		rel := uint64(i.Next()) << blockBits
		off, ok := l.places.likely(rel)
		at := int64(off)
		if l.area.file != nil {
			at, ok = int64(rel), true
		}
		if !ok || layer.ReadFull(l.area.src, b[:], at) != nil || len(bytes.Trim(b[:], "\x00")) == 0 {
			continue
		}
		if r, is := decodeRecord(b[:]); !is || r.relative != rel || r.current != off {
			n++
		}
	}
	return n
}

// follow returns where the list goes on after the error err, 0 when nothing proves that it does. Windows takes the next
// block of a list from the store file when the one before is full, so that it lies right behind the last copy.
func (l *loader) follow(err error) (next uint64) {
	if n := len(l.lists); n > 0 && l.lists[n-1].full && l.lists[n-1].next != 0 {
		if next = l.behind(); next != 0 {
			l.s.warn(fmt.Errorf("%w; the next block is at 0x%x by its place in the store file", err, next))
		}
	}
	return next
}

// ended returns an error when the last block of the list is full and names no next one, although there is one.
func (l *loader) ended() error {
	if n := len(l.lists); n > 0 && l.lists[n-1].full {
		if next := l.behind(); next != 0 {
			return layer.Corrupt("block list", l.lists[n-1].at.off(), "full and the last, but there is another block at 0x%x", next)
		}
	}
	return nil
}

// behind returns the list block that lies right behind all that the store file is known to hold, or 0.
func (l *loader) behind() uint64 {
	if l.places == nil {
		return 0
	}
	high := l.high()
	ch := chain{area: l.area, name: "block list", kind: typeList, warn: func(error) {}, places: l.places}
	for rel := high + BlockSize; rel <= high+2*BlockSize; rel += BlockSize {
		off, ok := l.places.offset(rel)
		if !ok {
			continue
		}
		r, payload, err := ch.read(off)
		if err != nil || r.relative != rel {
			continue
		}
		if d := decodeDescriptor(payload); d.flags&flagMoved != 0 || d.relative == continued || d.relative > high && d.relative <= rel+BlockSize {
			return off
		}
	}
	return 0
}

// goesOn reports whether the next field of r names another block of the same list.
func (l *loader) goesOn(r record) bool {
	ch := chain{area: l.area, name: "block list", kind: typeList, warn: func(error) {}, places: l.places}
	next, payload, err := ch.read(r.next)
	if err != nil || next.relative <= r.relative {
		return false
	}
	if l.places != nil {
		_, inside := l.places.offset(next.relative)
		return inside && decodeDescriptor(payload) != descriptor{}
	}
	return decodeDescriptor(payload) != descriptor{}
}
