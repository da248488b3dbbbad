package campaign

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"

	"snapmount/imagefmt/wintype"
)

// A mutation is a change of a disk, or of the file that holds it.
type mutation struct {
	*rand.Rand
	seed    *seed
	what    string
	blind   string // why nothing on the disk can tell it from the truth; "" where something can
	limit   string // what begins with one of these, "|" between them, is concluded of one witness alone, and known to be
	newest  bool   // what is changed is of the newest store of a volume
	touched spans  // of the disk
	patches []patch
	cut     int64                                                    // the file ends there; 0 for nowhere
	build   func(disk *os.File, dir string) (path string, err error) // makes an image of another format of the disk
}

// A patch is what a range of the disk holds instead.
type patch struct {
	off      int64
	old, now []byte
}

// A kind is a kind of mutation. It reports whether the seed has what it is about.
type kind struct {
	name   string
	mutate func(m *mutation) bool
}

func guidText(b []byte) string { return wintype.GUID(b).String() }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func pick[T any](m *mutation, list []T) (x T, ok bool) {
	if len(list) == 0 {
		return x, false
	}
	return list[m.IntN(len(list))], true
}

func (m *mutation) home() *home { return m.seed.homes[m.IntN(len(m.seed.homes))] }

// put makes b the content of some places; it is compared with old, so that only what differs is touched.
func (m *mutation) put(at spans, old, b []byte) bool {
	changed := false
	in := 0
	for _, s := range at {
		was, now := old[in:in+int(s.n)], b[in:in+int(s.n)]
		in += int(s.n)
		for i := 0; i < len(was); {
			if was[i] == now[i] {
				i++
				continue
			}
			end := i + 1
			for same := 0; end < len(was) && same < 8; end++ {
				if same++; was[end] != now[end] {
					same = 0
				}
			}
			m.patches = append(m.patches, patch{s.off + int64(i), bytes.Clone(was[i:end]), bytes.Clone(now[i:end])})
			m.touched = append(m.touched, span{s.off + int64(i), int64(end - i)})
			changed, i = true, end
		}
	}
	return changed
}

// read gives what is on the disk there.
func (m *mutation) read(at spans) []byte {
	f, err := os.Open(m.seed.path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	out := make([]byte, 0, at.size())
	for _, s := range at {
		b := make([]byte, s.n)
		if _, err := f.ReadAt(b, s.off); err != nil {
			panic(err)
		}
		out = append(out, b...)
	}
	return out
}

// edit changes what is on the disk there.
func (m *mutation) edit(at spans, change func(b []byte)) bool {
	old := m.read(at)
	b := bytes.Clone(old)
	change(b)
	return m.put(at, old, b)
}

// protected is edit for a record or index block: change sees it with fixups applied, and they are mended.
func (m *mutation) protected(at spans, change func(b []byte)) bool {
	return m.edit(at, func(b []byte) {
		off, n := int(le.Uint16(b[4:])), int(le.Uint16(b[6:]))
		if unfix(b) {
			change(b)
			refix(b, off, n)
		}
	})
}

// record picks one of which want is true, and changes it.
func (m *mutation) record(want func(h *home, r *record) bool, change func(h *home, r *record, b []byte)) bool {
	h := m.home()
	var fit []*record
	for i := range h.records {
		if want(h, &h.records[i]) {
			fit = append(fit, &h.records[i])
		}
	}
	r, ok := pick(m, fit)
	if !ok {
		return false
	}
	m.what = fmt.Sprintf("%s@%s record %d", h.volume.Name, h.facts.point.Name, r.number)
	return m.protected(r.at, func(b []byte) { change(h, r, b) })
}

// somewhere gives an offset of the disk where a file has something.
func (m *mutation) somewhere() int64 {
	h := m.home()
	names := sortedKeys(h.facts.files)
	for range 20 {
		if n, ok := pick(m, names); ok && len(h.facts.files[n].places) > 0 {
			s, _ := pick(m, h.facts.files[n].places)
			return s.off + m.Int64N(s.n)
		}
	}
	return m.Int64N(m.seed.size)
}

func (m *mutation) notef(format string, args ...any) { m.what += ": " + fmt.Sprintf(format, args...) }

func isDir(h *home, r *record) bool  { return (r.number >= 24 || r.number == 5) && r.used() && r.dir() }
func isUser(h *home, r *record) bool { return r.number >= 24 && r.used() }
func isExtension(h *home, r *record) bool {
	return r.number >= 24 && r.used() && !r.base()
}
func isFree(h *home, r *record) bool {
	return r.number >= 24 && !r.used() && len(r.attrs) > 1 && r.base()
}

func with(kind uint32, nonResident bool) func(h *home, r *record) bool {
	return func(h *home, r *record) bool {
		a := r.attr(kind)
		return a != nil && a.nonResident == nonResident && isUser(h, r)
	}
}

// whole gives all of the record's bytes as they are on the disk to change.
func (m *mutation) whole(want func(h *home, r *record) bool, change func(b []byte)) bool {
	h := m.home()
	var fit []*record
	for i := range h.records {
		if want(h, &h.records[i]) {
			fit = append(fit, &h.records[i])
		}
	}
	r, ok := pick(m, fit)
	if !ok {
		return false
	}
	m.what = fmt.Sprintf("%s@%s record %d", h.volume.Name, h.facts.point.Name, r.number)
	return m.edit(r.at, change)
}

// garbage are bytes that mean nothing.
func (m *mutation) garbage(b []byte) {
	for i := range b {
		b[i] = byte(m.Uint32())
	}
}

// system gives the places of the clusters of an attribute of a system file.
func (m *mutation) system(number uint64, kind uint32, named string) (spans, bool) {
	h := m.home()
	for i := range h.records {
		r := &h.records[i]
		if r.number != number {
			continue
		}
		for _, a := range r.attrs {
			if a.kind != kind || named != "" && !a.named || named == "" && a.named {
				continue
			}
			m.what = fmt.Sprintf("%s@%s record %d", h.volume.Name, h.facts.point.Name, number)
			if !a.nonResident {
				return m.inRecord(r, a), true
			}
			var out spans
			cluster := int64(h.tree.ClusterSize())
			size := int64(le.Uint64(r.b[a.off+0x30:]))
			for _, x := range a.runs {
				if n := min(x.n*cluster, size); n > 0 && !x.hole {
					out = append(out, resolved(h.tree.Volume(), x.lcn*cluster, n)...)
					size -= n
				}
			}
			return out, len(out) > 0
		}
	}
	return nil, false
}

// inRecord gives the places of a resident value, which is in the first stride or has no protected word.
func (m *mutation) inRecord(r *record, a attr) spans {
	var out spans
	at, skip, left := r.at, int64(a.value[0]), int64(a.value[1])
	for _, s := range at {
		if skip >= s.n {
			skip -= s.n
			continue
		}
		n := min(s.n-skip, left)
		out = append(out, span{s.off + skip, n})
		left, skip = left-n, 0
	}
	return out
}
