package browse

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"snapmount/cmd/text"
	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// The parts of a file's view.
const (
	tabPreview = iota
	tabVersions
	tabDetails
	tabs
)

// fileView is a file at a point in time; the line of time is its own.
type fileView struct {
	timeLine
	path     string // at the point
	tab      int
	versions versionList
	preview  preview
	details  scroller
	text     string // of details

	history, read, window, detail slot
}

func newFile(m *model, all []*points.Point, at int, path string) *fileView {
	v := &fileView{timeLine: newTimeLine(all, at), path: path}
	v.ticks[0] = unread
	v.readHistory(m)
	v.show(m)
	return v
}

func (v *fileView) slots() []*slot { return []*slot{&v.history, &v.read, &v.window, &v.detail} }

func (v *fileView) title(*model) string { return v.point().Volume.Name + ":" + v.path }

func (v *fileView) hints() string {
	return [...]string{
		tabPreview:  "? help  Esc back  [ ] time  Tab versions  x text or hex  R restore",
		tabVersions: "? help  Esc back  Enter show  = compare  a with this one  R restore  Tab details",
		tabDetails:  "? help  Esc back  [ ] time  Tab preview  R restore",
	}[v.tab]
}

func (v *fileView) resized(m *model) {
	v.preview.fold(m)
	v.foldDetails(m)
	v.versions.clamp(len(v.versions.list), v.inside(m)-1)
}

// inside is how many lines a part has.
func (v *fileView) inside(m *model) int { return max(m.high()-3, 1) }

func (v *fileView) place() folder.Place { return folder.Place{Point: v.point(), Path: v.path} }

func (v *fileView) selected() (folder.Place, bool) {
	if x := v.versions.current(); v.tab == tabVersions && x != nil && x.Node != nil {
		return folder.Place{Point: v.points[x.First], Path: shownPath(x.Path)}, true
	}
	return v.place(), true
}

// readHistory has a job find the versions.
func (v *fileView) readHistory(m *model) {
	at := v.place()
	m.jobs.start(&v.history, func(ctx context.Context, send func(func()) bool) error {
		list, err := at.History(ctx)
		if err == nil {
			send(func() { v.takeVersions(m, list) })
		}
		return err
	}, func(err error) { v.versions.err = err })
}

// show has a job read what is seen of the file at the point.
func (v *fileView) show(m *model) {
	at := v.place()
	v.preview.start(m, &v.read, &v.window, at)
	v.detail.stop()
	v.text, v.details = "", scroller{}
	if v.tab == tabDetails {
		v.readDetails(m)
	}
}

func (v *fileView) readDetails(m *model) {
	at := v.place()
	m.jobs.start(&v.detail, func(ctx context.Context, send func(func()) bool) error {
		var out bytes.Buffer
		err := m.Details(ctx, &selection.Place{Target: at.Target(), Location: report.Location(at.Point) + ":" + at.Path, Set: m.Set}, &out)
		if err != nil {
			fmt.Fprintf(&out, "error  %s\n", report.OneLine(at.Point.Because(err)))
		}
		send(func() { v.text = out.String() + commands(at); v.foldDetails(m) })
		return nil
	}, func(error) {})
}

// commands are lines to type elsewhere.
func commands(at folder.Place) string {
	location := report.Location(at.Point) + ":" + at.Path
	var b strings.Builder
	b.WriteString("\nthe same by commands:\n")
	for _, c := range []string{"cat", "history", "restore"} {
		fmt.Fprintf(&b, "  snapmount %s %s%s\n", c, text.Quoted(location), map[bool]string{true: " DEST"}[c == "restore"])
	}
	return b.String()
}

func (v *fileView) foldDetails(m *model) {
	v.details.lines = nil
	if v.text != "" {
		for line := range strings.Lines(v.text) {
			v.details.add(plain, m.w, m.safe(strings.TrimSuffix(line, "\n")))
		}
	}
}

func (v *fileView) draw(m *model, g *grid) {
	v.timeLine.draw(m, g, 1)
	x := 0
	for i, name := range []string{" Preview ", " Versions ", " Details "} {
		look := plain
		if i == v.tab {
			look = bold | reverse
		}
		x = g.put(x, 3, look, name)
	}
	right := v.versions.where(v.timeLine.at)
	g.put(max(m.w-width(right), x+1), 3, plain, right)
	switch v.tab {
	case tabPreview:
		v.preview.draw(m, g, 4, v.inside(m))
	case tabVersions:
		v.versions.draw(m, g, 4, v.inside(m), v.points)
	case tabDetails:
		if v.detail.busy {
			g.put(2, 5, plain, "reading ...")
		}
		v.details.draw(g, 4, v.inside(m))
	}
}

func (v *fileView) status(m *model) (string, style) {
	if v.tab == tabVersions {
		return v.versions.status(m, v.history.busy)
	}
	if v.history.busy {
		return "finding its versions ...", bold
	}
	return v.preview.status(m)
}

func (v *fileView) key(m *model, key string) bool {
	if to, ok := v.step(m, key); ok {
		v.goTo(m, to)
		return true
	}
	switch key {
	case "tab", "backtab":
		v.tab = (v.tab + map[string]int{"tab": 1, "backtab": tabs - 1}[key]) % tabs
		if v.tab == tabDetails && v.text == "" {
			v.readDetails(m)
		}
		return true
	case "1", "2", "3":
		v.tab = int(key[0]-'1') - 1
		return v.key(m, "tab")
	case "h":
		m.pop()
		return true
	case "p":
		m.push(newPoints(v))
		return true
	case " ":
		if v.tab == tabPreview {
			break
		}
		if at, ok := v.selected(); ok {
			m.chosen.toggle(at)
		}
		return true
	}
	switch v.tab {
	case tabPreview:
		return v.preview.key(m, key, v.inside(m))
	case tabDetails:
		return v.details.move(key, v.inside(m))
	}
	return v.versionKey(m, key)
}

// goTo shows the file at another point, by the path that it has there.
func (v *fileView) goTo(m *model, at int) {
	if at == v.timeLine.at {
		return
	}
	v.timeLine.at = at
	if x := v.versions.at(at, v.path); x != nil && x.Path != "" {
		v.path = shownPath(x.Path)
	}
	v.versions.follow(at)
	v.show(m)
}

// shownPath is a path of a version as lookups take it.
func shownPath(name string) string { return path.Join("/", points.ShownPath(name)) }

// takeVersions shows versions, as ticks too.
func (v *fileView) takeVersions(m *model, list []compare.Version) {
	v.versions.take(list)
	for i := range v.ticks {
		v.ticks[i] = tick{' ', plain, "it is not there", false}
	}
	for _, x := range list {
		v.tickVersion(x)
	}
	v.versions.follow(v.timeLine.at)
	v.resized(m)
}

func (v *fileView) tickVersion(x compare.Version) {
	run := tick{'-', plain, fmt.Sprintf("version %d, as before", x.Number), false}
	first := tick{'|', bold, fmt.Sprintf("version %d", x.Number), true}
	if events := eventWords(x); events != "" {
		first.words += ": " + events
	}
	has := func(list ...compare.Event) bool {
		return slices.ContainsFunc(x.Events, func(e compare.Event) bool { return slices.Contains(list, e) })
	}
	switch { // the most telling one
	case has(compare.EventCreated, compare.EventReplaced, compare.EventReappeared):
		first.sign, first.look = 'N', added
	case has(compare.EventContent, compare.EventStreams):
		first.sign, first.look = 'C', changed
	case has(compare.EventRenamed, compare.EventMoved, compare.EventLinks):
		first.sign, first.look = 'R', moved
	case has(compare.EventMetadata):
		first.sign, first.look = 'd', plain
	}
	switch {
	case x.Err != nil:
		first = tick{'?', fault, "not known: " + report.OneLine(x.Err), true}
		run = tick{'?', fault, first.words, false}
	case x.Node == nil:
		first = tick{'D', gone, "deleted", true}
		run = tick{' ', plain, "it is not there any more", false}
	}
	for i := x.First; i <= x.Last && i < len(v.ticks); i++ {
		if t := v.ticks[i]; t.sign != ' ' && x.Node == nil { // another file has the path there
			continue
		}
		v.ticks[i] = run
		if i == x.First {
			v.ticks[i] = first
		}
	}
}

func eventWords(x compare.Version) string {
	words := make([]string, 0, len(x.Events))
	for _, e := range x.Events {
		words = append(words, e.String())
	}
	return strings.Join(words, ", ")
}

// isFile reports whether a node has content to show.
func isFile(n *ntfs.Node, stream string) bool { return n.Kind == ntfs.KindFile || stream != "" }
