package browse

import (
	"fmt"
	"strings"

	"snapmount/mount/points"
	"snapmount/mount/report"
)

// A tick is what a point shows of what changed since the point before.
type tick struct {
	sign  byte  // see below
	look  style // says no more than sign does
	words string
	stop  bool // one who goes through time stops here
}

// Signs of ticks. What is not known yet is a tick of its own, never "nothing".
var (
	unread  = tick{':', dim, "reading what changed here ...", true}
	oldest  = tick{'|', bold, "the oldest point", true}
	nothing = tick{'.', dim, "nothing changed here", false}
)

// A line of time is the points of a volume, and what changed of something there.
type timeLine struct {
	points []*points.Point // the oldest first, the current state last
	at     int
	ticks  []tick // by point
}

func newTimeLine(all []*points.Point, at int) timeLine {
	t := timeLine{points: all, at: at, ticks: make([]tick, len(all))}
	for i := range t.ticks {
		t.ticks[i] = unread
	}
	t.ticks[0] = oldest
	return t
}

func (t *timeLine) point() *points.Point { return t.points[t.at] }

// version is where the run of points begins that are as the point i is.
func (t *timeLine) version(i int) int {
	for i > 0 && !t.ticks[i].stop {
		i--
	}
	return i
}

// older and newer give the point that one goes to, the first of a version; -1 where there is none.
func (t *timeLine) older() int {
	if begin := t.version(t.at); begin > 0 {
		return t.version(begin - 1)
	}
	return -1
}

func (t *timeLine) newer() int {
	for i := t.at + 1; i < len(t.points); i++ {
		if t.ticks[i].stop {
			return i
		}
	}
	return -1
}

// step gives the point that a key of time leads to. ok is false for other keys.
func (t *timeLine) step(m *model, key string) (to int, ok bool) {
	switch key {
	case "left", "[":
		if to = t.older(); to < 0 {
			to = t.at
			m.say("nothing here changed before; { goes through all points")
		}
	case "right", "]":
		if to = t.newer(); to < 0 {
			to = t.at
			m.say("nothing here changed since; } goes through all points")
		}
	case "shift+left", "{":
		to = max(t.at-1, 0)
	case "shift+right", "}":
		to = min(t.at+1, len(t.points)-1)
	case "<":
		to = 0
	case ">":
		to = len(t.points) - 1
	default:
		return 0, false
	}
	return to, true
}

// draw shows where one is in time in two lines.
func (t *timeLine) draw(m *model, g *grid, y int) {
	g.line(y, bold, fmt.Sprintf("%s  (%d of %d)", m.when(t.point()), t.at+1, len(t.points)), m.safe(t.ticks[t.at].words))
	first, last := "oldest ", " now"
	room := m.w - len(first) - len(last)
	n := len(t.points)
	step := max(min(room/n, 4), 1)
	from := 0
	if n*step > room { // the part around the point
		step = max(min(step, room/n), 1)
		from = max(min(t.at-room/2, n-room), 0)
	}
	if from > 0 {
		first = "     < "
	}
	x := g.put(0, y+1, dim, first)
	i := from
	for ; i < n && x+step <= m.w-len(last); i++ {
		one, look := t.ticks[i], t.ticks[i].look
		sign := string(one.sign)
		cell := sign + strings.Repeat(" ", step-1)
		if step >= 3 {
			cell = " " + sign + strings.Repeat(" ", step-2)
			if i == t.at {
				cell = "[" + sign + "]" + strings.Repeat(" ", step-3)
			}
		}
		g.put(x, y+1, look, cell)
		if i == t.at {
			g.paint(x, y+1, min(step, 3), look&^colours|reverse|bold)
		}
		x += step
	}
	if i < n {
		last = " >"
	}
	g.put(x, y+1, dim, last)
}

// tickOf says in a letter what a report.Strip counts.
func tickOf(s report.Strip) tick {
	words := counted(s.New, "new", s.Changed, "changed", s.Renamed, "renamed", s.Deleted, "deleted", s.Details, "in details", s.Below, "deeper", s.Failed, "NOT KNOWN")
	out := tick{words: words, stop: true}
	switch {
	case s.Error != "":
		return tick{'!', fault, "not known what changed: " + s.Error, true}
	case s.Deleted > 0:
		out.sign, out.look = 'D', gone
	case s.Changed > 0:
		out.sign, out.look = 'C', changed
	case s.New > 0:
		out.sign, out.look = 'N', added
	case s.Renamed > 0:
		out.sign, out.look = 'R', moved
	case s.Failed > 0:
		out.sign, out.look = '!', fault
	case s.Details > 0:
		out.sign, out.look = 'd', plain
	case s.Below > 0:
		return tick{',', dim, words, false}
	default:
		out = nothing
	}
	if !s.There {
		out.words = strings.TrimSuffix("not there; "+words, "; ")
	}
	return out
}
