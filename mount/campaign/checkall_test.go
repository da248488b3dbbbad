package campaign

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

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
		if !want.changes[c] && !want.fails(c) && !hidden(c.path) && !system && !(got.fails(c) && want.otherName(c)) && !(len(got.failed) > len(want.failed) && want.elsewhere(c, a, b)) {
			v.wrongf("%s%v /%s %s is told, and did not happen", name, c.kind, c.path, c.fields)
		}
	}
	for c := range want.changes {
		told := got.changes[c]
		if !told && !got.fails(c) && !got.orphaned(c) {
			v.wrongf("%s%v /%s %s is not told", name, c.kind, c.path, c.fields)
		}
		fa, fb := fileOf(a, c), fileOf(b, c)
		if fa != nil && r.touches(a, fa) || fb != nil && r.touches(b, fb) || r.points[a] || r.points[b] || fa == nil && fb == nil ||
			r.holds(a, c.ref) || r.holds(b, c.ref) { // that a file is gone, or is new, rests on the record that it has on the other side
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
		if f.path == "" && f.ref.Record == 0 || f.ref.Record != 0 && f.ref.Record <= c.ref.Record && c.ref.Record <= f.last || f.path == c.path || f.path == c.old ||
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

// otherName reports whether the change is told of another name of the file.
func (d *diffFacts) otherName(c change) bool {
	for x := range d.changes {
		if x.kind == c.kind && x.ref == c.ref && x.fields == c.fields {
			return true
		}
	}
	return false
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
func (g *pointFacts) damaged(ref ntfs.Ref) bool {
	for _, f := range g.files {
		if f.ref == ref {
			return f.kind == ntfs.KindDir
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
