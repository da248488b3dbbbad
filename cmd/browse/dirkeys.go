package browse

import (
	"context"
	"errors"
	"path"
	"strings"

	"snapmount/mount/folder"
	"snapmount/mount/report"
	"snapmount/ntfs"
)

func (v *dirView) key(m *model, key string) bool {
	if v.move(key, len(v.reading.rows), v.rowsHigh(m)) {
		v.want = ""
		v.look(m)
		return true
	}
	if to, ok := v.step(m, key); ok {
		v.goTo(m, to)
		return true
	}
	if v.arrange.busy && strings.Contains("enter l i + ", key) { // on what is not the row that is meant
		m.say("sorting ...")
		return true
	}
	switch key {
	case "enter", "l":
		v.enter(m)
	case "backspace", "h":
		v.up(m)
	case "esc":
		if v.filter == "" {
			return false
		}
		v.filter = ""
		v.rearrange(m)
	case " ":
		if r := v.row(); r != nil {
			m.chosen.toggle(v.placeOf(r))
			v.move("down", len(v.reading.rows), v.rowsHigh(m))
			v.look(m)
		}
	case "+":
		for i := range v.reading.rows {
			m.chosen.add(v.placeOf(&v.reading.rows[i]))
		}
	case "d":
		v.gone = !v.gone
		v.reload(m)
		m.say("%s", map[bool]string{true: "what was deleted or renamed is shown too (x, >)", false: "only what is there at this point is shown"}[v.gone])
	case "s":
		v.by = (v.by + 1) % orders
		v.rearrange(m)
	case "f":
		v.askFilter(m)
	case "/":
		v.askFind(m)
	case "i":
		v.inspect(m)
	case "e":
		if v.reading.damage == nil {
			m.say("all of this folder was read")
			break
		}
		m.push(newText(m, "What could not be read", []string{report.OneLine(v.reading.damage)}))
	case "p":
		m.push(newPoints(v))
	default:
		return false
	}
	return true
}

// goTo shows another point in time; the cursor stays on its name.
func (v *dirView) goTo(m *model, at int) {
	if at == v.timeLine.at {
		return
	}
	v.timeLine.at = at
	v.reload(m)
}

// reload reads the directory again, as what it is at the point now.
func (v *dirView) reload(m *model) {
	if r := v.row(); r != nil {
		v.want = string(r.Name)
	}
	v.load(m)
}

// walk goes to another directory.
func (v *dirView) walk(m *model, path, want string) {
	v.path, v.want, v.filter, v.cursor = path, want, "", cursor{}
	v.timeLine = newTimeLine(v.points, v.timeLine.at)
	v.load(m)
	v.readTicks(m)
}

func (v *dirView) up(m *model) {
	if v.path == "/" {
		m.pop()
		return
	}
	v.walk(m, path.Dir(v.path), path.Base(v.path))
}

// enter opens what the cursor is on.
func (v *dirView) enter(m *model) {
	r := v.row()
	switch {
	case r == nil && v.reading.missing != nil && v.reading.missing.Moved != nil:
		v.walk(m, string(*v.reading.missing.Moved), "")
	case r == nil:
	case r.Kind == "unreadable":
		m.fail(errors.New(r.Error))
	case r.Kind == "symlink":
		v.followLink(m, r)
	default:
		v.open(m, r, r.Kind == "dir")
	}
}

// open shows an entry, of what is gone at the newest point that has it.
func (v *dirView) open(m *model, r *report.Row, isDir bool) {
	at := v.placeOf(r)
	if !isDir {
		m.push(newFile(m, v.points, v.pointOf(r), at.Path))
		return
	}
	if i := v.pointOf(r); i != v.timeLine.at {
		v.timeLine.at = i
		m.say("this folder is gone; the newest point that has it is shown")
	}
	v.walk(m, at.Path, "")
}

// followLink opens what a link leads to.
func (v *dirView) followLink(m *model, r *report.Row) {
	at, row := v.placeOf(r), *r
	var kind ntfs.Kind
	m.jobs.start(&v.follow, func(ctx context.Context, send func(func()) bool) error {
		n, _, err := at.Point.Find(ctx, at.Path, true)
		if err == nil {
			send(func() { kind = n.Kind })
		}
		return err
	}, func(err error) {
		if err != nil {
			m.fail(err)
			return
		}
		v.open(m, &row, kind == ntfs.KindDir)
	})
}

// inspect shows what is known of the entry, whatever it is.
func (v *dirView) inspect(m *model) {
	r := v.row()
	if r == nil || r.Kind == "unreadable" {
		return
	}
	f := newFile(m, v.points, v.pointOf(r), v.placeOf(r).Path)
	f.tab = tabDetails
	f.show(m)
	m.push(f)
}

func (v *dirView) askFilter(m *model) {
	m.ask("Names in this folder that have (Enter keeps it, Esc shows all):", v.filter, func(string) {})
	m.prompt.changed = func(text string) { v.filter = text; v.rearrange(m) }
	m.prompt.given = func() { v.filter = ""; v.rearrange(m) }
}

func (v *dirView) askFind(m *model) {
	m.ask(m.safe("Find in "+v.path+" and below, at all points: a part of a name, or a pattern (*.doc)"), "", func(text string) {
		if strings.TrimSpace(text) != "" {
			m.push(newFind(m, folder.Place{Point: v.point(), Path: v.path}, v.points, text))
		}
	})
}
