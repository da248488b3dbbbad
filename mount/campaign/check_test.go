package campaign

import (
	"fmt"
	"path"

	"snapmount/ntfs"
)

// A verdict is what comparing the facts of a mutated image with the truth comes to.
type verdict struct {
	wrong     []string // conclusions that the truth contradicts
	withheld  int      // files that are not given, and this is told
	untouched int      // files, and changes, that the mutation has nothing to do with
	given     int      // of these
	notGiven  []string
	chunks    bool // the disk is unpacked as it is read
}

func (v *verdict) wrongf(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// count counts what the mutation did not touch.
func (v *verdict) count(given bool, format string, args ...any) {
	v.untouched++
	if given {
		v.given++
	} else if len(v.notGiven) < 5 {
		v.notGiven = append(v.notGiven, fmt.Sprintf(format, args...))
	}
}

// A reach says what a mutation touches.
type reach struct {
	places spans
	points map[*pointFacts]bool // points of the truth that are read through a structure of VSS that it touches
}

func (r *reach) touches(p *pointFacts, f *fileFacts) bool {
	return r.points[p] || r.places.meets(f.places)
}

// holds reports whether the mutation touches a file record at a point, used or not.
func (r *reach) holds(p *pointFacts, ref ntfs.Ref) bool {
	t, err := p.point.Files()
	if err != nil {
		return false
	}
	size := int64(t.RecordSize())
	return r.places.meets(resolved(t.MFT(), int64(ref.Record)*size, size))
}

// check compares got with the truth.
func check(truth, got *facts, r *reach, chunks bool) *verdict {
	v := &verdict{chunks: chunks}
	if got.failed != nil {
		return v // all is withheld, and told
	}
	for _, t := range truth.volumes {
		var g *volumeFacts
		for _, x := range got.volumes {
			if x.off == t.off {
				g = x
			}
		}
		if g == nil {
			if len(got.told) == len(truth.told) {
				v.wrongf("volume at 0x%x is not there, and nothing is told", t.off)
			}
			for _, p := range t.points {
				v.lose(p, r)
			}
			continue
		}
		v.volume(t, g, r, g.told != nil || len(got.told) > len(truth.told))
	}
	return v
}

// lose counts the files of a point that is not given.
func (v *verdict) lose(t *pointFacts, r *reach) {
	for name, f := range t.files {
		v.withheld++
		if f.err == nil && !r.touches(t, f) {
			v.count(false, "@%s %s: no such point", t.point.Name, name)
		}
	}
}

func (v *verdict) volume(t, g *volumeFacts, r *reach, told bool) {
	pairs := map[string]*pointFacts{}
	for _, p := range g.points {
		pairs[p.key] = p
	}
	same := len(t.points) == len(g.points)
	for i, p := range t.points {
		q := pairs[p.key]
		same = same && q == g.points[i]
		if q == nil || q.err != nil {
			if q == nil && !told {
				v.wrongf("point %s is not there, and nothing is told", p.point.Name)
			}
			v.lose(p, r)
			continue
		}
		v.point(p, q, r, told)
	}
	for k, d := range t.diffs {
		if e := g.diffs[k]; e != nil && pairs[k[0]] != nil && pairs[k[1]] != nil {
			v.diff(t, k, d, e, r)
		}
	}
	if same {
		v.gone(t, g)
		v.hits(t, g)
		for name, rows := range g.rows {
			v.history(t, name, t.rows[name], rows)
		}
	}
}

func (v *verdict) point(t, g *pointFacts, r *reach, told bool) {
	at := "@" + t.point.Name + " "
	for name, f := range t.files {
		x, found := g.files[name], ""
		switch {
		case x != nil:
		case g.lost[f.ref.Record] != nil:
			x, found = g.lost[f.ref.Record], " (lost)"
		case g.covers(name) || g.lostErr != nil:
			v.withheld++
		case told && g.renamed(f.ref.Record): // under the name that another witness has, and told
			v.withheld++
		default:
			v.wrongf("%s%s is missing from the listing, and nothing is told", at, name)
		}
		whole := x != nil && v.file(at+name+found, f, x)
		if f.err == nil && len(f.places) > 0 && !r.touches(t, f) {
			v.count(whole, "%s%s", at, name)
		}
	}
	for name, x := range g.files {
		if t.files[name] == nil && x.err == nil && !under(name, t.files) && !(told && t.used[x.ref.Record]) { // a name that the record contradicts
			v.wrongf("%s%s is listed, and is not there (record %d, from its record: %v, damage: %v)", at, name, x.ref.Record, x.marked, x.damage)
		}
	}
	for n, x := range g.lost {
		if !t.used[n] && x.damage == nil {
			v.wrongf("%s#%d is called a lost file, and is none", at, n)
		}
	}
	for n := range g.deleted {
		if t.used[n] {
			v.wrongf("%s#%d is called a deleted file, and is in use", at, n)
		}
	}
}

// renamed reports whether the file of a record is listed.
func (g *pointFacts) renamed(record uint64) bool {
	for _, x := range g.files {
		if x.ref.Record == record {
			return true
		}
	}
	return false
}

// covers reports whether the listing says that a path may be missing.
func (g *pointFacts) covers(name string) bool {
	for dir := name; dir != "."; {
		dir = path.Dir(dir)
		key := dir
		if dir == "." {
			key = ""
		}
		if g.dirs[key] != nil || g.files[dir] != nil && g.files[dir].err != nil {
			return true
		}
	}
	return false
}

// under reports whether a name is below a directory of the same path that the truth has not read.
func under(name string, files map[string]*fileFacts) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if f := files[dir]; f != nil && (f.err != nil || hidden(dir)) {
			return true
		}
	}
	return hidden(name)
}

// file compares a file, and reports whether all of it is given.
func (v *verdict) file(name string, t, g *fileFacts) bool {
	if t.err != nil {
		return true
	}
	if g.err != nil {
		v.withheld++
		return false
	}
	if t.kind != g.kind && g.damage == nil {
		v.wrongf("%s is a %v, want %v", name, g.kind, t.kind)
	}
	whole := true
	for s, a := range t.streams {
		b, ok := g.streams[s]
		switch {
		case a.err != nil:
		case !ok && g.damage == nil && g.streamErr == nil:
			v.wrongf("%s:%s is not there, and nothing is told", name, s)
		case !ok || b.err != nil:
			whole = false
			if ok && b.intact && !v.chunks { // what is in a chunk is told by reading it
				v.wrongf("%s:%s is called intact, and cannot be read: %v", name, s, b.err)
			}
		case a.size != b.size || a.hash != b.hash:
			whole = false
			v.wrongf("%s:%s has other bytes: %d, want %d; called intact: %v, damage: %v", name, s, b.size, a.size, b.intact, g.damage)
		}
	}
	for s, b := range g.streams {
		if _, ok := t.streams[s]; !ok && b.err == nil && g.damage == nil {
			v.wrongf("%s:%s is a stream that is not there", name, s)
		}
	}
	if t.secErr == nil && g.secErr == nil && t.security != g.security {
		v.wrongf("%s has another security descriptor", name)
	}
	if !whole {
		v.withheld++
	}
	return whole
}
