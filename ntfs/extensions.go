package ntfs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// allAttributes are the attributes of a file, those of its extension records included.
type allAttributes struct {
	list       []attribute // copies where there are extension records; one that cannot be had is there with its err
	extensions []uint64    // numbers of the records, in order
	doubt      error       // what the attribute list says otherwise than the records, though nothing is missing
}

// attributes returns all attributes of a file. What is missing is the error, and an attribute with an err where it is
// known which.
//
// The attribute list and the base references of the extension records are witnesses of the same: an extension record that
// is named by the list and has this file as its base belongs to it, whatever else the list says of it. Where the list is
// damaged, or what it says is not there, all records are asked for their base.
func (t *Tree) attributes(r *fileRecord) (allAttributes, error) {
	list, damage := r.attributes()
	at := slices.IndexFunc(list, func(a attribute) bool { return a.typ == typeAttributeList })
	if at < 0 {
		return allAttributes{list: list}, damage
	}
	own := *r
	own.attrs = bytes.Clone(r.attrs) // a node keeps what is returned, and must not keep a chunk of the $MFT with it
	list, _ = own.attributes()
	g := gathering{t: t, base: &own, all: allAttributes{list: list}, taken: map[uint64]uint16{r.ref.Record: r.live().Seq}, owners: slices.Repeat([]uint64{r.ref.Record}, len(list)), failed: map[uint64]error{}}
	entries, err := t.readList(&own, &list[at])
	err = errors.Join(list[at].err, err)
	for i := range entries {
		g.take(entries[i].ref)
	}
	missing := g.missing(entries)
	if err == nil && len(missing) == 0 && g.mapped() { // the records say all
		g.all.doubt = g.doubt
		slices.Sort(g.all.extensions)
		return g.all, damage
	}
	named, lost := len(g.taken), g.searchAll()
	missing = g.missing(entries)
	for _, e := range missing {
		g.all.list = append(g.all.list, g.lost(e))
	}
	slices.Sort(g.all.extensions)
	if g.all.doubt = cmp.Or(err, g.doubt); len(g.taken) > named {
		g.all.doubt = cmp.Or(g.all.doubt, errListed)
	}
	if err != nil && lost != nil {
		damage, g.all.doubt = errors.Join(damage, err, lost), nil
	}
	return g.all, damage
}

// A gathering collects the attributes of a file with an attribute list.
type gathering struct {
	t      *Tree
	base   *fileRecord
	all    allAttributes
	owners []uint64          // records of the attributes
	taken  map[uint64]uint16 // sequence numbers of the records
	failed map[uint64]error  // why records that the list names are not taken
	doubt  error
}

// take adds the attributes of an extension record, once.
//
// Its sequence number counts of a deleted file alone, whose records may have been deleted again since.
func (g *gathering) take(ref Ref) {
	number := ref.Record
	if _, ok := g.taken[number]; ok || g.failed[number] != nil {
		return
	}
	r, err := g.t.extension(g.base, number)
	if err == nil && g.base.flags&layout.RecordInUse == 0 && r.live().Seq != ref.Seq {
		err = fmt.Errorf("%w: found %v", ErrStale, r.ref)
	}
	if err != nil {
		g.failed[number] = err
		return
	}
	g.taken[number] = r.live().Seq
	g.all.extensions = append(g.all.extensions, number)
	r.attrs = bytes.Clone(r.attrs)
	list, err := r.attributes()
	g.all.list, g.owners = append(g.all.list, list...), append(g.owners, slices.Repeat([]uint64{number}, len(list))...)
	if err != nil {
		g.doubt = cmp.Or(g.doubt, err)
	}
}

// extension returns the extension record of that number, if it has base for its base.
func (t *Tree) extension(base *fileRecord, number uint64) (fileRecord, error) {
	r, err := t.record(number)
	switch {
	case err != nil:
	case (r.flags^base.flags)&layout.RecordInUse != 0:
		err = layer.Corrupt("file record", r.off, "%v is in use: %v, its base record: %v", r.ref, r.flags&layout.RecordInUse != 0, base.flags&layout.RecordInUse != 0)
	case r.base != base.live():
		err = layer.Corrupt("file record", r.off, "%v belongs to %v", r.ref, r.base)
	}
	return r, err
}

// A part names an attribute, or one extent of it, as an entry of a list does; the record and the id may be left out.
type part struct {
	typ    uint32
	name   string
	low    uint64
	record uint64
	id     uint16
}

// missing returns the entries of a list that no attribute answers to. What the list says of ids, sequence numbers and VCNs
// is in doubt where the record that it names has such an attribute all the same.
func (g *gathering) missing(entries []listEntry) (out []listEntry) {
	there, exact := make(map[part]bool, len(g.all.list)), make(map[part]bool, len(g.all.list))
	for i := range g.all.list {
		a := &g.all.list[i]
		p := part{typ: a.typ, name: string(a.name), low: a.low}
		there[p], there[part{typ: p.typ, name: p.name}] = true, true
		p.record, p.id = g.owners[i], a.id
		exact[p] = true
	}
	for _, e := range entries {
		p := part{typ: e.typ, name: string(e.name), low: e.low}
		seq, taken := g.taken[e.ref.Record]
		switch {
		case taken && seq == e.ref.Seq && exact[part{p.typ, p.name, p.low, e.ref.Record, e.id}]:
		case there[p], taken && there[part{typ: p.typ, name: p.name}]:
			g.doubt = cmp.Or(g.doubt, fmt.Errorf("attribute list: attribute 0x%x of id %d at VCN 0x%x is not in record %v: %w", e.typ, e.id, e.low, e.ref, layer.ErrCorrupt))
		default:
			out = append(out, e)
		}
	}
	return out
}

// mapped reports whether the extents of each attribute follow one another from VCN 0 on.
func (g *gathering) mapped() bool {
	ends := map[part]uint64{}
	total := map[part]uint64{}
	for i := range g.all.list {
		a := &g.all.list[i]
		if a.err != nil || a.resident {
			continue
		}
		p := part{typ: a.typ, name: string(a.name)}
		ends[p] = max(ends[p], a.high+1)
		total[p] += a.high + 1 - a.low
	}
	for i := range g.all.list {
		a := &g.all.list[i]
		p := part{typ: a.typ, name: string(a.name)}
		if a.err == nil && !a.resident && (total[p] != ends[p] || a.low == 0 && a.size > 0 && (a.size-1)/uint64(g.t.geo.cluster) >= ends[p]) {
			return false
		}
	}
	return true
}

// searchAll takes what the survey of all records knows to be of the file. The error says why there may be more.
func (g *gathering) searchAll() error {
	if g.base.flags&layout.RecordInUse == 0 { // of a deleted file nothing else is known
		return layer.ErrCorrupt
	}
	s := g.t.survey()
	for _, number := range s.extensionsOf(g.base.ref.Record) {
		delete(g.failed, number)
		g.take(Ref{Record: number})
	}
	return s.gap
}

// lost stands for an attribute that cannot be had.
func (g *gathering) lost(e listEntry) attribute {
	err := cmp.Or(g.failed[e.ref.Record], layer.Corrupt("attribute list", 0, "it names one of id %d", e.id))
	return attribute{typ: e.typ, name: e.name, low: min(e.low, maxVCN), err: fmt.Errorf("attribute 0x%x in extension record %v: %w", e.typ, e.ref, err)}
}
