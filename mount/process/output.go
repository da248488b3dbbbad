package process

import (
	"context"
	"io"
	"os"
	"sync"
	"time"
)

// Output makes w one that does not outlast the context, where w may wait for a reader: a pipe or a terminal. What it
// gives beside it ends it.
func Output(ctx context.Context, w io.Writer) (io.Writer, func()) {
	f, ok := w.(*os.File)
	if !ok {
		return w, func() {}
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return w, func() {}
	}
	o := &output{ctx: ctx, file: f, work: make(chan []byte), done: make(chan written, 1)}
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
