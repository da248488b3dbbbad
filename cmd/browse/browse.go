// Package browse is the browser of "snapmount browse": all points in time on a terminal, by keys alone. It shows what the page
// of "serve" shows, from the same packages.
//
//	browse.go    Run: the terminal, and the loop of keys and answers
//	model.go     what is known, the frame around a view, prompts
//	jobs.go      what takes long, beside the keys
//	grid.go      a screen as values; widget.go what is scrolled
//	volumes.go   the first view: images and volumes, and those that are locked
//	dir.go       a directory at a point; dirread.go its reading
//	strip.go     the points in time in a line; points.go as a list
//	file.go      a file: preview.go its content, versions.go its versions, diff.go two of them
//	find.go      a search over all points
//	chosen.go    what is marked, and its restore
//	help.go      the keys
//
// A view is drawn from values alone, on a grid: nothing is read and nothing waits while it is, and only the rows that are
// seen are looked at. All that reads images runs as a job and ends when one moves on. No text of an image reaches the
// terminal but through safe.
package browse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"snapmount/cmd/text"
	"snapmount/mount/points"
	"snapmount/mount/selection"
)

// Config is what is shown, and what of the program the browser uses.
type Config struct {
	Set *points.Set
	Out *text.Out // whose zone and colours are used
	// Details writes all that is known of a file.
	Details func(ctx context.Context, at *selection.Place, out io.Writer) error
	// Restore does an Order, and writes what it tells.
	Restore func(ctx context.Context, o Order, out io.Writer) error
	// Unlock opens the images once more with a secret of a volume; the Set that was given before stays open.
	Unlock func(ctx context.Context, v *points.Volume, secret string) (*points.Set, error)
}

// An Order is what is to be restored.
type Order struct {
	Set       *points.Set
	Targets   []points.Target
	Dest      string
	DryRun    bool
	Partial   bool   // files that are not there in full too
	Overwrite string // as --overwrite has it
	Receipt   string // a file, or none
}

// ErrTerminal says that there is no terminal that can show anything.
var ErrTerminal = errors.New("browse: wants a terminal")

// Run shows it until one leaves, or ctx ends, whose cause it returns then. The terminal is left as it was.
func Run(ctx context.Context, c Config) error {
	tcell.SetEncodingFallback(tcell.EncodingFallbackASCII) // of sets that it does not know: what is shown then is ASCII
	screen, err := tcell.NewScreen()
	if err != nil {
		return fmt.Errorf("%w that can place text (TERM=%s): %w", ErrTerminal, text.Printable(os.Getenv("TERM")), err)
	}
	if err := screen.Init(); err != nil {
		return fmt.Errorf("%w: %w", ErrTerminal, err)
	}
	return show(ctx, c, screen)
}

// show is Run on a screen that is ready.
func show(ctx context.Context, c Config, screen tcell.Screen) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer screen.Fini() // after a panic, too
	j := &jobs{ctx: ctx, back: make(chan func(), 64)}
	w, h := screen.Size()
	m := newModel(c, j, max(w, least), max(h, least))
	m.onlyASCII = !strings.EqualFold(strings.ReplaceAll(screen.CharacterSet(), "-", ""), "utf8")
	l := &loop{m: m, screen: screen, events: make(chan tcell.Event, 64)}
	quit := make(chan struct{})
	go screen.ChannelEvents(l.events, quit)
	defer close(quit)
	err := l.run(ctx)
	cancel()
	screen.Fini()
	m.chosen.wait() // files that are half written are put away
	return err
}

// A loop has keys and answers change the model, and shows it.
type loop struct {
	m      *model
	screen tcell.Screen
	events chan tcell.Event
	drawn  time.Time
}

// A screen that waits for its first answer is not shown at once: mostly that comes before anybody could see it missing. A key
// that is held shows something all the same.
const (
	patience = 50 * time.Millisecond
	longest  = 150 * time.Millisecond
)

func (l *loop) run(ctx context.Context) error {
	l.draw()
	late := time.NewTimer(patience)
	for !l.m.quit {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case ev := <-l.events:
			l.take(ev)
		case f := <-l.m.jobs.back:
			f()
		case <-late.C:
			l.draw()
			continue
		}
		for n := 0; n < 1000 && l.more(); n++ {
		}
		if busy, _ := l.m.busy(); busy && time.Since(l.drawn) < longest {
			late.Reset(patience)
			continue
		}
		l.draw()
	}
	return nil
}

// more takes what came meanwhile.
func (l *loop) more() bool {
	select {
	case ev := <-l.events:
		l.take(ev)
	case f := <-l.m.jobs.back:
		f()
	default:
		return false
	}
	return true
}

func (l *loop) take(ev tcell.Event) {
	switch ev := ev.(type) {
	case nil: // the terminal is gone
		l.m.quit = true
	case *tcell.EventError:
		l.m.quit = true
	case *tcell.EventResize:
		l.m.resize(ev.Size())
		l.screen.Sync()
	case *tcell.EventKey:
		if ev.Key() == tcell.KeyCtrlL {
			l.screen.Sync()
			return
		}
		name := keyName(ev)
		if rest, alt := strings.CutPrefix(name, "alt+"); alt { // Esc and a letter, typed quickly: no key here has Alt
			l.m.key("esc")
			name = rest
		}
		if !l.m.quit {
			l.m.key(name)
		}
	}
}

// named are the keys that are no letters.
var named = map[tcell.Key]string{tcell.KeyUp: "up", tcell.KeyDown: "down", tcell.KeyLeft: "left", tcell.KeyRight: "right", tcell.KeyPgUp: "pgup",
	tcell.KeyPgDn: "pgdn", tcell.KeyHome: "home", tcell.KeyEnd: "end", tcell.KeyEnter: "enter", tcell.KeyEscape: "esc", tcell.KeyTab: "tab",
	tcell.KeyBacktab: "backtab", tcell.KeyBackspace: "backspace", tcell.KeyBackspace2: "backspace", tcell.KeyDelete: "delete", tcell.KeyF1: "f1",
	tcell.KeyCtrlC: "ctrl+c", tcell.KeyCtrlB: "ctrl+b", tcell.KeyCtrlF: "ctrl+f", tcell.KeyCtrlA: "ctrl+a", tcell.KeyCtrlE: "ctrl+e", tcell.KeyCtrlU: "ctrl+u"}

func keyName(ev *tcell.EventKey) string {
	if ev.Key() == tcell.KeyRune {
		if ev.Modifiers()&(tcell.ModCtrl|tcell.ModAlt|tcell.ModMeta) != 0 {
			return "alt+" + string(ev.Rune())
		}
		return string(ev.Rune())
	}
	name := named[ev.Key()]
	if ev.Modifiers()&tcell.ModShift != 0 && (name == "left" || name == "right") {
		return "shift+" + name
	}
	return name
}

// looks are the styles of a terminal, by their colour.
var looks = [...]tcell.Color{plain: tcell.ColorDefault, added: tcell.ColorGreen, changed: tcell.ColorOlive, moved: tcell.ColorTeal, gone: tcell.ColorMaroon,
	fault: tcell.ColorRed, dir: tcell.ColorNavy, dim: tcell.ColorDefault}

func (l *loop) draw() {
	l.drawn = time.Now()
	g := l.m.draw()
	l.screen.Clear()
	for y := range g.h {
		for x := 0; x < g.w; x++ {
			if c := g.cells[y*g.w+x]; c.text != "" {
				l.screen.Put(x, y, c.text, l.style(c.look))
			}
		}
	}
	if g.cx >= 0 {
		l.screen.ShowCursor(g.cx, g.cy)
	} else {
		l.screen.HideCursor()
	}
	l.screen.Show()
}

func (l *loop) style(s style) tcell.Style {
	out := tcell.StyleDefault.Bold(s&bold != 0 || s&colours == fault || s&colours == dir).Reverse(s&reverse != 0).StrikeThrough(s&struck != 0).Dim(s&colours == dim)
	if l.m.Out.Colour {
		out = out.Foreground(looks[s&colours])
	}
	return out
}
