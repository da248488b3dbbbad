package text

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress tells what takes long: on a terminal one line that changes and goes again, elsewhere now and then a line.
// What is done quickly is not told.
type Progress struct {
	out          io.Writer
	tty          bool
	first, every time.Duration

	mu    sync.Mutex
	text  string
	timer *time.Timer // runs while something is under way
	shown bool
}

// NewProgress makes one that writes to standard error.
func NewProgress(w io.Writer) *Progress {
	if IsTerminal(w) {
		return &Progress{out: w, tty: true, first: time.Second, every: 200 * time.Millisecond}
	}
	return &Progress{out: w, first: 5 * time.Second, every: 10 * time.Second}
}

// Report takes note that done of total are done; all of them ends the telling.
func (p *Progress) Report(what string, done, total int) {
	if done >= total {
		p.end()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = fmt.Sprintf("%s: %d of %d", Printable(what), done, total)
	if p.timer == nil {
		p.timer = time.AfterFunc(p.first, p.show)
	}
}

// LogProgress makes one for a log, which is told of what takes seconds.
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

func (p *Progress) show() {
	p.mu.Lock()
	text, busy := p.text, p.timer != nil
	p.shown = p.shown || busy
	if busy {
		p.timer.Reset(p.every)
	}
	p.mu.Unlock()
	switch {
	case !busy:
	case p.tty:
		fmt.Fprintf(p.out, "\r%s\x1b[K", text)
	default:
		fmt.Fprintf(p.out, "snapmount: %s\n", text)
	}
}

func (p *Progress) end() {
	p.mu.Lock()
	shown := p.shown
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer, p.shown = nil, false
	p.mu.Unlock()
	if shown && p.tty {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
