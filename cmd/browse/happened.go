package browse

import (
	"context"
	"path"

	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// happenings are what happened to the entries of a directory between two points.
type happenings struct {
	known bool              // it was looked at
	words map[string]string // by reference
	lost  map[string]bool   // names of which it is not known
	all   bool              // of any entry without a word it is not known
}

// word is what happened to an entry, and whether that is known. None is nothing.
func (h *happenings) word(r *report.Row) (string, bool) {
	word := h.words[r.Ref]
	return word, word != "" || h.known && !h.all && !h.lost[string(r.Name)]
}

// happened tells what happened to a directory between two points, and to its entries. Whatever failed has a name, or may be
// any.
func happened(ctx context.Context, a, b *points.Point, dir string) (tick, happenings) {
	h := happenings{known: true, words: map[string]string{}, lost: map[string]bool{}}
	s := folder.Look(ctx, a, b, dir, func(c compare.Change) {
		c, telling := c.Telling()
		if w := word(c); telling && w != "" && (h.words[c.Ref.String()] == "" || w != "details") {
			h.words[c.Ref.String()] = w
		}
	}, func(name string) {
		h.all = h.all || name == ""
		h.lost[path.Base(points.ShownPath(name))] = true
	})
	h.all = h.all || s.Error != ""
	return tickOf(s), h
}

// word says what a change was. Of what is gone, only a list that it is still in has any use.
func word(c compare.Change) string {
	switch c.Kind {
	case compare.Created:
		return "new"
	case compare.Deleted:
		return "deleted"
	case compare.Content, compare.Streams:
		return "changed"
	case compare.Renamed:
		return "renamed"
	}
	if c.Type == ntfs.KindDir {
		return ""
	}
	return "details"
}

// A record is what is known of a directory over time, by point. Comparisons take long: each is made once.
type record struct {
	ticks map[int]tick
	since map[int]happenings // since the point before
	now   map[int]happenings // from the point until the current state
	words int                // that since and now have
}

// maxWords is how many words a record keeps of entries.
const maxWords = 1 << 18

// keep notes what happened at a point in since or now, and forgets the others where those are too many.
func (r *record) keep(in map[int]happenings, at int, h happenings) {
	if r.words += len(h.words) + len(h.lost); r.words > maxWords {
		clear(r.since)
		clear(r.now)
		r.words = len(h.words) + len(h.lost)
	}
	in[at] = h
}

// record gives that of the directory.
func (v *dirView) record() *record {
	r := v.records[v.path]
	if r == nil {
		r = &record{ticks: map[int]tick{}, since: map[int]happenings{}, now: map[int]happenings{}}
		v.records[v.path] = r
	}
	return r
}

// readMore has jobs find out what happened to entries since the point before, and what they are now.
func (v *dirView) readMore(m *model) {
	if v.reading.missing != nil {
		return
	}
	r, at, all, dir := v.record(), v.timeLine.at, v.points, v.path
	v.reading.since, v.reading.now = r.since[at], r.now[at]
	if v.wanted() != v.follows || !v.strip.busy { // else it is under way
		v.readTicks(m)
	}
	last := len(all) - 1
	if v.reading.now.known || at >= last-1 { // the last but one has it of the strip
		return
	}
	m.jobs.start(&v.more, func(ctx context.Context, send func(func()) bool) error {
		_, h := happened(ctx, all[at], all[last], dir)
		if ctx.Err() == nil {
			send(func() { r.keep(r.now, at, h); v.reading.now = h })
		}
		return nil // what is not known is shown as that
	}, func(error) {})
}

// A wanted is what the strip is read for.
type wanted struct {
	path string
	at   int
}

func (v *dirView) wanted() wanted { return wanted{v.path, v.timeLine.at} }

// unread are the points that are to be compared with the one before, nearest to the one that is shown first.
func (v *dirView) unread(r *record) (order []int) {
	at, last := v.timeLine.at, len(v.points)-1
	for d := range v.points {
		for _, i := range []int{at - d, at + 1 + d} {
			if i <= 0 || i > last {
				continue
			}
			_, known := r.ticks[i]
			if entries := i == at || i == last && at == last-1; !known || entries && !r.since[i].known {
				order = append(order, i)
			}
		}
	}
	return order
}

// readTicks has a job find out what changed in the directory at each point, nearest to the one that is shown first. Of that
// one it tells what happened to entries too, and of the current state what did since the point before it.
func (v *dirView) readTicks(m *model) {
	r, all := v.record(), v.points
	last := len(all) - 1
	for i, one := range r.ticks {
		v.ticks[i] = one
	}
	order := v.unread(r)
	v.follows = v.wanted()
	ticks, dir := v.ticks, v.path
	told := func(i int) { // to who may have gone on to another point meanwhile
		if i == v.timeLine.at {
			v.reading.since = r.since[i]
		}
		if i == last && v.timeLine.at == last-1 {
			v.reading.now = r.since[i]
		}
	}
	told(v.timeLine.at)
	told(last)
	if len(order) == 0 {
		v.strip.stop()
		return
	}
	m.jobs.start(&v.strip, func(ctx context.Context, send func(func()) bool) error {
		for _, i := range order {
			one, h := happened(ctx, all[i-1], all[i], dir)
			if ctx.Err() != nil {
				return nil
			}
			send(func() {
				ticks[i], r.ticks[i] = one, one
				r.keep(r.since, i, h)
				told(i)
			})
		}
		return nil
	}, func(error) {})
}
