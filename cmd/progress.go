package cmd

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells what takes long: on a terminal one line that changes and goes again, elsewhere now and then a line.
// What is done quickly is not told.
type progress struct {
	out          io.Writer
	tty          bool
	first, every time.Duration

	mu    sync.Mutex
	text  string
	timer *time.Timer // runs while something is under way
	shown bool
}

func newProgress(w io.Writer) *progress {
	if isTerminal(w) {
		return &progress{out: w, tty: true, first: time.Second, every: 200 * time.Millisecond}
	}
	return &progress{out: w, first: 5 * time.Second, every: 10 * time.Second}
}

// report takes note that done of total are done; all of them ends the telling.
func (p *progress) report(what string, done, total int) {
	if done >= total {
		p.end()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = fmt.Sprintf("%s: %d of %d", printable(what), done, total)
	if p.timer == nil {
		p.timer = time.AfterFunc(p.first, p.show)
	}
}

func (p *progress) show() {
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

func (p *progress) end() {
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
