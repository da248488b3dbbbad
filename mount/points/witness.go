package points

import (
	"slices"
	"strings"
	"time"

	"snapmount/diffstore"
	"snapmount/diffstore/carve"
	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// openEndings are of files that programs keep open for days, and write to without a change of their records: databases,
// mail boxes, disks of virtual machines.
var openEndings = []string{".mdf", ".ndf", ".ldf", ".edb", ".jrs", ".mdb", ".accdb", ".sqlite", ".db", ".db-wal", ".pst", ".ost", ".ibd", ".frm",
	".dbf", ".fdb", ".gdb", ".nsf", ".vhd", ".vhdx", ".avhdx", ".vmdk", ".vdi", ".qcow2", ".evtx", ".dat", ".log", ".hve"}

// witness makes what a file system says of who has what of its volume, and when that was written last.
type witness struct {
	tree    *ntfs.Tree
	lsn     []uint64             // by record
	changed map[uint64]time.Time // by record
	out     *carve.Witness
}

// witnessOf reads the $MFT and $Bitmap of a file system. Of what cannot be read nothing is claimed.
func witnessOf(t *ntfs.Tree) (*carve.Witness, error) {
	w := &witness{tree: t, lsn: make([]uint64, t.Records()), changed: map[uint64]time.Time{}, out: &carve.Witness{Volume: t.Volume(), Dirty: t.Dirty()}}
	for i := range w.lsn {
		w.lsn[i] = carve.Unusable
	}
	u := &unchanged{tree: t}
	u.eachRecord(func(number uint64, at int64, b []byte) {
		w.lsn[number] = lsnOf(b)
		w.out.Newest = max(w.out.Newest, lsnOf(b))
		w.out.Claims = append(w.out.Claims, carve.Claim{Off: at, Len: int64(len(b)), LSN: lsnOf(b), Kind: carve.Record, Number: number})
	})
	for n, err := range t.Nodes() {
		if err == nil {
			w.add(n)
		}
	}
	for n, err := range t.Deleted() {
		if err != nil {
			continue
		}
		w.changed[n.Ref.Record] = n.Times.Changed.Time()
		for r := range n.Places() {
			w.out.Freed = append(w.out.Freed, carve.Claim{Off: r.Off, Len: r.Len, LSN: w.lsnOf(n.Ref.Record), Number: n.Ref.Record})
		}
	}
	for i := range w.out.Claims {
		if c := &w.out.Claims[i]; c.Kind == carve.Record {
			c.Noted = w.changed[c.Number]
		}
	}
	if err := w.used(); err != nil {
		return nil, err
	}
	if l, err := t.Log(); err == nil && !l.Empty && l.CurrentLSN > 0 {
		slack := uint64(0) // what was not noted yet of a log that counts in units of 8 bytes
		if !l.Clean {
			slack = l.Size / 8
		}
		w.out.Anew = l.CurrentLSN+slack < w.out.Newest
	}
	w.out.Settle()
	return w.out, nil
}

// lsnOf is the number of the last change of a record.
func (w *witness) lsnOf(number uint64) uint64 {
	if number < uint64(len(w.lsn)) {
		return w.lsn[number]
	}
	return carve.Unusable
}

// add claims the clusters of a node. $MFT, $LogFile, $Bitmap and $BadClus are written without a trace, and so are the logs
// of $Extend: of these nothing is proved.
func (w *witness) add(n *ntfs.Node) {
	number := n.Ref.Record
	if number >= firstUser {
		w.changed[number] = n.Times.Changed.Time()
	}
	if number == 0 {
		return // its records are claimed one by one
	}
	c := carve.Claim{LSN: w.lsnOf(number), Changed: later(n.Times.Modified.Time(), n.Times.Changed.Time()), Noted: w.changed[number], Number: number}
	for _, e := range n.Extensions() {
		c.LSN = max(c.LSN, w.lsnOf(e))
	}
	switch {
	case number == 2 || number == 6 || number == 8 || n.Metafile() && number >= firstUser && !n.Dir():
		c.LSN = carve.Unusable
	case n.Dir():
		c.Kind = carve.Index
	case number < firstUser && c.LSN == 0:
		c.LSN = 1 // the file system's own ones are not always logged
	default:
		c.Open = keptOpen(n)
	}
	for r := range n.Places() {
		if r.Off == 0 && r.Len > headerEnd { // the VSS header is in the clusters of $Boot, and no part of that
			c.Off, c.Len = 0, headerStart
			w.out.Claims = append(w.out.Claims, c)
			r.Off, r.Len = headerEnd, r.Len-headerEnd
		}
		c.Off, c.Len = r.Off, r.Len
		w.out.Claims = append(w.out.Claims, c)
	}
}

// The VSS header of a volume, in bytes.
const headerStart, headerEnd = 0x1e00, 0x2000

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// keptOpen reports whether a file is of a kind that programs keep open.
func keptOpen(n *ntfs.Node) bool {
	names, _ := n.Names()
	return slices.ContainsFunc(names, func(name ntfs.Name) bool {
		lower := strings.ToLower(name.Name)
		return slices.ContainsFunc(openEndings, func(end string) bool { return strings.HasSuffix(lower, end) })
	})
}

// used reads $Bitmap; what of it cannot be read counts as in use.
func (w *witness) used() error {
	used, err := w.tree.Used()
	if err != nil {
		return err
	}
	size := min(w.tree.Size(), w.tree.Volume().Size())
	for off := int64(0); off < size; {
		in, n, err := used(off, size-off)
		if n = max(n, 1); err != nil { // to where the next cluster of $Bitmap begins
			unit := int64(w.tree.ClusterSize())
			n = min(size, (off/(8*unit*unit)+1)*8*unit*unit) - off
		}
		if in || err != nil {
			if last := len(w.out.Used) - 1; last >= 0 && w.out.Used[last].Off+w.out.Used[last].Len == off {
				w.out.Used[last].Len += n
			} else {
				w.out.Used = append(w.out.Used, diffstore.Range{Off: off, Len: n})
			}
		}
		off += n
	}
	if past := w.tree.Volume().Size() - size; past > 0 { // what is behind the file system belongs to nobody who tells
		w.out.Used = append(w.out.Used, diffstore.Range{Off: size, Len: past})
	}
	return nil
}

// remnants returns what is left of the store files in the file system of the volume, of those in use too.
func (v *Volume) remnants() (out []carve.Remnant) {
	if v.Filesystem != "ntfs" {
		return nil
	}
	t, err := v.Current().Files()
	if err != nil {
		return nil
	}
	for _, e := range v.storeEntries() {
		if n, err := e.Node(); err == nil {
			out = addRemnant(out, t, n, e.Name, true)
		}
	}
	for n, err := range t.Deleted() {
		if err != nil {
			continue
		}
		names, _ := n.Names()
		for _, name := range names {
			if strings.HasSuffix(strings.ToLower(name.Name), vssSuffix) {
				out = addRemnant(out, t, n, name.Name, false)
				break
			}
		}
	}
	return out
}

// addRemnant adds the file of a store, by its name; the catalog's has no identifier in it.
func addRemnant(out []carve.Remnant, t *ntfs.Tree, n *ntfs.Node, name string, used bool) []carve.Remnant {
	id := diffstore.StoreOf(name)
	m, err := n.Clusters()
	if id.IsZero() || err != nil {
		return out
	}
	r := carve.Remnant{ID: id, File: n.Ref.Record | uint64(n.Ref.Seq)<<48, Created: n.Times.Created.Time(), InUse: used}
	for e, err := range layer.Extents(m, 0, m.Size()) {
		if err == nil && e.Kind == layer.Data && e.Base == t.Volume() {
			r.Pieces = append(r.Pieces, diffstore.Piece{At: e.Off, Off: e.BaseOff, Len: e.Len})
		}
	}
	b := make([]byte, t.RecordSize())
	if layer.ReadFull(t.MFT(), b, int64(n.Ref.Record)*int64(len(b))) == nil {
		r.LSN = lsnOf(b)
	}
	return append(out, r)
}
