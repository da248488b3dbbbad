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
	line  func() string // what to show; nil when nothing is under way
	timer *time.Timer
	what  string // is counted, as Report was told last, since begun
	begun time.Time
	done  int64
	total int64

	screen sync.Mutex // held while anything is written
	shown  bool       // a line is on the terminal
}

// NewProgress makes one that writes to standard error.
func NewProgress(w io.Writer) *Progress {
	if IsTerminal(w) {
		return &Progress{out: Raw(w), tty: true, first: time.Second, every: 200 * time.Millisecond}
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

// Report is a layer.Progress. Without words, too, all is done.
func (p *Progress) Report(what string, done, total int64) {
	if what == "" || total > 0 && done >= total {
		p.End()
		return
	}
	p.mu.Lock()
	if what != p.what {
		p.what, p.begun = what, time.Now()
	}
	p.done, p.total = done, total
	p.mu.Unlock()
	p.Start(p.count)
}

// count is the line of Report, with the time left once that can be told.
func (p *Progress) count() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprintf("%s: %d", p.what, p.done)
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

// Start tells the line that it is given, until End. The line is asked for whenever it is shown.
func (p *Progress) Start(line func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line = line; p.timer == nil {
		p.timer = time.AfterFunc(p.first, p.next)
	}
}

func (p *Progress) next() {
	p.screen.Lock()
	defer p.screen.Unlock()
	p.mu.Lock()
	line := p.line
	if line != nil {
		p.timer.Reset(p.every)
	}
	p.mu.Unlock()
	if line != nil {
		p.write(line())
	}
}

// write shows a line; the screen is held.
func (p *Progress) write(line string) {
	switch line = Printable(line); {
	case p.bare:
		fmt.Fprintln(p.out, line)
	case p.tty:
		fmt.Fprintf(p.out, "\r%s\x1b[K", line)
		p.shown = true
	default:
		fmt.Fprintf(p.out, "snapmount: %s\n", line)
	}
}

// End takes the line away.
func (p *Progress) End() {
	p.mu.Lock()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer, p.line, p.what = nil, nil, ""
	p.mu.Unlock()
	p.Pause(func() {})
}

// Pause runs what writes lines, with this one out of the way.
func (p *Progress) Pause(write func()) {
	p.screen.Lock()
	defer p.screen.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
	write()
}
