package ntfs

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// upcase maps a UTF-16 code unit to its upper case, as the volume's own $UpCase file says.
type upcase [1 << 16]uint16

// readUpcase reads the volume's $UpCase. Where that cannot be had, or cannot be true, the table of Windows stands in for
// it: by a damaged one, any two names of the same length may be equal.
func (t *Tree) readUpcase() *upcase {
	u := new(upcase)
	b := make([]byte, 2*len(u))
	err := t.readFile(recordUpcase, b)
	if err == nil {
		for i := range u {
			u[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
		err = u.check()
	}
	if err != nil {
		t.warn(fmt.Errorf("$UpCase is unusable, names are compared by the table that Windows has: %w", err))
		return defaultUpcase()
	}
	return t.cache.sameUpcase(b, u)
}

// readFile fills b from the start of a system file, which must be of just that size.
func (t *Tree) readFile(record uint64, b []byte) error {
	n, err := t.Node(Ref{Record: record})
	if err != nil {
		return err
	}
	s, err := n.Stream("")
	if err != nil {
		return err
	}
	if s.Size() != int64(len(b)) {
		return fmt.Errorf("%v: %d bytes, want %d: %w", n.Ref, s.Size(), len(b), layer.ErrCorrupt)
	}
	return layer.ReadFull(s, b, 0)
}

// maxName is the most UTF-16 units that a name can have.
const maxName = 255

// A folded name is ready to be compared with many names on disk.
type folded struct {
	exact, upper []uint16
	table        *upcase
}

// nameRoom is where a folded name lies, so that a search needs no allocation.
type nameRoom [2 * maxName]uint16

// fold prepares a WTF-8 name. It reports false when no name can be that long.
func (t *Tree) fold(name string, room *nameRoom) (folded, bool) {
	if len(name) > 3*maxName {
		return folded{}, false
	}
	f := t.foldUnits(wintype.AppendUTF16(room[:0:maxName], name), room)
	return f, len(f.exact) <= maxName
}

// foldUTF16 is fold for a name in UTF-16LE, of maxName units at most.
func (t *Tree) foldUTF16(name []byte, room *nameRoom) folded {
	units := room[:0:maxName]
	for ; len(name) >= 2; name = name[2:] {
		units = append(units, binary.LittleEndian.Uint16(name))
	}
	return t.foldUnits(units, room)
}

func (t *Tree) foldUnits(units []uint16, room *nameRoom) folded {
	f := folded{exact: units, upper: room[maxName:maxName], table: t.upcase()}
	for _, c := range units {
		f.upper = append(f.upper, f.table[c])
	}
	return f
}

// compare orders two UTF-16LE names as an index does.
func (u *upcase) compare(a, b []byte) int {
	le := binary.LittleEndian
	for len(a) >= 8 && len(b) >= 8 && le.Uint64(a) == le.Uint64(b) { // neighbours mostly begin alike
		a, b = a[8:], b[8:]
	}
	for ; len(a) >= 2 && len(b) >= 2; a, b = a[2:], b[2:] {
		c, d := u[uint16(a[0])|uint16(a[1])<<8], u[uint16(b[0])|uint16(b[1])<<8]
		if c != d {
			return int(c) - int(d)
		}
	}
	return len(a) - len(b)
}

// key is the same for UTF-16LE names that compare finds equal, and seldom for others: FNV-1a, by units.
func (u *upcase) key(name []byte) uint32 {
	h := uint32(0x811c9dc5)
	for ; len(name) >= 2; name = name[2:] {
		h = (h ^ uint32(u[binary.LittleEndian.Uint16(name)])) * 0x01000193
	}
	return h
}

// compare orders f against a UTF-16LE name as the index does: unit by unit in upper case, then the shorter first.
func (f *folded) compare(name []byte) int {
	for _, c := range f.upper {
		if len(name) < 2 {
			return 1
		}
		if d := f.table[uint16(name[0])|uint16(name[1])<<8]; c != d {
			return int(c) - int(d)
		}
		name = name[2:]
	}
	return -len(name)
}

// same reports whether name is f in the same case.
func (f *folded) same(name []byte) bool {
	if len(name) != 2*len(f.exact) {
		return false
	}
	for i, c := range f.exact {
		if binary.LittleEndian.Uint16(name[2*i:]) != c {
			return false
		}
	}
	return true
}
