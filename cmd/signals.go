package cmd

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// errInterrupted is the cause of the end of a command's context.
var errInterrupted = errors.New("interrupted")

// signals end a context: the first SIGINT or SIGTERM does, for the command to put away what is not complete. Nobody listens
// after it, so that a second one ends the program at once.
type signals struct {
	ctx  context.Context
	come chan os.Signal
	left chan struct{}
	once sync.Once
}

func listen() *signals {
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &signals{ctx: ctx, come: make(chan os.Signal, 1), left: make(chan struct{})}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if !signal.Ignored(sig) { // as those of a background job are, whose terminal is for another
			signal.Notify(s.come, sig)
		}
	}
	go func() {
		select {
		case <-s.come:
			cancel(errInterrupted)
			s.leave()
		case <-s.left:
		}
	}()
	return s
}

// leave ends the listening: signals are for others from now on, and the context lasts if it has lasted so far.
func (s *signals) leave() {
	s.once.Do(func() {
		signal.Stop(s.come)
		close(s.left)
	})
}

// output makes w one that does not outlast the context, where w may wait for a reader: a pipe or a terminal. The command
// closes it at its end.
func (s *signals) output(w io.Writer) (io.Writer, func()) {
	f, ok := w.(*os.File)
	if !ok {
		return w, func() {}
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return w, func() {}
	}
	o := &output{ctx: s.ctx, file: f, work: make(chan []byte), done: make(chan written, 1)}
	go func() {
		for p := range o.work {
			n, err := f.Write(p)
			o.done <- written{n, err}
		}
	}()
	return o, func() { close(o.work) }
}

// patience is how long a Write may take when the context has ended: for a last word to who reads it.
const patience = 100 * time.Millisecond

// File is the file that all goes to.
func (o *output) File() *os.File { return o.file }

// An output passes on what is written to it. When its context has ended and a Write waits, all of them fail from then on.
type output struct {
	ctx  context.Context
	file *os.File

	mu    sync.Mutex
	buf   []byte // which a Write that was left alone keeps
	work  chan []byte
	done  chan written
	stuck bool
}

type written struct {
	n   int
	err error
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stuck {
		return 0, context.Cause(o.ctx)
	}
	o.buf = append(o.buf[:0], p...)
	o.work <- o.buf
	select {
	case w := <-o.done:
		return w.n, w.err
	case <-o.ctx.Done():
	}
	select {
	case w := <-o.done:
		return w.n, w.err
	case <-time.After(patience):
		o.stuck = true
		return 0, context.Cause(o.ctx)
	}
}
