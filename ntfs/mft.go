package ntfs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// openMFT maps the $MFT by its own record. Nothing is cached before its end.
func (t *Tree) openMFT() error {
	r, err := t.tableRecord()
	if err != nil {
		return err
	}
	list, damage := r.attributes()
	extents := extentsOf(list, typeData, isContent)
	if len(extents) == 0 {
		return errors.Join(layer.Corrupt("file record", t.geo.mft*int64(t.geo.cluster), "no $DATA attribute"), damage)
	}
	if t.mft, err = t.startStream(&extents[0], func() string { return "$MFT" }); err != nil {
		return err
	}
	t.bitmapAt = extentsOf(list, typeBitmap, isContent)
	x := &tableExtents{t: t, base: &r, extents: extents, taken: map[uint64]bool{recordMFT: true}}
	x.rebuild()
	at := slices.IndexFunc(list, func(a attribute) bool { return a.typ == typeAttributeList })
	if at >= 0 {
		damage = errors.Join(damage, x.follow(&list[at]))
	}
	if at < 0 {
		t.trimMFT(&extents[0])
	}
	if damage != nil {
		t.fault(fmt.Errorf("$MFT: some file records are out of reach: %w", damage))
	}
	return nil
}

// isContent reports whether an attribute is of the unnamed stream.
func isContent(a *attribute) bool { return len(a.name) == 0 }

// trimMFT takes the size of $MFT for wrong that is more than its clusters hold, where first, the only extent there is,
// says that they are all: else what is past them is out of reach.
func (t *Tree) trimMFT(first *attribute) {
	unit := int64(t.geo.cluster)
	held := int64(first.high+1) * unit
	if sure := int64(first.allocated) == held || first.size > uint64(t.geo.size); !sure || t.mft.size <= held || t.mft.initialized > held || held == 0 {
		return
	}
	t.fault(layer.Corrupt("file record", 0, "$MFT of 0x%x bytes in clusters for 0x%x, which is taken", first.size, held))
	t.mft.size, t.mft.short = held, nil
	t.mft.runs.cut(int64(first.high + 1))
	t.mft.seal(nil)
	t.countRecords()
}

// tableRecord returns the record of $MFT. Unless $MFTMirr has the same of it, both are weighed by what is where they say.
func (t *Tree) tableRecord() (fileRecord, error) {
	r, err := t.geo.tableRecord(t.src, t.geo.mft)
	if t.geo.mirror == 0 {
		return r, err
	}
	m, err2 := t.geo.tableRecord(t.src, t.geo.mirror)
	switch {
	case err != nil && err2 != nil:
		return r, errors.Join(err, err2)
	case err2 != nil || err == nil && sameTable(&r, &m):
		return r, nil
	case err != nil:
		t.fault(fmt.Errorf("$MFT record %d is unusable, $MFTMirr is used: %w", recordMFT, err))
		return m, nil
	case t.tableMerit(&m) > t.tableMerit(&r):
		t.mirrored = true
		t.fault(layer.Corrupt("file record", 0, "$MFT record %d and $MFTMirr differ, and $MFTMirr leads to more file records: it is used", recordMFT))
		return m, nil
	}
	t.warn(layer.Corrupt("file record", 0, "$MFT record %d and $MFTMirr differ: the former is used", recordMFT))
	return r, nil
}

// sameTable reports whether two records of $MFT map it in the same way.
func sameTable(a, b *fileRecord) bool {
	x, y := a.cursor(), b.cursor()
	for {
		more, more2 := x.next(), y.next()
		if !more || !more2 {
			return more == more2 && x.err == nil && y.err == nil
		}
		if x.typ != y.typ || (x.typ == typeData || x.typ == typeAttributeList) && string(x.raw) != string(y.raw) {
			return false
		}
	}
}

// maxSampled is how many runs of $MFT are looked at to tell whether they are its.
const maxSampled = 32

// tableMerit weighs a record of $MFT: by how many of its runs begin with the file record that must be there, less those
// that do not or are outside of the volume, and by whether its size fits.
func (t *Tree) tableMerit(r *fileRecord) (merit int) {
	list, err := r.attributes()
	extents := extentsOf(list, typeData, isContent)
	if err != nil || len(extents) == 0 {
		return -maxSampled * 2
	}
	s, err := t.newStream(extents, r.ref.String)
	if err != nil {
		return -maxSampled * 2
	}
	held := int64(0)
	for i, x := range s.runs.runs {
		switch {
		case i >= maxSampled:
			return merit
		case x.lcn < 0:
			merit -= 2
			continue
		}
		held = (x.vcn + x.n) * int64(t.geo.cluster)
		if t.beginsWith(x) {
			merit++
		} else {
			merit -= 2
		}
	}
	if s.size > held || s.size <= held/2 {
		merit--
	}
	return merit
}

// beginsWith reports whether a run of $MFT begins with the file record of that place; where clusters are smaller than
// records, with any or with the rest of one.
func (t *Tree) beginsWith(x run) bool {
	off, size := x.vcn*int64(t.geo.cluster), int64(t.geo.record)
	if off%size != 0 {
		return true
	}
	b := make([]byte, size)
	if layer.ReadFull(t.src, b, x.lcn*int64(t.geo.cluster)) != nil || layout.Protected(b, layout.FileMagic, "file record", off) != nil {
		return false
	}
	number, ok := ownNumber(b)
	return !ok || number == uint32(off/size)
}

// A tableExtents finds the extents of $MFT that are in extension records, each of which lies where an earlier extent
// leads.
type tableExtents struct {
	t       *Tree
	base    *fileRecord
	extents []attribute // in the order of their VCNs
	taken   map[uint64]bool
}

// follow takes the extension records that the attribute list names, in whatever order they can be reached; where that is
// not all of $MFT, those that name it as their base.
func (x *tableExtents) follow(list *attribute) error {
	entries, damage := x.t.readList(x.base, list)
	var wanted []uint64
	for _, e := range entries {
		if e.typ == typeData && len(e.name) == 0 && !slices.Contains(wanted, e.ref.Record) {
			wanted = append(wanted, e.ref.Record)
		}
	}
	left, err := x.takeAll(wanted)
	if damage = errors.Join(damage, err); damage == nil && len(left) == 0 && x.whole() {
		return nil
	}
	named := len(x.taken)
	for from := uint64(0); from < x.t.records; {
		to := x.t.records
		_, _ = x.takeAll(x.t.extensionsIn(from, to, x.base.ref)) // what they lack is told below
		from = to                                                // and what is mapped only now
	}
	if x.whole() && len(x.taken) > 1 {
		x.t.fault(fmt.Errorf("$MFT: attribute list: %d extension records were found by their base reference: %w", len(x.taken)-named, cmp.Or(damage, errListed)))
		return nil
	}
	return cmp.Or(damage, errUnmapped)
}

var errListed = fmt.Errorf("it does not say what they do: %w", layer.ErrCorrupt)

// whole reports whether every byte of $MFT is mapped.
func (x *tableExtents) whole() bool {
	return !slices.ContainsFunc(x.t.mft.runs.runs, func(r run) bool { return r.lcn < hole })
}

// maxPasses bounds the way from extension record to extension record, each only to be found by the one before.
const maxPasses = 256

// takeAll takes extension records as long as any of them can be reached, and returns those that cannot.
func (x *tableExtents) takeAll(wanted []uint64) (left []uint64, err error) {
	more := true
	for pass := 0; more && pass < maxPasses; pass++ {
		more, err, left = false, nil, nil
		for _, number := range wanted {
			if x.taken[number] {
				continue
			}
			if err2 := x.take(number); err2 != nil {
				err, left = cmp.Or(err, err2), append(left, number)
			} else {
				more = true
			}
		}
		if more {
			x.rebuild()
		}
		wanted = left
	}
	return left, err
}

// take adds the extents that an extension record has, of $BITMAP too.
func (x *tableExtents) take(number uint64) error {
	r, err := x.t.extension(x.base, number)
	if err != nil {
		return err
	}
	x.taken[number] = true
	r.attrs = slices.Clone(r.attrs)
	for c := r.cursor(); c.next(); {
		switch a := c.attribute; {
		case a.err != nil || a.resident || len(a.name) > 0:
		case a.typ == typeData:
			x.extents = insertExtent(x.extents, a)
		case a.typ == typeBitmap:
			x.t.bitmapAt = insertExtent(x.t.bitmapAt, a)
		}
	}
	return nil
}

// insertExtent keeps extents in the order of their VCNs.
func insertExtent(list []attribute, a attribute) []attribute {
	i, _ := slices.BinarySearchFunc(list, a.low, func(e attribute, low uint64) int { return cmp.Compare(e.low, low) })
	return slices.Insert(list, i, a)
}

// rebuild maps $MFT by the extents there are.
func (x *tableExtents) rebuild() {
	s, runs := x.t.mft, runList{holes: x.t.mft.runs.holes}
	for i := range x.extents {
		runs.extend(&x.extents[i], x.t.geo.clusters)
	}
	s.runs = runs
	s.seal(nil)
	x.t.countRecords()
}

// extensionsIn finds the records from one number to another that are extensions of base.
func (t *Tree) extensionsIn(from, to uint64, base Ref) (out []uint64) {
	size := int64(t.geo.record)
	part, err := layer.Section(t.mft, int64(from)*size, int64(to-from)*size)
	if err != nil {
		return nil
	}
	for w, err := range layer.Scan(part, part.Size(), size, scanWindow) {
		if err != nil {
			continue // what is in there stays missing
		}
		for at := int64(0); at < w.Len; at += size {
			b, number := w.Data[at:][:size], from+uint64((w.Off+at)/size)
			if layout.Protected(b, layout.FileMagic, "file record", 0) != nil {
				continue
			}
			if r, err := decodeRecord(b, number, 0); err == nil && r.base == base && r.flags&layout.RecordInUse != 0 {
				out = append(out, number)
			}
		}
	}
	return out
}

// ownNumber is the number that a record of NTFS 3.1 or later has in itself.
func ownNumber(b []byte) (uint32, bool) {
	var h layout.FileRecord
	h.Decode(b)
	return h.Number, h.First >= layout.FileRecordLen
}
