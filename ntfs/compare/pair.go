package compare

import (
	"fmt"
	"slices"

	"snapmount/ntfs"
)

// A pair is what the two trees have in a record: the same file, two files, or one; then the other is nil.
type pair struct {
	*differ
	number             uint64
	old, now           *ntfs.Node
	oldNames, nowNames []ntfs.Name
	oldLinks, nowLinks []link
	err                error // why one of them cannot be had
	inPlace            bool
	at                 place // of rows about the file
	only               place // where rows are wanted
}

// tell adds the rows that are about a place.
func (p *pair) tell(at place) {
	p.only = at
	switch {
	case p.err != nil:
		p.fail("file record", p.err)
	case p.old != nil && p.now != nil && p.old.Ref == p.now.Ref:
		p.compare()
	default:
		p.replaced()
	}
}

// choosePlace takes the first name that is to be told of, in the second tree if the file is there, and reports whether
// the file is to be told of.
func (p *pair) choosePlace() bool {
	i := slices.IndexFunc(p.nowLinks, func(l link) bool { return p.b.wanted(l.place, &p.opts) })
	k := slices.IndexFunc(p.oldLinks, func(l link) bool { return p.a.wanted(l.place, &p.opts) })
	switch {
	case i >= 0:
		p.at = p.nowLinks[i].place
	case k >= 0 && p.now != nil:
		p.at = p.nowLinks[0].place
	case k >= 0:
		p.at = p.oldLinks[k].place
	}
	return i >= 0 || k >= 0 || p.old == nil && p.now == nil
}

// add tells a change of node n.
func (p *pair) add(n *ntfs.Node, at, from place, c Change) {
	if at != p.only {
		return
	}
	c.Ref, c.Type, c.InPlace = n.Ref, n.Kind, p.inPlace
	if p.inPlace {
		c.By = ByExtents
	}
	p.rows = append(p.rows, row{c, at, from, nil})
}

// fail tells that something of the file cannot be compared.
func (p *pair) fail(what string, err error) {
	if p.at != p.only {
		return
	}
	c := Change{Ref: ntfs.Ref{Record: p.number}, OldSize: -1, NewSize: -1}
	if p.old != nil {
		c.Ref, c.Type = p.old.Ref, p.old.Kind
	}
	if p.now != nil {
		c.Ref, c.Type = p.now.Ref, p.now.Kind
	}
	p.rows = append(p.rows, row{c, p.at, place{}, fmt.Errorf("%v: %s: %w", c.Ref, what, err)})
}

// replaced tells that one file is gone, and another one there now.
func (p *pair) replaced() {
	var damage, damage2 error
	if p.old != nil {
		p.gone(p.oldLinks)
		damage = p.old.Damage
	}
	if p.now != nil {
		p.came(p.nowLinks)
		damage2 = p.now.Damage
	}
	if err := sideErr(damage, damage2); err != nil {
		p.fail("file record", err)
	}
}

// gone tells that names are gone, from the old file or with it.
func (p *pair) gone(names []link) {
	for i, l := range names {
		if p.a.wanted(l.place, &p.opts) {
			p.add(p.old, l.place, place{}, Change{Kind: Deleted, Fields: linkField(i, names, p.oldLinks), OldSize: size(p.old), NewSize: -1})
		}
	}
}

// came tells that names are new, of the new file or with it.
func (p *pair) came(names []link) {
	for i, l := range names {
		if p.b.wanted(l.place, &p.opts) {
			p.add(p.now, l.place, place{}, Change{Kind: Created, Fields: linkField(i, names, p.nowLinks), OldSize: -1, NewSize: size(p.now)})
		}
	}
}

// linkField is for name i of those that came or went, of all that the file has.
func linkField(i int, names, all []link) []string {
	if i > 0 || len(names) < len(all) {
		return []string{"link"}
	}
	return nil
}

// size is that of the unnamed stream, -1 without one.
func size(n *ntfs.Node) int64 {
	if !n.HasData {
		return -1
	}
	return n.Size
}

// compare tells what changed of a file.
func (p *pair) compare() {
	p.compareNames()
	if p.at != p.only {
		return
	}
	p.compareMetadata()
	p.compareStreams()
	if err := sideErr(p.old.Damage, p.now.Damage); err != nil {
		p.fail("file record", err)
	}
}

// compareNames pairs names that are gone with new ones. What damage may have hidden neither came nor went.
func (p *pair) compareNames() {
	gone, came := without(p.oldLinks, p.nowLinks), without(p.nowLinks, p.oldLinks)
	if p.old.Damage == nil && p.now.Damage == nil {
		gone, came = p.renamed(gone, came)
	}
	if p.now.Damage == nil {
		p.gone(gone)
	}
	if p.old.Damage == nil {
		p.came(came)
	}
}

// renamed pairs names, those in the same directory first, then those that are the same word, and returns what is left.
func (p *pair) renamed(gone, came []link) ([]link, []link) {
	for _, alike := range []func(x, y link) bool{
		func(x, y link) bool { return x.parent == y.parent },
		func(x, y link) bool { return x.name == y.name },
		func(x, y link) bool { return true },
	} {
		for i := 0; i < len(gone); i++ {
			k := slices.IndexFunc(came, func(l link) bool { return alike(gone[i], l) })
			if k < 0 {
				continue
			}
			if from, at := gone[i].place, came[k].place; p.a.wanted(from, &p.opts) || p.b.wanted(at, &p.opts) {
				p.add(p.now, at, from, Change{Kind: Renamed, OldSize: -1, NewSize: -1})
			}
			gone, came = slices.Delete(gone, i, i+1), slices.Delete(came, k, k+1)
			i--
		}
	}
	return gone, came
}

// without returns the names of x that y has not: the same name in the same directory, wherever that is by now.
func without(x, y []link) (out []link) {
	for _, l := range x {
		if !l.madeUp && !slices.ContainsFunc(y, func(k link) bool { return k.parent == l.parent && k.name == l.name }) {
			out = append(out, l)
		}
	}
	return out
}
