package campaign

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"snapmount/ntfs"
	"snapmount/ntfs/compare"
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
func (f *pointFacts) renamed(record uint64) bool {
	for _, x := range f.files {
		if x.ref.Record == record {
			return true
		}
	}
	return false
}

// covers reports whether the listing says that a path may be missing.
func (f *pointFacts) covers(name string) bool {
	for dir := name; dir != "."; {
		dir = path.Dir(dir)
		key := dir
		if dir == "." {
			key = ""
		}
		if f.dirs[key] != nil || f.files[dir] != nil && f.files[dir].err != nil {
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

func (v *verdict) diff(t *volumeFacts, k [2]string, want, got *diffFacts, r *reach) {
	if want.err != nil || got.err != nil {
		return
	}
	var a, b *pointFacts
	for _, p := range t.points {
		if p.key == k[0] {
			a = p
		}
		if p.key == k[1] {
			b = p
		}
	}
	name := "diff " + a.point.Name + " " + b.point.Name + ": "
	for c := range got.changes {
		system := strings.HasPrefix(c.path, compare.OrphanDir+"/$") // known as such by its directory alone
		if !want.changes[c] && !want.fails(c) && !hidden(c.path) && !system && !(len(got.failed) > len(want.failed) && want.elsewhere(c, a, b)) {
			v.wrongf("%s%v /%s %s is told, and did not happen", name, c.kind, c.path, c.fields)
		}
	}
	for c := range want.changes {
		told := got.changes[c]
		if !told && !got.fails(c) && !got.orphaned(c) {
			v.wrongf("%s%v /%s %s is not told", name, c.kind, c.path, c.fields)
		}
		fa, fb := fileOf(a, c), fileOf(b, c)
		if fa != nil && r.touches(a, fa) || fb != nil && r.touches(b, fb) || r.points[a] || r.points[b] || fa == nil && fb == nil {
			continue
		}
		v.count(told, "%s%v /%s", name, c.kind, c.path)
	}
}

func fileOf(p *pointFacts, c change) *fileFacts {
	for _, n := range []string{c.path, c.old} {
		if f := p.files[n]; f != nil && f.ref == c.ref && len(f.places) > 0 {
			return f
		}
	}
	return nil
}

// fails reports whether the differences say that this one is not known.
func (d *diffFacts) fails(c change) bool {
	for _, f := range d.failed {
		if f.path == "" && f.ref.Record == 0 || f.ref.Record != 0 && f.ref.Record == c.ref.Record || f.path == c.path || f.path == c.old ||
			strings.HasPrefix(c.path, f.path+"/") || c.old != "" && strings.HasPrefix(c.old, f.path+"/") {
			return true
		}
	}
	return false
}

// elsewhere reports whether a change in no known directory is one of the truth, or of a system file, which is only known by
// its directory.
func (d *diffFacts) elsewhere(c change, a, b *pointFacts) bool {
	if !strings.HasPrefix(c.path, compare.OrphanDir) && !strings.HasPrefix(c.old, compare.OrphanDir) {
		return false
	}
	for x := range d.changes {
		if x.kind == c.kind && x.ref == c.ref {
			return true
		}
	}
	return c.kind == compare.Renamed || a.damaged(c.ref) || b.damaged(c.ref) // the directory above it is lost on one side, and told
}

// orphaned reports whether the change is told without its directory, which is told to be lost.
func (d *diffFacts) orphaned(c change) bool {
	for x := range d.changes {
		if x.kind == c.kind && x.ref == c.ref && strings.HasPrefix(x.path, compare.OrphanDir) {
			return len(d.failed) > 0
		}
	}
	return false
}

// damaged reports whether the record is not one that the truth has otherwise.
func (f *pointFacts) damaged(ref ntfs.Ref) bool {
	for _, x := range f.files {
		if x.ref == ref {
			return x.kind == ntfs.KindDir
		}
	}
	return false
}

// gone compares what is called gone, by its record: its path is an orphan's where a directory is lost, and told.
func (v *verdict) gone(t, g *volumeFacts) {
	told := len(g.goneErr) > len(t.goneErr)
	for name, ref := range g.gone {
		if want, ok := t.gone[name]; !ok && !(told && t.goneRecord(ref.Record)) || ok && want.Record != ref.Record {
			v.wrongf("/%s %v is called gone, and is not", name, ref)
		}
	}
	for name, ref := range t.gone {
		if _, ok := g.gone[name]; !ok && !told {
			v.wrongf("/%s %v is gone, and not told", name, ref)
		}
	}
}

func (f *volumeFacts) goneRecord(record uint64) bool {
	for _, ref := range f.gone {
		if ref.Record == record {
			return true
		}
	}
	return false
}

func (v *verdict) hits(t, g *volumeFacts) {
	told := func(ref ntfs.Ref) bool {
		if len(g.hitErr) > len(t.hitErr) {
			return true
		}
		for _, x := range g.gaps {
			if x.From <= ref.Record && ref.Record < x.To {
				return true
			}
		}
		return false
	}
	for k, h := range g.hits {
		want, ok := t.hits[k]
		switch {
		case strings.HasPrefix(k.path, "/System Volume Information"):
		case !ok && k.orphan && t.alive(k.ref, h.first, h.last): // marked
		case !ok && !k.deleted && !told(k.ref):
			v.wrongf("find: %s %v is told, and is none", k.path, k.ref)
		case !ok && k.deleted && t.alive(k.ref, h.first, h.last):
			v.wrongf("find: %s %v is called deleted", k.path, k.ref)
		case ok && want != h && !told(k.ref) && !g.orphaned(k):
			v.wrongf("find: %s %v: points %d to %d, %d bytes, want %d to %d, %d bytes", k.path, k.ref, h.first, h.last, h.size, want.first, want.last, want.size)
		}
	}
	for k := range t.hits {
		if _, ok := g.hits[k]; !ok && !told(k.ref) && !g.orphaned(k) && !strings.HasPrefix(k.path, "/System Volume Information") && !g.nodeDamaged(k.ref) {
			v.wrongf("find: %s:%s %v is not told", k.path, k.stream, k.ref)
		}
	}
}

// alive reports whether a file is in use at one of the points.
func (f *volumeFacts) alive(ref ntfs.Ref, first, last int) bool {
	for _, p := range f.points[first : last+1] {
		if p.used[ref.Record] {
			return true
		}
	}
	return false
}

// orphaned reports whether a hit is there without its directory.
func (f *volumeFacts) orphaned(k hitKey) bool {
	for x := range f.hits {
		if x.orphan && x.ref == k.ref && x.stream == k.stream {
			return true
		}
	}
	return false
}

// nodeDamaged reports whether a record is known to be damaged at a point.
func (f *volumeFacts) nodeDamaged(ref ntfs.Ref) bool {
	for _, gap := range f.gaps {
		if gap.From <= ref.Record && ref.Record < gap.To {
			return true
		}
	}
	return false
}

func (v *verdict) history(t *volumeFacts, name string, want, got []compare.Version) {
	type row struct {
		ref         ntfs.Ref
		first, last int
		path        string
		event       compare.Event
	}
	rows, failed := map[row]bool{}, false
	for _, x := range want {
		if x.Err != nil {
			return
		}
		for _, e := range x.Events {
			rows[row{x.Ref, x.First, x.Last, x.Path, e}] = true
		}
	}
	said := 0
	for _, x := range got {
		if x.Err != nil {
			if errors.Is(x.Err, fs.ErrNotExist) && len(got) == 1 {
				v.wrongf("history of /%s: there is none", name)
			}
			failed = true
			continue
		}
		for _, e := range x.Events {
			if rows[row{x.Ref, x.First, x.Last, x.Path, e}] {
				said++
			} else if e == compare.EventDeleted {
				for _, y := range want {
					if y.Ref == x.Ref && y.First <= x.First && x.First <= y.Last && y.Node != nil {
						v.wrongf("history of /%s: %v is called deleted at %d", name, x.Ref, x.First)
					}
				}
			} else if y := versionAt(want, x); y != nil && x.Last > y.Last {
				v.wrongf("history of /%s: %v is called the same from %d to %d, and changed after %d", name, x.Ref, x.First, x.Last, y.Last)
			}
		}
	}
	if !failed && said < len(rows) {
		v.wrongf("history of /%s: %d rows of %d, and nothing is told: %v, want %v", name, said, len(rows), brief(got), brief(want))
	}
}

func brief(rows []compare.Version) (out []string) {
	for _, x := range rows {
		out = append(out, fmt.Sprint(x.Ref, " ", x.First, "-", x.Last, " ", x.Path, " ", x.Events, " ", x.Err))
	}
	return out
}

// versionAt is the version that a file has at the moment at which another begins.
func versionAt(rows []compare.Version, x compare.Version) *compare.Version {
	for i := range rows {
		if y := &rows[i]; y.Ref == x.Ref && y.First <= x.First && x.First <= y.Last && y.Node != nil && x.Node != nil {
			return y
		}
	}
	return nil
}
