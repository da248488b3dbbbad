package browse

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
)

// opened is a model of the demo image; all jobs are done at once.
func opened(t testing.TB, w, h int) *model {
	t.Helper()
	set, err := points.Open(context.Background(), []string{filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	out := text.NewOut(io.Discard)
	out.Zone = time.UTC
	return newModel(Config{Set: set, Out: out,
		Details: func(_ context.Context, p *selection.Place, w io.Writer) error {
			_, err := fmt.Fprintln(w, "details of", p.Location)
			return err
		},
		Restore: func(_ context.Context, o Order, w io.Writer) error {
			_, err := fmt.Fprintln(w, "restore", len(o.Targets), o.Dest, o.DryRun)
			return err
		},
		Unlock: func(context.Context, *points.Volume, string) (*points.Set, error) { return set, nil },
	}, &jobs{ctx: context.Background(), now: true}, w, h)
}

func press(m *model, keys ...string) {
	for _, k := range keys {
		m.key(k)
	}
}

// check says what of a screen is not as it has to be, whatever is on it.
func check(m *model) error {
	g := m.draw()
	if g.w != m.w || g.h != m.h || g.cx >= g.w || g.cy >= g.h {
		return fmt.Errorf("%d x %d with a cursor at %d, %d, of %d x %d", g.w, g.h, g.cx, g.cy, m.w, m.h)
	}
	for y := range g.h {
		columns := 0
		for x := range g.w {
			c := g.cells[y*g.w+x]
			if c.text != "" {
				columns += max(width(c.text), 1)
			}
			if i := strings.IndexFunc(c.text, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) }); i >= 0 {
				return fmt.Errorf("line %d, column %d: %q", y, x, c.text)
			}
		}
		if columns != g.w {
			return fmt.Errorf("line %d takes %d columns of %d", y, columns, g.w)
		}
	}
	return nil
}

// FuzzKeys presses any keys on screens of any size: nothing panics, and every screen is whole.
func FuzzKeys(f *testing.F) {
	names := []string{"up", "down", "left", "right", "pgup", "pgdn", "home", "end", "enter", "esc", "tab", "backtab", "backspace", "delete", "f1", "shift+left",
		"shift+right", "ctrl+u", "ctrl+a", "ctrl+e", "ctrl+b", "ctrl+f", "", "alt+x", "ü", "世", "\u0301", "\u202e"}
	key := func(c byte) string {
		if int(c) < len(names) {
			return names[c]
		}
		return string(rune(c))
	}
	m := opened(f, 80, 24)
	f.Add([]byte("\x08\x02\x08\x08x\x0a=\x09"), byte(80), byte(24))
	f.Add([]byte("\x08/budget\x08\x08 R\x08\x08"), byte(60), byte(16))
	f.Add([]byte("\x08 d s s + R x\x08oPc\x08"), byte(1), byte(1))
	f.Add([]byte("\x08p\x07\x08i{{{}}}<>fa\x09"), byte(200), byte(60))
	f.Fuzz(func(t *testing.T, keys []byte, w, h byte) {
		m := newModel(m.Config, m.jobs, 80, 24)
		m.resize(int(w), int(h))
		for i, c := range keys {
			if i == 24 {
				break
			}
			if m.key(key(c)); c == 0xff {
				m.resize(int(h), int(w))
			}
			if err := check(m); err != nil {
				t.Fatalf("after %q: %v", keys[:i+1], err)
			}
			if len(m.views) == 0 {
				t.Fatal("no view is left")
			}
		}
	})
}

// TestMany shows 100,000 entries: what is drawn and judged is what the screen has room for.
func TestMany(t *testing.T) {
	m := opened(t, 80, 24)
	press(m, "enter")
	v, ok := m.top().(*dirView)
	if !ok {
		t.Fatalf("%T", m.top())
	}
	judged := len(v.reading.verdicts)
	var all []report.Row
	for i := range 100_000 {
		all = append(all, report.Row{Name: report.Name(fmt.Sprintf("file %05d.txt", i)), Kind: "file", Ref: fmt.Sprint(i), Size: int64(i)})
	}
	v.take(m, all, arranged(all, byName, ""))
	v.cursor = cursor{}
	keys := []string{"down", "pgdn", "end", "up", "pgup", "home", "down"}
	m.rendered = 0
	for _, k := range keys {
		press(m, k)
		if err := check(m); err != nil {
			t.Fatal(err)
		}
	}
	if most := len(keys) * m.high(); m.rendered == 0 || m.rendered > most {
		t.Errorf("%d rows were drawn, want %d at most", m.rendered, most)
	}
	if n, most := len(v.reading.verdicts)-judged, 5*m.high(); n == 0 || n > most {
		t.Errorf("%d files were judged, want %d at most", n, most)
	}
	press(m, "end")
	if screen := m.draw().String(); !strings.Contains(screen, "\nfile 99999.txt: ") {
		t.Error(screen)
	}
	press(m, "f")
	press(m, strings.Split("77777", "")...)
	press(m, "enter")
	if len(v.reading.rows) != 1 {
		t.Errorf("%d rows have 77777, want 1", len(v.reading.rows))
	}
}

// TestNames holds names that no terminal should be given in their column.
func TestNames(t *testing.T) {
	m := opened(t, 80, 24)
	press(m, "enter")
	v, ok := m.top().(*dirView)
	if !ok {
		t.Fatalf("%T", m.top())
	}
	var all []report.Row
	for _, name := range []string{"plain.txt", "日本語のとても長いファイル名がここにあります.txt", "e\u0301cole.doc", "\u0301mark first", "a\x1b[31mred\x07\r\n.txt", "txt.\u202eexe", "🇩🇪 👩‍👩‍👧‍👦.jpg",
		"\xed\xa0\x80 lone surrogate", "\u200bno width", strings.Repeat("long ", 60) + ".end"} {
		all = append(all, report.Row{Name: report.Name(name), Kind: "file", Ref: name, Size: 1234})
	}
	for _, onlyASCII := range []bool{false, true} {
		for _, w := range []int{40, 60, 79, 80, 132} {
			m.resize(w, 24)
			m.onlyASCII = onlyASCII
			v.take(m, all, all)
			if err := check(m); err != nil {
				t.Errorf("%d columns: %v", w, err)
			}
			g := m.draw()
			for y := 4; y < 4+len(all); y++ {
				at := columnsOf(w).name + 4 + columnsOf(w).size
				line := ""
				for _, c := range g.cells[y*w+at-7 : y*w+at] {
					line += c.text
				}
				if w >= 60 && line != ".21 KiB" {
					t.Errorf("%d columns, line %d: the size is %q: %s", w, y, line, g)
				}
			}
		}
	}
}

// TestSteps goes through time: the marks of a directory are what one stops at.
func TestSteps(t *testing.T) {
	signs := func(s string) timeLine {
		l := timeLine{points: make([]*points.Point, len(s)), ticks: make([]tick, len(s))}
		for i, c := range []byte(s) {
			l.ticks[i] = tick{sign: c, stop: c != '.' && c != ','}
		}
		return l
	}
	m := &model{}
	for _, c := range []struct {
		line, key string
		from, to  int
	}{
		{"|..C.,D.", "left", 7, 3}, {"|..C.,D.", "left", 6, 3}, {"|..C.,D.", "left", 5, 0}, {"|..C.,D.", "left", 2, 2}, {"|..C.,D.", "left", 0, 0},
		{"|..C.,D.", "right", 0, 3}, {"|..C.,D.", "right", 3, 6}, {"|..C.,D.", "right", 6, 6}, {"|..C.,D.", "right", 4, 6},
		{"|.:..", "right", 0, 2}, {"|.:..", "left", 4, 0}, {"|...", "{", 3, 2}, {"|...", "}", 3, 3}, {"|...", "<", 3, 0}, {"|...", ">", 0, 3},
	} {
		l := signs(c.line)
		l.at = c.from
		if to, ok := l.step(m, c.key); !ok || to != c.to {
			t.Errorf("%s from %d, %s: %d, want %d", c.line, c.from, c.key, to, c.to)
		}
	}
}

// TestTicks finds all points on the line of time, however many there are.
func TestTicks(t *testing.T) {
	m := opened(t, 80, 24)
	point := m.Set.Volumes[0].Current()
	for _, n := range []int{1, 2, 15, 16, 17, 22, 23, 33, 34, 66, 67, 512} {
		all := make([]*points.Point, n)
		for i := range all {
			all[i] = point
		}
		for _, at := range []int{0, n / 2, n - 1} {
			l := newTimeLine(all, at)
			for i := range l.ticks {
				l.ticks[i].sign = '.'
			}
			l.ticks[at].sign = '@'
			g := newGrid(80, 3)
			l.draw(m, g, 0)
			line := strings.Split(g.String(), "\n")[1]
			if strings.Count(line, "@") != 1 || n <= 66 && strings.Count(line, ".") != n-1 {
				t.Errorf("%d points, at %d: %q", n, at, line)
			}
		}
	}
}

// TestMarks keeps what was marked, in order and at its point.
func TestMarks(t *testing.T) {
	m := opened(t, 80, 24)
	press(m, "enter", "end", " ", "{", " ", "R")
	if m.prompt == nil || !strings.Contains(m.prompt.question, "2 marked things") {
		t.Fatalf("%+v", m.prompt)
	}
	press(m, "enter")
	if screen := m.draw().String(); !strings.Contains(screen, "restore 2 restored true") || !strings.Contains(screen, "nothing was written yet") {
		t.Error(screen)
	}
	press(m, "enter")
	if screen := m.draw().String(); !strings.Contains(screen, "restore 2 restored false") || m.chosen.count() != 0 {
		t.Error(screen)
	}
	var c chosen
	a, b := folder.Place{Path: "/a"}, folder.Place{Path: "/b"}
	c.toggle(a)
	c.toggle(b)
	c.toggle(a)
	if c.count() != 1 || c.has(a) || len(c.order) != 1 || c.order[0] != b {
		t.Errorf("%+v", c.order)
	}
}

// BenchmarkStep goes one point back or forth in a directory, with all that is read for it, and draws.
func BenchmarkStep(b *testing.B) {
	m := opened(b, 80, 24)
	press(m, "enter")
	for i := 0; b.Loop(); i++ {
		press(m, []string{"{", "}"}[i&1])
		m.draw()
	}
}
