package points

import (
	"encoding/binary"
	"errors"
	"fmt"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// NTFS counts log sequence numbers up, never by the clock: a record that has not one above the greatest of when a
// snapshot was made has not changed since.

const (
	// lsnOffset is where both FILE and INDX records keep the number of their last change.
	lsnOffset = 0x08
	// numberOffset is where a FILE record keeps its own number, with NTFS 3.1.
	numberOffset = 0x2c
	indexRecord  = 4096
	// firstUser is the first record that is not the file system's own.
	firstUser = 24
)

// unchanged finds what of the current volume was not written since the snapshot of last was made (diffstore rule 18).
type unchanged struct {
	tree *ntfs.Tree
	last *diffstore.View
	lsn  []uint64 // by record: of its last change on the current volume, none when it is not known
	made uint64   // no record had a greater one when the snapshot was made
	out  []diffstore.Range
}

// none is the log sequence number of a record that cannot be read.
const none = ^uint64(0)

// unchangedSince reads the current $MFT, and what the store of last keeps of it.
func (v *Volume) unchangedSince(last *diffstore.View) ([]diffstore.Range, error) {
	t, err := v.Current().Files()
	if err != nil {
		return nil, err
	}
	u := &unchanged{tree: t, last: last, lsn: make([]uint64, t.Records())}
	newest := u.readRecords()
	switch {
	case u.made == 0:
		return nil, errors.New("the store keeps no file record that tells when it was made")
	case newest <= u.made:
		return nil, fmt.Errorf("the log of the volume has started anew: no change is younger than 0x%x", u.made)
	}
	u.addRecords()
	for n, err := range t.Nodes() {
		if err == nil {
			u.addNode(n)
		}
	}
	return u.out, nil
}

// eachRecord calls f with the records of $MFT, and where on the volume each is, those left out that cannot be read.
func (u *unchanged) eachRecord(f func(number uint64, at int64, b []byte)) {
	size := int64(u.tree.RecordSize())
	b := make([]byte, size)
	for e, err := range layer.Extents(u.tree.MFT(), 0, int64(u.tree.Records())*size) {
		if err != nil || e.Kind != layer.Data || e.Base != u.tree.Volume() {
			continue
		}
		for off := (e.Off + size - 1) / size * size; off+size <= e.Off+e.Len; off += size {
			at := e.BaseOff + off - e.Off
			if layer.ReadFull(e.Base, b, at) == nil && isRecord(b, uint64(off/size)) {
				f(uint64(off/size), at, b)
			}
		}
	}
}

// isRecord reports whether b is the FILE record of a number.
func isRecord(b []byte, number uint64) bool {
	return string(b[:4]) == "FILE" && uint64(binary.LittleEndian.Uint32(b[numberOffset:])) == number&0xffffffff
}

func lsnOf(b []byte) uint64 { return binary.LittleEndian.Uint64(b[lsnOffset:]) }

// readRecords takes the numbers of the current records, of which it returns the greatest, and of those kept.
func (u *unchanged) readRecords() (newest uint64) {
	for i := range u.lsn {
		u.lsn[i] = none
	}
	kept := make([]byte, u.tree.RecordSize())
	u.eachRecord(func(number uint64, at int64, b []byte) {
		u.lsn[number] = lsnOf(b)
		newest = max(newest, lsnOf(b))
		if u.keeps(at, kept) && isRecord(kept, number) {
			u.made = max(u.made, lsnOf(kept))
		}
	})
	return newest
}

// keeps fills b with what was at a place of the volume when the snapshot was made, and reports whether its own store has it.
func (u *unchanged) keeps(at int64, b []byte) bool {
	for x := range u.last.Explain(at, int64(len(b))) {
		if x.Err != nil || x.Kind != layer.Data || x.Place != diffstore.Kept || x.Store != u.last.Snapshot().Index {
			return false
		}
		if layer.ReadFull(x.Base, b[x.Off-at:][:x.Len], x.BaseOff) != nil {
			return false
		}
	}
	return true
}

// old reports whether the record of a number has not changed. The file system's own ones are not always logged; of
// directories among them nothing is known then.
func (u *unchanged) old(number uint64) bool {
	if number >= uint64(len(u.lsn)) {
		return false
	}
	lsn := u.lsn[number]
	return lsn <= u.made && (lsn > 0 || number < firstUser && number != 5 && number != 11)
}

// addRecords adds the records of $MFT themselves.
func (u *unchanged) addRecords() {
	u.eachRecord(func(number uint64, at int64, b []byte) {
		if u.old(number) {
			u.out = append(u.out, diffstore.Range{Off: at, Len: int64(len(b))})
		}
	})
}

// addNode adds the clusters of a node whose records have not changed. Indexes change without the record of the directory,
// and have numbers of their own.
func (u *unchanged) addNode(n *ntfs.Node) {
	number := n.Ref.Record
	old := u.old(number)
	for _, e := range n.Extensions() {
		old = old && u.old(e)
	}
	switch {
	case number == 0 || number == 2 || number == 6 || number == 8: // $MFT, $LogFile, $Bitmap, $BadClus: written without a trace
	case n.Dir() || n.Metafile():
		content := old && !n.Dir() && number < firstUser // not those of $Extend, which are logs
		for r := range n.Places() {
			u.addBlocks(r, number, old, content)
		}
	case old:
		for r := range n.Places() {
			u.out = append(u.out, diffstore.Range{Off: r.Off, Len: r.Len})
		}
	}
}

// addBlocks adds of a range of a node what records in it tell to be old. What is no record counts as content.
func (u *unchanged) addBlocks(r ntfs.Range, number uint64, old, content bool) {
	var b [indexRecord]byte
	for off := r.Off; off < r.Off+r.Len; off += indexRecord {
		p := b[:min(indexRecord, r.Off+r.Len-off)]
		if layer.ReadFull(u.tree.Volume(), p, off) != nil {
			continue
		}
		known := content
		switch string(p[:4]) {
		case "INDX":
			lsn := lsnOf(p)
			known = lsn > 0 && lsn <= u.made || lsn == 0 && old && number >= firstUser
		case "FILE": // $MFTMirr
			known = false
		}
		if known {
			u.out = append(u.out, diffstore.Range{Off: off, Len: int64(len(p))})
		}
	}
}
