package browse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// chosen is what is marked, in the order in which it was, at whatever points.
type chosen struct {
	is    map[folder.Place]bool
	order []folder.Place // some are not chosen any more
	work  sync.WaitGroup // restores that are under way
}

func (c *chosen) has(p folder.Place) bool { return c.is[p] }
func (c *chosen) count() int              { return len(c.is) }
func (c *chosen) clear()                  { c.is, c.order = nil, nil }
func (c *chosen) wait()                   { c.work.Wait() }

func (c *chosen) add(p folder.Place) {
	if c.is[p] {
		return
	}
	if c.is == nil {
		c.is = map[folder.Place]bool{}
	}
	c.is[p] = true
	c.order = append(c.order, p)
}

func (c *chosen) toggle(p folder.Place) {
	if !c.is[p] {
		c.add(p)
		return
	}
	delete(c.is, p)
	for i, x := range c.order {
		if x == p {
			c.order = append(c.order[:i:i], c.order[i+1:]...)
			break
		}
	}
}

// targets are what is marked, or else the one thing that the view has the cursor on.
func (m *model) targets() (out []points.Target) {
	for _, p := range m.chosen.order {
		out = append(out, p.Target())
	}
	if v, ok := m.top().(interface{ selected() (folder.Place, bool) }); ok && len(out) == 0 {
		if p, ok := v.selected(); ok {
			out = append(out, p.Target())
		}
	}
	return out
}

// askRestore asks where to, and shows what would be done.
func (m *model) askRestore() {
	targets := m.targets()
	if len(targets) == 0 {
		m.say("nothing to restore here: Space marks files and folders")
		return
	}
	what := fmt.Sprintf("%d marked things", len(targets))
	if len(targets) == 1 {
		what = targets[0].Path + " of " + m.when(targets[0].Point)
	}
	m.ask(m.safe("Restore "+what+" to the folder (or .zip, .tar):"), "restored", func(dest string) {
		if dest = strings.TrimSpace(dest); dest == "" {
			return
		}
		m.push(newRestore(m, Order{Set: m.Set, Targets: targets, Dest: dest, Overwrite: "never"}))
	})
}

// restoreView shows what a restore would do, does it, and tells what became of it.
type restoreView struct {
	scroller
	order   Order
	receipt bool
	state   restoreState
	err     error
	text    []string
	more    int // lines that are not kept
	run     slot
}

type restoreState uint8

const (
	planning restoreState = iota
	planned
	running
	finished
)

const maxTold = 20_000 // lines of a restore that are kept

func newRestore(m *model, o Order) *restoreView {
	v := &restoreView{order: o, receipt: true}
	v.start(m, true)
	return v
}

func (v *restoreView) slots() []*slot { return []*slot{&v.run} }

func (v *restoreView) title(*model) string {
	return fmt.Sprintf("Restore to %s", v.order.Dest)
}

func (v *restoreView) hints() string {
	switch v.state {
	case planned:
		return "? help  Esc back  Enter restore  o overwrite  P partial files  c receipt"
	case running:
		return "Esc ends it; what is complete stays"
	}
	return "? help  Esc back"
}

func (v *restoreView) status(m *model) (string, style) {
	switch {
	case v.state == planning:
		return "finding out what would be done ...", bold
	case v.state == running:
		return fmt.Sprintf("restoring ... %d lines told", len(v.text)), bold
	case v.err != nil:
		return m.safe(report.OneLine(v.err)), fault
	case v.state == planned:
		return "nothing was written yet: Enter does it", bold
	}
	return "all was restored", added
}

func (v *restoreView) resized(m *model) {
	v.lines = nil
	for _, line := range v.text {
		v.add(plain, m.w, line)
	}
	if v.more > 0 {
		v.add(changed, m.w, fmt.Sprintf("[%d more lines]", v.more))
	}
}

func (v *restoreView) draw(m *model, g *grid) {
	receipt := "no receipt"
	if v.receipt {
		receipt = "with a receipt"
	}
	partial := "files that are not there in full are left out"
	if v.order.Partial {
		partial = "files that are not there in full too, with holes"
	}
	g.put(0, 1, bold, fit(m.safe(map[restoreState]string{planning: "What would be done:", planned: "What would be done:", running: "Restoring:", finished: "What became of it:"}[v.state]), m.w))
	g.put(0, 2, dim, fit("overwrite: "+v.order.Overwrite+"; "+partial+"; "+receipt, m.w))
	v.scroller.draw(g, 3, m.high()-2)
}

func (v *restoreView) key(m *model, key string) bool {
	if v.move(key, m.high()-2) {
		return true
	}
	switch {
	case v.state == running && key == "esc":
		v.run.stop()
		v.state, v.err = finished, errors.New("ended before all was restored; what is complete stays")
		return true
	case v.state == running && key == "q":
		m.say("files are being restored: Esc ends that")
		return true
	case v.state != planned:
		return false
	}
	switch key {
	case "enter":
		v.start(m, false)
	case "o":
		words := []string{"never", "if-newer", "if-changed", "always", "never"}
		for i, w := range words[:len(words)-1] {
			if w == v.order.Overwrite {
				v.order.Overwrite = words[i+1]
				break
			}
		}
		v.start(m, true)
	case "P":
		v.order.Partial = !v.order.Partial
		v.start(m, true)
	case "c":
		v.receipt = !v.receipt
	default:
		return false
	}
	return true
}

// start has a job plan the restore, or do it.
func (v *restoreView) start(m *model, dry bool) {
	o := v.order
	o.DryRun = dry
	v.state, v.err, v.text, v.more, v.scroller = running, nil, nil, 0, scroller{}
	if dry {
		v.state = planning
	} else if v.receipt {
		o.Receipt = freeName(strings.TrimRight(o.Dest, `/\`) + ".receipt")
	}
	m.chosen.work.Add(1)
	m.jobs.start(&v.run, func(ctx context.Context, send func(func()) bool) error {
		defer m.chosen.work.Done()
		out := &lineWriter{tell: func(lines []string) { send(func() { v.told(m, lines) }) }, safe: m.safe}
		err := m.Restore(ctx, o, out)
		out.flush()
		return err
	}, func(err error) {
		v.err = err
		if v.state = finished; dry {
			v.state = planned
		}
		if err == nil && !dry {
			m.chosen.clear()
		}
	})
}

func (v *restoreView) told(m *model, lines []string) {
	if room := maxTold - len(v.text); len(lines) > room {
		v.more += len(lines) - room
		lines = lines[:room]
	}
	for _, line := range lines {
		v.text = append(v.text, line)
		v.add(plain, m.w, line)
	}
}

// freeName is a name that no file has.
func freeName(stem string) string {
	name := stem + ".json"
	for i := 2; i < 1000; i++ {
		if _, err := os.Lstat(filepath.Clean(name)); errors.Is(err, os.ErrNotExist) {
			break
		}
		name = fmt.Sprintf("%s-%d.json", stem, i)
	}
	return name
}

// A lineWriter gives what is written line by line, several at a time.
type lineWriter struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	tell func([]string)
	safe func(string) string
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(p)
	if w.buf.Len() > 4<<10 {
		w.lines(bytes.LastIndexByte(w.buf.Bytes(), '\n') + 1)
	}
	return len(p), nil
}

func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines(w.buf.Len())
}

func (w *lineWriter) lines(n int) {
	if n == 0 {
		return
	}
	var out []string
	for line := range strings.Lines(string(w.buf.Next(n))) {
		out = append(out, w.safe(strings.TrimSuffix(line, "\n")))
	}
	w.tell(out)
}
