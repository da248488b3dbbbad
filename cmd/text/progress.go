package text

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress tells what takes long: on a terminal one line that changes and goes again, elsewhere now and then a line.
// What is done quickly is not told. Its methods may be called from any goroutine.
type Progress struct {
	out          io.Writer
	tty          bool
	bare         bool // lines are for programs
	first, every time.Duration

	mu    sync.Mutex
	line  func() string
	timer *time.Timer // runs while something is under way
	shown bool
}

// NewProgress makes one that writes to standard error.
func NewProgress(w io.Writer) *Progress {
	if IsTerminal(w) {
		return &Progress{out: w, tty: true, first: time.Second, every: 200 * time.Millisecond}
	}
	return LineProgress(w)
}

// LineProgress makes one that is no terminal's.
func LineProgress(w io.Writer) *Progress {
	return &Progress{out: w, first: 5 * time.Second, every: 10 * time.Second}
}

// ScriptProgress makes one whose lines are read by programs, each second.
func ScriptProgress(w io.Writer) *Progress {
	return &Progress{out: w, bare: true, first: time.Second, every: time.Second}
}

// LogProgress makes one for a log.
func LogProgress(w io.Writer) *Progress {
	return &Progress{out: w, first: time.Second, every: 10 * time.Second}
}

// TimeLeft makes a report of progress that has the time left in it, once that can be told.
func TimeLeft(report func(what string, done, total int), what string) func(done, total int64) {
	start := time.Now()
	return func(done, total int64) {
		text := what
		if took := time.Since(start); done > 0 && done < total && took > 2*time.Second {
			left := time.Duration(float64(took) / float64(done) * float64(total-done))
			text = fmt.Sprintf("%s, %v left", what, left.Round(time.Second))
		}
		report(text, int(done), int(total))
	}
}

// Report takes note that done of total are done; all of them ends the telling.
func (p *Progress) Report(what string, done, total int) {
	if done >= total {
		p.End()
		return
	}
	p.Start(func() string { return fmt.Sprintf("%s: %d of %d", Printable(what), done, total) })
}

// Start tells the line that it is given, until End. The line is asked for whenever it is shown.
func (p *Progress) Start(line func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line = line; p.timer == nil {
		p.timer = time.AfterFunc(p.first, p.show)
	}
}

func (p *Progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil {
		return
	}
	p.timer.Reset(p.every)
	p.write(p.line())
}

func (p *Progress) write(line string) {
	switch {
	case p.bare:
		fmt.Fprintln(p.out, line)
	case p.tty:
		fmt.Fprintf(p.out, "\r%s\x1b[K", line)
		p.shown = true
	default:
		fmt.Fprintf(p.out, "snapmount: %s\n", line)
	}
}

// End stops the telling.
func (p *Progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer = nil
	p.hide()
}

// Pause runs what writes other lines there.
func (p *Progress) Pause(write func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hide()
	write()
}

func (p *Progress) hide() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.shown = false
}
