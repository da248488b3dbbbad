package browse

import (
	"fmt"
	"strings"
	"time"

	"snapmount/cmd/text"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// A model is all that the browser knows: keys and answers of jobs change it, and draw shows it.
type model struct {
	Config
	jobs   *jobs
	w, h   int
	views  []view // the last is on top
	chosen chosen
	note   string // of the last key, safe
	bad    bool   // the note is of a fault
	prompt *prompt
	quit   bool

	onlyASCII bool // the terminal has no UTF-8
	rendered  int  // rows of lists that were drawn; tests count them
}

// A view is what fills the screen between the first line and the last two.
type view interface {
	title(m *model) string
	draw(m *model, g *grid)
	key(m *model, key string) bool
	hints() string
	status(m *model) (string, style)
	slots() []*slot
	resized(m *model)
}

// Lines of the screen that no view draws on.
const (
	firstLine = 1
	lastLines = 2
	least     = 8 // lines and columns that a screen has
)

func newModel(c Config, j *jobs, w, h int) *model {
	m := &model{Config: c, jobs: j, w: w, h: h}
	m.push(newVolumes(m))
	return m
}

func (m *model) top() view { return m.views[len(m.views)-1] }

func (m *model) push(v view) { m.views = append(m.views, v) }

// pop leaves the view on top, and ends what it waits for.
func (m *model) pop() {
	if len(m.views) == 1 {
		return
	}
	for _, s := range m.top().slots() {
		s.stop()
	}
	m.views = m.views[:len(m.views)-1]
	m.top().resized(m)
}

// say tells something until the next key.
func (m *model) say(format string, args ...any) {
	m.note, m.bad = m.safe(fmt.Sprintf(format, args...)), false
}

// fail tells what went wrong.
func (m *model) fail(err error) { m.note, m.bad = m.safe(report.OneLine(err)), true }

// safe is safe for this terminal.
func (m *model) safe(text string) string {
	if text = safe(text); m.onlyASCII {
		text = ascii(text)
	}
	return text
}

// high is how many lines a view has.
func (m *model) high() int { return max(m.h-firstLine-lastLines, 1) }

func (m *model) resize(w, h int) {
	m.w, m.h = max(w, least), max(h, least)
	m.top().resized(m)
}

// busy reports whether the view on top waits for the first answer of a job; working, whether any is under way.
func (m *model) busy() (busy, working bool) {
	for _, s := range m.top().slots() {
		busy, working = busy || s.busy && !s.told, working || s.busy
	}
	return busy, working
}

// key takes a key.
func (m *model) key(key string) {
	m.note, m.bad = "", false
	if key == "ctrl+c" {
		m.quit = true
		return
	}
	if m.prompt != nil {
		m.prompt.key(m, key)
		return
	}
	if m.top().key(m, key) {
		return
	}
	switch key {
	case "q":
		m.quit = true
	case "?", "f1":
		m.push(newHelp(m))
	case "esc", "backspace":
		m.pop()
	case "R":
		m.askRestore()
	case "u":
		m.chosen.clear()
		m.say("nothing is marked any more")
	}
}

// draw shows the model on a grid of its size.
func (m *model) draw() *grid {
	g := newGrid(m.w, m.h)
	v := m.top()
	right := ""
	if n := m.chosen.count(); n > 0 {
		right = fmt.Sprintf("%d marked", n)
	}
	if _, working := m.busy(); working {
		right += " ..."
	}
	g.line(0, reverse|bold, m.safe(v.title(m)), right)
	v.draw(m, g)
	status, look := v.status(m)
	if m.note != "" {
		if status, look = m.note, bold; m.bad {
			look = fault
		}
	}
	if m.prompt != nil {
		m.prompt.draw(m, g)
		return g
	}
	g.line(m.h-2, look, status, "")
	g.line(m.h-1, reverse, v.hints(), "")
	return g
}

// A prompt asks for a line.
type prompt struct {
	question string
	hidden   bool
	typed    []rune
	at       int
	done     func(answer string)
	changed  func(answer string) // or nil: told while it is typed
	given    func()              // or nil: told when it is given up
}

func (m *model) ask(question, answer string, done func(string)) {
	m.prompt = &prompt{question: question, typed: []rune(answer), at: len([]rune(answer)), done: done}
}

func (p *prompt) key(m *model, key string) {
	switch r := []rune(key); {
	case key == "enter":
		m.prompt = nil
		p.done(string(p.typed))
		return
	case key == "esc":
		m.prompt = nil
		if p.given != nil {
			p.given()
		}
		return
	case key == "backspace" && p.at > 0:
		p.typed = append(p.typed[:p.at-1:p.at-1], p.typed[p.at:]...)
		p.at--
	case key == "delete" && p.at < len(p.typed):
		p.typed = append(p.typed[:p.at:p.at], p.typed[p.at+1:]...)
	case key == "left":
		p.at = max(p.at-1, 0)
	case key == "right":
		p.at = min(p.at+1, len(p.typed))
	case key == "home" || key == "ctrl+a":
		p.at = 0
	case key == "end" || key == "ctrl+e":
		p.at = len(p.typed)
	case key == "ctrl+u":
		p.typed, p.at = nil, 0
	case len(r) == 1 && r[0] >= ' ':
		p.typed = append(p.typed[:p.at:p.at], append(r, p.typed[p.at:]...)...)
		p.at++
	default:
		return
	}
	if p.changed != nil {
		p.changed(string(p.typed))
	}
}

// draw shows the last two lines. What is hidden is told by its length alone.
func (p *prompt) draw(m *model, g *grid) {
	before, after := m.safe(string(p.typed[:p.at])), m.safe(string(p.typed[p.at:]))
	if p.hidden {
		before, after = fmt.Sprintf("(%d typed, not shown)", len(p.typed)), ""
	}
	g.line(m.h-2, bold, p.question, "")
	g.line(m.h-1, plain, "", "")
	for width(before) > m.w-4 { // what stands before the cursor scrolls
		before = before[len(cut(before, max(width(before)/2, 1))):]
	}
	x := g.put(0, m.h-1, plain, "> "+before)
	g.cx, g.cy = min(x, m.w-1), m.h-1
	g.put(x, m.h-1, plain, after)
}

// stamp shows a time as JSON has it, to the second and with its zone.
func (m *model) stamp(json *string) string {
	if json == nil {
		return "unknown"
	}
	return m.Out.Stamp(*json)
}

// short shows a time in so many columns: to the minute, or the day.
func (m *model) short(json *string, w int) string {
	if json == nil {
		return ""
	}
	t, err := time.Parse(wintype.Layout7, *json)
	if err != nil {
		return cut(*json, w)
	}
	if t = t.UTC(); !m.Out.IsUTC() {
		t = t.In(m.Out.Zone)
	}
	if w < len("2006-01-02 15:04") {
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02 15:04")
}

// when names a point for people.
func (m *model) when(p *points.Point) string {
	if p.Snapshot == nil {
		return "current state"
	}
	name := p.Name
	if created := p.Created(); !created.IsZero() {
		name = m.Out.Time(created)
	}
	name += fmt.Sprintf("  vss%d", p.Snapshot.Index)
	if p.Snapshot.Offline {
		name += "  offline"
	}
	switch {
	case p.Carved != nil && p.Created().IsZero():
		// its name says it
	case p.Carved != nil:
		name += "  carved"
	case p.Snapshot.Recovered:
		name += "  recovered"
	}
	if p.Snapshot.Damage != nil {
		name += "  DAMAGED"
	}
	return name
}

// counted joins counts of what there is some of.
func counted(list ...any) string {
	var out []string
	for i := 0; i+1 < len(list); i += 2 {
		if n := list[i].(int); n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, list[i+1]))
		}
	}
	return strings.Join(out, ", ")
}

// sized is a size for a column.
func sized(n int64) string { return text.Bytes(n) }
