package browse

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
)

// order is what entries are sorted by; directories come first.
type order uint8

const (
	byName order = iota
	bySize
	byTime
	orders
)

// dirReading is what was read of a directory at a point.
type dirReading struct {
	all     []report.Row // as they came
	rows    []report.Row // as they are shown
	count   int          // read so far
	damage  error        // why there may be more
	failed  bool         // it could not be looked into at all
	missing *report.Missing

	since, now happenings        // since the point before; and until the current state
	verdicts   map[string]string // by keyOf: what of the content is not there; empty when all is
}

// keyOf tells entries of a list apart.
func keyOf(r *report.Row) string { return string(r.Name) + "\x00" + r.Point }

// load has a job read the directory.
func (v *dirView) load(m *model) {
	for _, s := range []*slot{&v.arrange, &v.more, &v.judge, &v.follow} {
		s.stop()
	}
	v.reading = dirReading{verdicts: map[string]string{}}
	at := folder.Place{Point: v.point(), Path: v.path}
	gone, by, filter := v.gone, v.by, v.filter
	m.jobs.start(&v.list, func(ctx context.Context, send func(func()) bool) error {
		return readDir(ctx, at, gone, func(all []report.Row) bool {
			rows := arranged(all, by, filter)
			return send(func() { v.take(m, all, rows) })
		}, func(x report.Missing) { send(func() { v.reading.missing = &x }) })
	}, func(err error) {
		if v.reading.damage = err; err != nil {
			v.reading.failed = len(v.reading.all) == 0
		}
		if v.by != by || v.filter != filter { // chosen meanwhile
			v.rearrange(m)
		}
		v.resized(m)
		v.readMore(m)
	})
}

// readDir gives all entries that were read so far, now and then, and at last all. missing is told when there is no such
// directory.
func readDir(ctx context.Context, at folder.Place, gone bool, tell func([]report.Row) bool, missing func(report.Missing)) error {
	dir, stream, err := at.Point.Find(ctx, at.Path, true)
	if points.Absent(err) || err == nil && (dir.Kind != ntfs.KindDir || stream != "") {
		missing(at.Missing(dir))
		return nil
	}
	if err != nil {
		return at.Point.Because(err)
	}
	var all []report.Row
	next := 500
	var before func()
	if gone {
		before = func() { tell(all[:len(all):len(all)]) }
	}
	err = at.List(ctx, dir, before, func(r report.Row) bool {
		if all = append(all, r); len(all) == next {
			next *= 8
			return tell(all[:len(all):len(all)])
		}
		return ctx.Err() == nil
	})
	tell(all)
	return err
}

// take shows what was read.
func (v *dirView) take(m *model, all, rows []report.Row) {
	want := v.want
	if r := v.row(); r != nil && want == "" {
		want = string(r.Name)
	}
	v.reading.all, v.reading.rows, v.reading.count = all, rows, len(all)
	if want != "" {
		if i := slices.IndexFunc(rows, func(r report.Row) bool { return string(r.Name) == want }); i >= 0 {
			v.cursor.at = i
			if v.want != "" && v.cursor.at >= v.rowsHigh(m) && v.cursor.top == 0 {
				v.cursor.top = i - v.rowsHigh(m)/2
			}
		}
	}
	v.clamp(len(rows), v.rowsHigh(m))
	v.look(m)
}

// few entries are sorted at once: a key that comes after it means what is seen then.
const few = 5000

// rearrange sorts and filters again; many entries beside the keys.
func (v *dirView) rearrange(m *model) {
	all, by, filter := v.reading.all, v.by, v.filter
	if v.arrange.stop(); len(all) <= few {
		v.take(m, all, arranged(all, by, filter))
		return
	}
	m.jobs.start(&v.arrange, func(_ context.Context, send func(func()) bool) error {
		rows := arranged(all, by, filter)
		send(func() { v.take(m, all, rows) })
		return nil
	}, func(error) {})
}

// arranged gives rows in order, without those that lack the filter.
func arranged(all []report.Row, by order, filter string) []report.Row {
	type keyed struct {
		key string
		row *report.Row
	}
	filter = strings.ToLower(filter)
	list := make([]keyed, 0, len(all))
	for i := range all {
		k := keyed{strings.ToLower(string(all[i].Name)), &all[i]}
		if strings.Contains(k.key, filter) {
			list = append(list, k)
		}
	}
	rank := func(r *report.Row) int {
		if r.Kind == "dir" {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		c := rank(a.row) - rank(b.row)
		switch {
		case c != 0:
			return c
		case by == bySize:
			c = cmp.Compare(b.row.Size, a.row.Size)
		case by == byTime && a.row.Mtime != nil && b.row.Mtime != nil:
			c = cmp.Compare(*b.row.Mtime, *a.row.Mtime)
		}
		return cmp.Or(c, cmp.Compare(a.key, b.key))
	})
	out := make([]report.Row, len(list))
	for i, k := range list {
		out[i] = *k.row
	}
	return out
}

// look has a job judge the files that the screen shows, and no others.
func (v *dirView) look(m *model) {
	type file struct {
		key string
		at  folder.Place
	}
	var files []file
	for i := v.top; i < min(v.top+v.rowsHigh(m), len(v.reading.rows)); i++ {
		r := &v.reading.rows[i]
		if _, known := v.reading.verdicts[keyOf(r)]; !known && r.Kind == "file" {
			files = append(files, file{keyOf(r), v.placeOf(r)})
		}
	}
	if len(files) == 0 {
		return
	}
	verdicts := v.reading.verdicts
	m.jobs.start(&v.judge, func(ctx context.Context, send func(func()) bool) error {
		for _, f := range files {
			if ctx.Err() != nil {
				break
			}
			words := ""
			n, stream, err := f.at.Point.Lookup(f.at.Path, false)
			if err != nil {
				words = report.OneLine(f.at.Point.Because(err))
			} else if j := points.Judge(n, stream); !j.Intact() {
				words = j.String()
			}
			send(func() { verdicts[f.key] = words })
		}
		return nil
	}, func(error) {})
}
