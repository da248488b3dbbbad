package browse

import (
	"fmt"

	"snapmount/mount/report"
)

// pointsView lists the points in time of the view below it, to choose one.
type pointsView struct {
	cursor
	below timed
}

// timed is a view that goes through time.
type timed interface {
	view
	line() *timeLine
	goTo(m *model, at int)
}

func (v *dirView) line() *timeLine  { return &v.timeLine }
func (v *fileView) line() *timeLine { return &v.timeLine }

func newPoints(below timed) *pointsView {
	return &pointsView{cursor: cursor{at: below.line().at}, below: below}
}

func (v *pointsView) title(m *model) string { return "Points in time of " + v.below.title(m) }
func (v *pointsView) hints() string         { return "? help  Esc back  Enter go there" }
func (v *pointsView) slots() []*slot        { return v.below.slots() }
func (v *pointsView) resized(m *model)      { v.below.resized(m) }

func (v *pointsView) status(m *model) (string, style) {
	p := v.below.line().points[v.at]
	if p.Snapshot == nil {
		return "the volume as it was imaged", plain
	}
	if p.Snapshot.Damage != nil {
		return m.safe(report.OneLine(p.Snapshot.Damage)), fault
	}
	line := "shadow copy {" + p.Snapshot.CopyID.String() + "}"
	if c := p.Snapshot.Attributes.Consistency(); c != "" {
		line += ", " + c + "-consistent"
	}
	if p.Snapshot.Offline {
		line += ", deleted by its owner but kept"
	}
	return m.safe(line), plain
}

func (v *pointsView) draw(m *model, g *grid) {
	t := v.below.line()
	g.put(0, 1, bold, pad("    Point in time", m.w/2)+"What changed here")
	v.clamp(len(t.points), m.high()-1)
	for i := range m.high() - 1 {
		at := v.top + i
		if at >= len(t.points) {
			break
		}
		one := t.ticks[at]
		here := " "
		if at == t.at {
			here = ">"
		}
		line := fmt.Sprintf("%s %c %s", here, one.sign, pad(m.when(t.points[at]), m.w/2-5)) + " " + m.safe(one.words)
		look := one.look
		if at == v.at {
			look |= reverse
		}
		g.put(0, 2+i, look, pad(line, m.w))
	}
}

func (v *pointsView) key(m *model, key string) bool {
	if v.move(key, len(v.below.line().points), m.high()-1) {
		return true
	}
	switch key {
	case "esc", "p", "h", "backspace":
		m.views = m.views[:len(m.views)-1] // what the view below reads goes on
	case "enter", "l":
		m.views = m.views[:len(m.views)-1]
		v.below.goTo(m, v.at)
	default:
		return false
	}
	return true
}
