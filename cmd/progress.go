package cmd

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// A progress shows how far a command is: on a terminal in one line that changes and goes again, elsewhere in a line now and
// then. What is done quickly is not shown.
type progress struct {
	out          io.Writer
	tty          bool
	bare         bool // lines are for a program
	first, every time.Duration

	mu    sync.Mutex
	line  func() string // what to show; nil when nothing is under way
	timer *time.Timer
	what  string // is counted, as report was told last, since begun
	begun time.Time
	done  int64
	total int64

	screen sync.Mutex // held while anything is written
	shown  bool       // a line is on the terminal
}

func newProgress(w io.Writer) *progress {
	if isTerminal(w) {
		return &progress{out: w, tty: true, first: time.Second, every: 200 * time.Millisecond}
	}
	return &progress{out: w, first: 5 * time.Second, every: 10 * time.Second}
}

// report is a layer.Progress. Without words, too, all is done.
func (p *progress) report(what string, done, total int64) {
	if what == "" || total > 0 && done >= total {
		p.end()
		return
	}
	p.mu.Lock()
	if what != p.what {
		p.what, p.begun = what, time.Now()
	}
	p.done, p.total = done, total
	p.mu.Unlock()
	p.start(p.count)
}

// count is the line of report, with the time left once that can be told.
func (p *progress) count() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprintf("%s: %d", printable(p.what), p.done)
	if p.total <= 0 {
		return text
	}
	text += fmt.Sprintf(" of %d", p.total)
	if took := time.Since(p.begun); p.done > 0 && took > 2*time.Second {
		left := time.Duration(float64(took) / float64(p.done) * float64(p.total-p.done))
		text += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	return text
}

// start shows what line gives, from the first moment on.
func (p *progress) start(line func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line = line; p.timer == nil {
		p.timer = time.AfterFunc(p.first, p.next)
	}
}

func (p *progress) next() {
	p.screen.Lock()
	defer p.screen.Unlock()
	p.mu.Lock()
	line := p.line
	if line != nil {
		p.timer.Reset(p.every)
	}
	p.mu.Unlock()
	if line != nil {
		p.show(line())
	}
}

// show writes a line; the screen is held.
func (p *progress) show(text string) {
	switch {
	case p.bare:
		fmt.Fprintln(p.out, text)
	case p.tty:
		fmt.Fprintf(p.out, "\r%s\x1b[K", text)
		p.shown = true
	default:
		fmt.Fprintf(p.out, "snapmount: %s\n", text)
	}
}

// end takes the line away.
func (p *progress) end() {
	p.mu.Lock()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer, p.line, p.what = nil, nil, ""
	p.mu.Unlock()
	p.pause(func() {})
}

// pause runs what writes lines, with this one out of the way.
func (p *progress) pause(write func()) {
	p.screen.Lock()
	defer p.screen.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
	write()
}
