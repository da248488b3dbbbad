package browse

import (
	"context"
	"fmt"
	"path"
	"slices"

	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// findView is a search by name over all points.
type findView struct {
	cursor
	points []*points.Point
	text   string
	below  string
	hits   []report.Hit
	lost   []string // what could not be searched
	err    error
	more   bool // there are more hits
	read   slot
}

const (
	maxHits = 100_000
	maxLost = 1000
)

func newFind(m *model, at folder.Place, all []*points.Point, text string) *findView {
	v := &findView{points: all, text: text, below: at.Path}
	m.jobs.start(&v.read, func(ctx context.Context, send func(func()) bool) error {
		var found []report.Hit
		tell := func() bool {
			some := found[:len(found):len(found)]
			return send(func() { v.hits = some; v.clamp(len(some), m.high()-1) })
		}
		next := 1
		err := at.Find(ctx, text, func(h report.Hit) bool {
			if len(found) == maxHits {
				send(func() { v.more = true })
				return false
			}
			if found = append(found, h); len(found) == next {
				next *= 4
				return tell()
			}
			return ctx.Err() == nil
		}, func(err error) {
			line := report.OneLine(err)
			send(func() {
				if len(v.lost) < maxLost {
					v.lost = append(v.lost, line)
				}
			})
		})
		tell()
		return err
	}, func(err error) { v.err = err })
	return v
}

func (v *findView) slots() []*slot   { return []*slot{&v.read} }
func (v *findView) resized(m *model) { v.clamp(len(v.hits), m.high()-1) }

func (v *findView) title(*model) string {
	return fmt.Sprintf("%q in %s:%s and below, at %d points", v.text, v.points[0].Volume.Name, v.below, len(v.points))
}

func (v *findView) hints() string {
	return "? help  Esc back  Enter go to its folder  Space mark  R restore  e not searched"
}

func (v *findView) status(m *model) (string, style) {
	notSearched := ""
	if n := len(v.lost); n > 0 {
		notSearched = fmt.Sprintf("; %d things could not be searched: e lists them", n)
	}
	switch h := v.hit(); {
	case v.read.busy:
		return fmt.Sprintf("searching %d points ... %d found so far%s", len(v.points), len(v.hits), notSearched), bold
	case v.err != nil:
		return m.safe(report.OneLine(v.err)), fault
	case v.more:
		return fmt.Sprintf("the first %d are shown, there are more%s", len(v.hits), notSearched), changed
	case h == nil:
		return m.safe(fmt.Sprintf("nothing called %q at any point%s", v.text, notSearched)), bold
	case h.Error != "":
		return m.safe(h.Error), fault
	default:
		return m.safe(fmt.Sprintf("%d found%s; %s  %d bytes  modified %s", len(v.hits), notSearched, h.Path, h.Size, m.stamp(h.Mtime))), plain
	}
}

func (v *findView) hit() *report.Hit {
	if v.at >= len(v.hits) {
		return nil
	}
	return &v.hits[v.at]
}

// index is where a point is in time.
func (v *findView) index(name string) int {
	return max(slices.IndexFunc(v.points, func(p *points.Point) bool { return p.Name == name }), 0)
}

func (v *findView) draw(m *model, g *grid) {
	room := m.w - 3 - 38 - 9
	if room < 16 {
		room = m.w - 3 - 9
	}
	times := room < m.w-3-9
	head := pad("   Name and folder", 3+room) + padLeft("Size", 9)
	if times {
		head += "  From, and to"
	}
	g.put(0, 1, bold, pad(head, m.w))
	v.clamp(len(v.hits), m.high()-1)
	for i := range m.high() - 1 {
		if v.top+i >= len(v.hits) {
			break
		}
		h := &v.hits[v.top+i]
		m.rendered++
		first, last := v.index(h.First), v.index(h.Last)
		sign, look := " ", plain
		if last < len(v.points)-1 {
			sign, look = "x", gone
		}
		if h.Error != "" {
			sign, look = "!", fault
		}
		mark := " "
		if m.chosen.has(v.place(h)) {
			mark = "*"
		}
		line := mark + sign + " " + pad(m.safe(path.Base(string(h.Path))+"  "+path.Dir(string(h.Path))), room) + padLeft(sized(h.Size), 9)
		if times {
			line += "  " + span(m.brief(v.points[first]), m.brief(v.points[last]))
		}
		if v.top+i == v.at {
			look |= reverse
		}
		g.put(0, 2+i, look, pad(line, m.w))
	}
}

func (v *findView) place(h *report.Hit) folder.Place {
	at := folder.Place{Point: v.points[v.index(h.Last)], Path: shownPath(string(h.Path))}
	if h.Orphan || h.Deleted {
		at.Path = "#" + recordOf(h.Ref)
	}
	return at
}

// recordOf is the record of a reference as JSON has it.
func recordOf(ref string) string {
	for i := range len(ref) {
		if ref[i] == '-' {
			return ref[:i]
		}
	}
	return ref
}

func (v *findView) selected() (folder.Place, bool) {
	if h := v.hit(); h != nil {
		return v.place(h), true
	}
	return folder.Place{}, false
}

func (v *findView) key(m *model, key string) bool {
	if v.move(key, len(v.hits), m.high()-1) {
		return true
	}
	h := v.hit()
	switch {
	case key == "e" && len(v.lost) > 0:
		m.push(newText(m, "What could not be searched", v.lost))
	case h == nil:
		return false
	case key == " ":
		m.chosen.toggle(v.place(h))
		v.move("down", len(v.hits), m.high()-1)
	case key == "enter" || key == "l":
		d := newDir(m, v.points, v.index(h.Last), path.Dir(shownPath(string(h.Path))))
		d.want = path.Base(shownPath(string(h.Path)))
		if !d.list.busy { // it was read at once
			d.take(m, d.reading.all, d.reading.rows)
		}
		m.push(d)
	default:
		return false
	}
	return true
}

// textView is a text to read.
type textView struct {
	scroller
	name string
	text []string
	fold func(w int) []string // makes text for a width; or nil
}

func newText(m *model, name string, text []string) *textView {
	v := &textView{name: name, text: text}
	v.resized(m)
	return v
}

func (v *textView) title(*model) string           { return v.name }
func (v *textView) hints() string                 { return "Esc back  Up Down PgUp PgDn scroll" }
func (v *textView) status(*model) (string, style) { return "", plain }
func (v *textView) slots() []*slot                { return nil }
func (v *textView) key(m *model, key string) bool { return v.move(key, m.high()) }
func (v *textView) draw(m *model, g *grid)        { v.scroller.draw(g, 1, m.high()) }
func (v *textView) resized(m *model) {
	if v.lines = nil; v.fold != nil {
		v.text = v.fold(m.w)
	}
	for _, line := range v.text {
		v.add(plain, m.w, m.safe(line))
	}
}
