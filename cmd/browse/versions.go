package browse

import (
	"fmt"
	"path"
	"strings"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs/compare"
)

// versionList are the versions of a file, and that it was not there.
type versionList struct {
	cursor
	list []compare.Version
	a    int // the one that others are compared with; -1 is the one before
	err  error
}

func (l *versionList) take(list []compare.Version) { l.list, l.a, l.err = list, -1, nil }

func (l *versionList) current() *compare.Version {
	if l.cursor.at >= len(l.list) {
		return nil
	}
	return &l.list[l.cursor.at]
}

// at finds the version of a point; of several, that which has the path, else one that is there.
func (l *versionList) at(point int, path string) (found *compare.Version) {
	for i := range l.list {
		x := &l.list[i]
		if point < x.First || point > x.Last {
			continue
		}
		if found == nil || found.Node == nil && x.Node != nil || x.Node != nil && shownPath(x.Path) == path {
			found = x
		}
	}
	return found
}

// follow puts the cursor on the version of a point.
func (l *versionList) follow(point int) {
	for i := range l.list {
		if x := &l.list[i]; point >= x.First && point <= x.Last {
			if l.cursor.at = i; x.Node != nil {
				return
			}
		}
	}
}

// where says which of how many versions a point has.
func (l *versionList) where(point int) string {
	last := 0
	for i := range l.list {
		last = max(last, l.list[i].Number)
	}
	if x := l.at(point, ""); x != nil && x.Node != nil {
		return fmt.Sprintf("version %d of %d ", x.Number, last)
	}
	return ""
}

func (l *versionList) draw(m *model, g *grid, y, high int, all []*points.Point) {
	if l.err != nil {
		for i, line := range wrap(m.safe("Its versions are not known: "+report.OneLine(l.err)), m.w-4) {
			g.put(2, y+1+i, fault, line)
		}
		return
	}
	room := m.w - 2 - 4 - 16 - 4 - 16 - 10 - 2
	g.put(0, y, bold, pad("   #  "+pad("From, and to", 36)+padLeft("Size", 10)+"  "+pad("What happened", room), m.w))
	l.clamp(len(l.list), high-1)
	for i := range high - 1 {
		if l.top+i >= len(l.list) {
			break
		}
		x := &l.list[l.top+i]
		mark, number, size, look := " ", fmt.Sprint(x.Number), sized(x.Size), plain
		switch {
		case x.Err != nil:
			number, size, look = "?", "?", fault
		case x.Node == nil:
			number, size, look = "-", "", gone
		}
		if l.a == l.top+i {
			mark = "A"
		}
		what := eventWords(*x)
		if x.OldPath != "" {
			what += " <- " + m.safe(path.Base(x.OldPath))
		}
		line := mark + padLeft(number, 3) + "  " + pad(span(m.brief(all[x.First]), m.brief(all[x.Last])), 36) + padLeft(size, 10) + "  " + pad(what, room)
		if l.top+i == l.cursor.at {
			look |= reverse
		}
		g.put(0, y+1+i, look, pad(line, m.w))
	}
}

// brief names a point in 16 columns.
func (m *model) brief(p *points.Point) string {
	if p.Snapshot == nil {
		return "now"
	}
	if p.Created().IsZero() {
		return p.Name
	}
	stamp := wintype.FiletimeOf(p.Created()).String()
	return m.short(&stamp, 16)
}

// span joins two points, unless they are one.
func span(first, last string) string {
	if first == last {
		return first
	}
	return pad(first, 16) + " .. " + last
}

func (l *versionList) status(m *model, busy bool) (string, style) {
	x := l.current()
	switch {
	case busy:
		return "finding its versions ...", bold
	case x == nil:
		return "", plain
	case x.Err != nil:
		return m.safe("not known: " + report.OneLine(x.Err)), fault
	case x.Node == nil:
		return "it was deleted", gone
	}
	stamp := x.Node.Times.Modified.String()
	line := fmt.Sprintf("%s  %d bytes  modified %s", x.Path, x.Size, m.stamp(&stamp))
	if len(x.Fields) > 0 {
		line += "  (" + strings.Join(x.Fields, ", ") + ")"
	}
	if v := points.Judge(x.Node, x.Stream); isFile(x.Node, x.Stream) && !v.Intact() {
		return m.safe(line + "  NOT ALL IS THERE: " + v.String()), fault
	}
	return m.safe(line), plain
}

// versionKey takes a key of the list of versions.
func (v *fileView) versionKey(m *model, key string) bool {
	l := &v.versions
	if l.move(key, len(l.list), v.inside(m)-1) {
		return true
	}
	x := l.current()
	switch {
	case x == nil:
		return false
	case key == "enter" || key == "l":
		v.tab = tabPreview
		v.goTo(m, x.First)
	case key == "a":
		if l.a == l.cursor.at {
			l.a = -1
		} else {
			l.a = l.cursor.at
		}
	case key == "=":
		v.compare(m)
	default:
		return false
	}
	return true
}

// compare shows how the version differs from the one that was marked, or from the one before.
func (v *fileView) compare(m *model) {
	l := &v.versions
	b := l.current()
	var a *compare.Version
	if l.a >= 0 && l.a != l.cursor.at {
		a = &l.list[l.a]
	}
	for i := l.cursor.at - 1; a == nil && l.a < 0 && i >= 0; i-- {
		if l.list[i].Node != nil {
			a = &l.list[i]
		}
	}
	switch {
	case b == nil || b.Node == nil:
		m.say("there is no version here to compare")
	case a == nil || a.Node == nil:
		m.say("there is none before it: a marks another one to compare with")
	default:
		if a.First > b.First {
			a, b = b, a
		}
		m.push(newDiff(m, v.points, *a, *b))
	}
}
