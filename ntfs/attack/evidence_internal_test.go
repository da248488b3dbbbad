package attack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/content"
	"snapmount/ntfs/timeline"
	"snapmount/ntfs/usn"
)

// dirs are directories by their record; they have been there from a point on.
type dirs map[uint64]struct {
	path  string
	since int
}

func (d dirs) Paths(n ntfs.Name, first, last int) []timeline.Segment {
	x, ok := d[n.Parent.Record]
	if orphan := !ok || first < x.since; orphan {
		return []timeline.Segment{{Path: n.Name, Orphan: true, First: first, Last: last}}
	}
	return []timeline.Segment{{Path: x.path + "/" + n.Name, First: first, Last: last}}
}

// A world is lives of two points.
type world struct {
	sweep
	next uint64
}

func newWorld() *world {
	w := &world{next: 100}
	w.trees = make([]*ntfs.Tree, 2)
	w.files, w.upper = map[ntfs.Ref][]int32{}, strings.ToUpper
	w.dirs = dirs{5: {"", 0}, 20: {"/a", 0}, 21: {"/a/b", 0}, 22: {"/c", 0}, 30: {"/new", 1}}
	return w
}

// file adds a file that is called was at the first point and is at the second; empty where it is not there. Other content is
// another version.
func (w *world) file(dir uint64, was, is string, other bool) *life {
	w.next++
	l := &life{ref: ntfs.Ref{Record: w.next, Seq: 1}}
	parent := ntfs.Ref{Record: dir, Seq: 1}
	for p, name := range []string{was, is} {
		if name == "" {
			continue
		}
		l.names = append(l.names, named{p, p, ntfs.Name{Parent: parent, Name: name}})
		if k := len(l.versions) - 1; k >= 0 && !other {
			l.versions[k].Last = p
		} else {
			l.versions = append(l.versions, Version{Ref: l.ref, First: p, Last: p, Size: 100})
		}
	}
	w.count(l)
	if w.kept(l) {
		w.lives = append(w.lives, l)
	}
	return l
}

func (w *world) many(n int, dir uint64, was, is string, other bool) {
	for i := range n {
		name := func(format string) string {
			if format == "" {
				return ""
			}
			return fmt.Sprintf(format, i)
		}
		w.file(dir, name(was), name(is), other)
	}
}

// TestBursts has the thresholds: more than 50 files and more than a fifth of a folder, or five with the same new extension.
func TestBursts(t *testing.T) {
	for _, c := range []struct {
		name string
		fill func(w *world)
		want []string
	}{
		{"51 of 255 files of a folder", func(w *world) { w.many(51, 20, "f%d.doc", "f%d.doc", true); w.many(204, 20, "o%d", "o%d", false) }, nil},
		{"51 of 254", func(w *world) { w.many(51, 20, "f%d.doc", "f%d.doc", true); w.many(203, 20, "o%d", "o%d", false) }, []string{"rewritten  /a 51/254 mass"}},
		{"50 files", func(w *world) { w.many(50, 20, "f%d.doc", "f%d.doc", true) }, nil},
		{"in a folder and one below it", func(w *world) { w.many(30, 20, "f%d", "f%d", true); w.many(30, 21, "g%d", "g%d", true) }, []string{"rewritten  /a 60/60 mass"}},
		{"in two folders, of which one has many others", func(w *world) {
			w.many(60, 20, "f%d", "", false)
			w.many(60, 22, "g%d", "", false)
			w.many(900, 22, "h%d", "h%d", false)
		}, []string{"removed  /a 60/60 mass"}},
		{"four files with an extension", func(w *world) { w.many(4, 20, "f%d.doc", "f%d.doc.x", false) }, nil},
		{"five", func(w *world) { w.many(5, 20, "f%d.doc", "f%d.doc.X", false) }, []string{"renamed x /a 5/5"}},
		{"the same extension under another name", func(w *world) { w.many(60, 20, "f%d.doc", "g%d.doc", false) }, nil},
		{"new files in place of others", func(w *world) { w.many(60, 20, "f%d.doc", "", false); w.many(60, 20, "", "f%d.doc.x", false) }, []string{"replaced x /a 60/60 mass"}},
		{"new files", func(w *world) { w.many(600, 20, "", "f%d.doc", false) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			c.fill(w)
			w.link()
			var got []string
			for _, b := range w.bursts(0) {
				line := fmt.Sprintf("%v %s %s %d/%d", b.Sign, b.Ext, b.Folder, b.Files, b.Of)
				if b.Mass {
					line += " mass"
				}
				got = append(got, line)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestBurstsUnknown has records that nobody can read at one of the points: they are not gone, nor new.
func TestBurstsUnknown(t *testing.T) {
	w := newWorld()
	w.many(60, 20, "f%d.doc", "", false)
	for _, l := range w.lives {
		l.unknown = []bool{false, true}
	}
	if got := w.bursts(0); len(got) > 0 {
		t.Errorf("burst %+v of what is not known", got[0])
	}
}

// TestLink finds what took the place of a file.
func TestLink(t *testing.T) {
	for _, c := range []struct {
		was, is string
		want    bool
	}{
		{"a.docx", "a.docx", true}, {"a.docx", "A.DOCX", true}, {"a.docx", "a.docx.locked", true}, {"a.docx", "a.docx.id-12.[x@y.z].lock", true},
		{"a.docx", "a.docx[x@y].lock", true}, {"a.docx", "a.lock", true}, {"a.docx", "b.docx", false}, {"a.docx", "a.docx2.lock", false}, {"a", "a.lock", true}, {"a.docx", "docx.lock", false},
	} {
		w := newWorld()
		old, now := w.file(20, c.was, "", false), w.file(20, "", c.is, false)
		w.file(21, "", c.was+".locked", false) // elsewhere
		if w.link(); (now.before == old) != c.want {
			t.Errorf("%s in place of %s: %v, want %v", c.is, c.was, now.before == old, c.want)
		}
	}
}

// TestLinkOnce gives a place to one file alone.
func TestLinkOnce(t *testing.T) {
	w := newWorld()
	old := w.file(20, "a.txt", "", false)
	one, two := w.file(20, "", "a.txt.lock", false), w.file(20, "", "a.txt.gz", false)
	w.link()
	if old.next == nil || (one.before == old) == (two.before == old) {
		t.Errorf("next %v, before %v and %v", old.next, one.before, two.before)
	}
}

// TestIsNote takes small texts that are new in folders that are not.
func TestIsNote(t *testing.T) {
	w := newWorld()
	w.ctx = t.Context()
	for _, c := range []struct {
		dir     uint64
		was, is string
		size    int64
		want    bool
	}{
		{20, "", "READ ME.txt", 100, true}, {20, "", "index.HTML", noteSize, true}, {20, "", "big.txt", noteSize + 1, false}, {20, "", "empty.txt", 0, false},
		{20, "", "a.exe", 100, false}, {30, "", "README.txt", 100, false}, {20, "old.txt", "old.txt", 100, false},
	} {
		l := w.file(c.dir, c.was, c.is, false)
		l.versions[0].Size = c.size
		if got := w.isNote(l, 1); got != c.want {
			t.Errorf("%s of %d bytes in %d: %v", c.is, c.size, c.dir, got)
		}
	}
}

func at(second int) wintype.Filetime {
	return wintype.FiletimeOf(time.Date(2026, 11, 3, 12, 0, second, 0, time.UTC))
}

// TestSpan leaves out what does not lie between two points, and tells it.
func TestSpan(t *testing.T) {
	from, to := timeline.Point{Time: at(10).Time()}, timeline.Point{}
	var times []wintype.Filetime
	for i := range 40 {
		times = append(times, at(20+i%2))
	}
	got := spanOf(append(times, at(5), at(55), at(15)), from, to)
	if want := (Span{First: at(15), Last: at(55), From: at(20), To: at(21), Files: 42, Outside: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := spanOf([]wintype.Filetime{at(1)}, from, to); got.Files != 0 || got.Outside != 1 {
		t.Errorf("nothing between the points: %+v", got)
	}
}

// event encodes a record of the change journal, of version 2.
func event(ref ntfs.Ref, when wintype.Filetime, reason usn.Reason) []byte {
	name := utf16.Encode([]rune("name.txt"))
	b := make([]byte, (60+2*len(name)+7)&^7)
	le := binary.LittleEndian
	le.PutUint32(b, uint32(len(b)))
	le.PutUint16(b[4:], 2)
	le.PutUint64(b[8:], ref.Record|uint64(ref.Seq)<<48)
	le.PutUint64(b[16:], 5|5<<48)
	le.PutUint64(b[32:], uint64(when))
	le.PutUint32(b[40:], uint32(reason))
	le.PutUint16(b[56:], uint16(2*len(name)))
	le.PutUint16(b[58:], 60)
	for i, u := range name {
		le.PutUint16(b[60+2*i:], u)
	}
	return b
}

// TestJournal takes the changes of what was spoiled, between the points, and says of how many files they are.
func TestJournal(t *testing.T) {
	one, two, other := ntfs.Ref{Record: 50, Seq: 1}, ntfs.Ref{Record: 51, Seq: 1}, ntfs.Ref{Record: 50, Seq: 2}
	b := slices.Concat(event(one, at(1), usn.DataExtend), event(other, at(20), usn.DataExtend), event(one, at(21), usn.DataOverwrite), event(one, at(22), usn.RenameNewName),
		event(two, at(30), usn.RenameNewName), event(two, at(40), usn.SecurityChange))
	m := source{bytes.NewReader(b)}
	got, err := changes(t.Context(), m, map[ntfs.Ref]mark{one: {}, two: {}}, timeline.Point{Time: at(10).Time()}, timeline.Point{})
	if err != nil || got.First != at(21) || got.Last != at(30) || got.Files != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	copy(b[len(event(one, 0, 0)):], "damaged!")
	if got, err = changes(t.Context(), m, map[ntfs.Ref]mark{one: {}}, timeline.Point{Time: at(10).Time()}, timeline.Point{}); err == nil || got.Files != 1 {
		t.Errorf("a damaged record: %+v, %v", got, err)
	}
}

// source is bytes as a stream.
type source struct{ *bytes.Reader }

func (s source) At(off, n int64) (layer.Extent, error) {
	return layer.Extent{Off: off, Len: layer.Clip(s.Size(), off, n), Kind: layer.Data, Base: s.Reader, BaseOff: off}, nil
}

// TestDecide has what is to be done about a file, by the states of its versions from the oldest to that of now.
func TestDecide(t *testing.T) {
	whole, bad, open := content.Verdict{State: content.Whole}, content.Verdict{State: content.Spoiled}, content.Verdict{State: content.Undecided}
	other := content.Verdict{State: content.Undecided, Rule: content.RuleTypeChanged}
	unknown, torn := content.Verdict{State: content.Unknown}, content.Verdict{State: content.Torn}
	for _, c := range []struct {
		name           string
		states         []content.Verdict
		gone, inAttack bool
		begin          int
		attacked       bool
		want           Outcome
		pick           int
	}{
		{"edited", []content.Verdict{whole, whole}, false, false, 0, true, Good, -1},
		{"spoiled", []content.Verdict{whole, bad}, false, false, 0, true, Found, 0},
		{"spoiled twice", []content.Verdict{whole, whole, bad, bad}, false, false, 1, true, Found, 1},
		{"torn", []content.Verdict{whole, torn}, false, false, 0, true, Found, 0},
		{"nothing good", []content.Verdict{open, bad}, false, false, 0, false, None, -1},
		{"like that at all points", []content.Verdict{bad, torn, bad}, false, false, 0, true, Undecided, -1},
		{"undecided before the attack", []content.Verdict{whole, open, bad}, false, false, 1, true, Found, 1},
		{"undecided in it", []content.Verdict{whole, open, bad}, false, false, 0, true, Found, 0},
		{"another type before the attack", []content.Verdict{whole, other, bad}, false, false, 1, true, Found, 0},
		{"not all kept", []content.Verdict{whole, unknown, bad}, false, false, 1, true, Found, 0},
		{"undecided now", []content.Verdict{whole, open}, false, false, 0, true, Undecided, 0},
		{"undecided now, and older than the attack", []content.Verdict{whole, open}, false, false, 1, true, Good, -1},
		{"unknown now", []content.Verdict{whole, unknown}, false, false, 0, true, Unread, 0},
		{"gone, and nobody's doing", []content.Verdict{whole, whole}, true, false, 0, true, Good, -1},
		{"gone in the attack", []content.Verdict{whole, whole}, true, true, 1, true, Found, 1},
		{"gone in the attack, undecided before it", []content.Verdict{open}, true, true, 1, true, Found, 0},
		{"spoiled, then gone", []content.Verdict{whole, bad}, true, false, 0, true, Found, 0},
		{"left by the attack", []content.Verdict{bad}, false, true, 0, true, None, -1},
		{"new, with the extension, and whole", []content.Verdict{whole}, false, true, 0, true, Good, -1},
	} {
		f := &file{inAttack: c.inAttack, choice: noChoice(len(c.states))}
		f.Gone, f.Pick = c.gone, -1
		for i := range c.states {
			f.Versions = append(f.Versions, Version{First: i, Last: i, Path: "/a.txt"})
		}
		for i, v := range c.states {
			f.choice.Verdicts[f.index(i)], f.choice.Judged[f.index(i)] = v, true
		}
		f.Verdict, _ = f.verdict(len(c.states) - 1)
		if f.decide(c.begin, c.attacked); f.Outcome != c.want || f.Pick != c.pick {
			t.Errorf("%s: %v, version %d, want %v, %d", c.name, f.Outcome, f.Pick, c.want, c.pick)
		}
	}
}
