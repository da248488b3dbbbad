package browse

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// dirView is a directory at a point in time.
type dirView struct {
	timeLine
	cursor
	path    string
	gone    bool // what it had before is shown too
	by      order
	filter  string
	want    string // the name that the cursor is to be on, once it is there
	reading dirReading
	records map[string]*record // by path
	follows wanted             // by the job of the strip

	list, arrange, more, judge, strip, follow slot
}

func newDir(m *model, all []*points.Point, at int, path string) *dirView {
	v := &dirView{timeLine: newTimeLine(all, at), path: path, gone: true, records: map[string]*record{}}
	v.load(m)
	v.readTicks(m)
	return v
}

func (v *dirView) slots() []*slot {
	return []*slot{&v.list, &v.arrange, &v.more, &v.judge, &v.strip, &v.follow}
}

func (v *dirView) title(m *model) string {
	name := v.point().Volume.Name + ":" + v.path
	if len(m.Set.Images) == 1 {
		name = path.Base(strings.ReplaceAll(m.Set.Images[0].Path, `\`, "/")) + "  " + name
	}
	return name
}

func (v *dirView) hints() string {
	return "? help  q quit  [ ] time  Enter open  Space mark  R restore  / find  d deleted"
}

func (v *dirView) resized(m *model) {
	v.clamp(len(v.reading.rows), v.rowsHigh(m))
	v.look(m)
}

// rowsHigh is how many rows the screen has.
func (v *dirView) rowsHigh(m *model) int {
	high := m.high() - 3 - len(v.faults(m))
	return max(high, 1)
}

// faults are lines of what of the directory could not be read: what could, is shown all the same.
func (v *dirView) faults(m *model) []string {
	if v.reading.damage == nil {
		return nil
	}
	lines := wrap(m.safe("! not all could be read: "+report.OneLine(v.reading.damage)), m.w)
	if len(lines) > 3 {
		lines = append(lines[:2], cut(lines[2], m.w-15)+" ... (e: all)")
	}
	return lines
}

// columns of a list, by the width of the screen.
type columns struct{ name, size, time, event, now int }

func columnsOf(w int) columns {
	c := columns{size: 8, time: 16, event: 7, now: 7}
	if w < 72 {
		c.time, c.event = 10, 1
	}
	c.name = w - 3 - 1 - c.size - 2 - c.time - 2 - c.event - 1 - c.now
	return c
}

func (v *dirView) draw(m *model, g *grid) {
	v.timeLine.draw(m, g, 1)
	c := columnsOf(m.w)
	arrow := map[order]string{byName: "Name", bySize: "Name (by size)", byTime: "Name (by time)"}[v.by]
	if v.filter != "" {
		arrow += m.safe(fmt.Sprintf(" with %q", v.filter))
	}
	g.put(0, 3, bold, pad("   "+arrow, 3+c.name)+" "+padLeft("Size", c.size)+"  "+pad("Modified", c.time)+"  "+pad([]string{"^", "Event"}[c.event/7], c.event)+" Now")
	high := v.rowsHigh(m)
	v.clamp(len(v.reading.rows), high)
	for i := range high {
		if v.top+i < len(v.reading.rows) {
			v.drawRow(m, g, 4+i, &v.reading.rows[v.top+i], c, v.top+i == v.cursor.at)
			m.rendered++
		}
	}
	if len(v.reading.rows) == 0 {
		for i, line := range v.emptiness(m) {
			g.put(2, 5+i, plain, line)
		}
	}
	for i, line := range v.faults(m) {
		g.put(0, 4+high+i, fault, line)
	}
}

// drawRow writes an entry: marks, name, size, time, what happened to it at this point, and what it is now.
func (v *dirView) drawRow(m *model, g *grid, y int, r *report.Row, c columns, here bool) {
	sign, look := v.sign(r)
	mark := " "
	if m.chosen.has(v.placeOf(r)) {
		mark = "*"
	}
	name, size := m.safe(string(r.Name)), sized(r.Size)
	switch {
	case r.Kind == "dir":
		name, size = name+"/", ""
	case r.Link != nil:
		name, size = name+" -> "+m.safe(string(*r.Link)), ""
	case r.Kind == "unreadable":
		size = "?"
	}
	event, now := v.eventOf(r), v.nowOf(r)
	line := mark + sign + " " + pad(name, c.name) + " " + padLeft(size, c.size) + "  " + pad(m.short(r.Mtime, c.time), c.time) + "  " + pad(event, c.event) + " " + pad(now, c.now)
	if here {
		look |= reverse
	}
	g.put(0, y, look&^struck, pad(line, m.w))
	if look&struck != 0 {
		g.paint(3, y, min(width(name), c.name), look)
	}
}

// sign says in a character what is odd about an entry.
func (v *dirView) sign(r *report.Row) (string, style) {
	verdict, judged := v.reading.verdicts[keyOf(r)]
	switch {
	case r.Kind == "unreadable" || r.Error != "" || judged && verdict != "":
		return "!", fault
	case r.Gone == "deleted":
		return "x", gone | struck
	case r.Gone == "renamed":
		return ">", moved | struck
	case r.Gone != "":
		return "?", changed
	case r.Kind == "dir":
		return " ", dir
	}
	return " ", plain
}

// eventOf says what happened to an entry since the point before, nowOf what became of it until now, as far as that was
// looked at: of what is in a directory nothing was.
func (v *dirView) eventOf(r *report.Row) string {
	if r.Gone != "" || v.timeLine.at == 0 {
		return ""
	}
	return v.wordOf(&v.reading.since, r, false)
}

func (v *dirView) nowOf(r *report.Row) string {
	if r.Gone != "" || v.timeLine.at == len(v.points)-1 {
		return r.Gone
	}
	return v.wordOf(&v.reading.now, r, r.Kind != "dir")
}

// wordOf is what happened to an entry; same says so of what nothing happened to.
func (v *dirView) wordOf(h *happenings, r *report.Row, same bool) string {
	word, known := h.word(r)
	switch {
	case known && word == "" && same:
		return "same"
	case known:
		return word
	case !h.known && (v.list.busy || v.more.busy || v.strip.busy):
		return "..."
	}
	return "?"
}

// emptiness says why there are no rows.
func (v *dirView) emptiness(m *model) []string {
	d := &v.reading
	var text string
	switch {
	case v.list.busy:
		text = fmt.Sprintf("reading ... %d entries so far", d.count)
	case d.missing != nil:
		text = v.absence(m)
	case v.filter != "":
		text = fmt.Sprintf("No name here has %q in it. Esc shows all.", v.filter)
	case d.damage != nil:
		text = "Nothing of this folder can be read at this point. Others may have it: { and } go through all."
	case d.failed:
		text = "It could not be looked into."
	case v.gone:
		text = "This folder is empty at this point, and no older one had anything here."
	default:
		text = "This folder is empty at this point. Older ones may have had files here: d shows them."
	}
	return wrap(m.safe(text), m.w-4)
}

// absence tells where a path that leads nowhere at this point is found.
func (v *dirView) absence(m *model) string {
	x := v.reading.missing
	text := "This folder is not there at this point."
	switch {
	case x.Kind != "":
		text = "At this point this is no folder, but a " + x.Kind + "."
	case x.First != "" && x.First == x.Last:
		text += " Only " + x.First + " has it."
	case x.First != "":
		text += fmt.Sprintf(" It exists from %s to %s.", x.First, x.Last)
	default:
		text = "No point in time has this path."
	}
	if x.Moved != nil {
		text += fmt.Sprintf("\nIt is the same folder, known here as %s: Enter goes to it.", string(*x.Moved))
	}
	if len(x.Lost) > 0 {
		text += "\nOf these points it is not known: " + strings.Join(x.Lost, ", ")
	}
	return text
}

func (v *dirView) status(m *model) (string, style) {
	r := v.row()
	switch {
	case v.list.busy && v.reading.count > 0:
		return fmt.Sprintf("reading ... %d entries so far", v.reading.count), bold
	case r == nil:
		return "", plain
	}
	name := string(r.Name)
	if verdict := v.reading.verdicts[keyOf(r)]; r.Error != "" || verdict != "" {
		return m.safe(name + ": " + strings.TrimPrefix(r.Error+"; "+verdict, "; ")), fault
	}
	switch r.Gone {
	case "deleted":
		return m.safe(fmt.Sprintf("%s: deleted; %s is the newest that has it", name, r.Point)), gone
	case "renamed":
		now := ""
		if r.Now != nil {
			now = string(*r.Now)
		}
		return m.safe(fmt.Sprintf("%s: is now %s; %s had it here", name, now, r.Point)), moved
	case "unknown":
		return m.safe(fmt.Sprintf("%s: %s had it, and what became of it is not known", name, r.Point)), changed
	}
	if r.Kind == "dir" {
		return m.safe(fmt.Sprintf("%s/  modified %s   (%d entries here)", name, m.stamp(r.Mtime), len(v.reading.rows))), plain
	}
	return m.safe(fmt.Sprintf("%s  %d bytes  modified %s", name, r.Size, m.stamp(r.Mtime))), plain
}

// row is the entry that the cursor is on.
func (v *dirView) row() *report.Row {
	if v.cursor.at >= len(v.reading.rows) {
		return nil
	}
	return &v.reading.rows[v.cursor.at]
}

// placeOf is where an entry is: of what is gone, at the newest point that has it.
func (v *dirView) placeOf(r *report.Row) folder.Place {
	p := folder.Place{Point: v.point(), Path: path.Join(v.path, string(r.Name))}
	if i := v.pointOf(r); i >= 0 {
		p.Point = v.points[i]
	}
	return p
}

func (v *dirView) pointOf(r *report.Row) int {
	if r.Point == "" {
		return v.timeLine.at
	}
	return slices.IndexFunc(v.points, func(p *points.Point) bool { return p.Name == r.Point })
}

func (v *dirView) selected() (folder.Place, bool) {
	if r := v.row(); r != nil {
		return v.placeOf(r), !v.arrange.busy
	}
	return folder.Place{Point: v.point(), Path: v.path}, v.reading.missing == nil
}
