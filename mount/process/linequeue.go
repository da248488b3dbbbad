package process

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// lineQueue writes in a goroutine of its own.
type lineQueue struct {
	out   io.Writer
	lines chan []byte // nil is the end
	ended chan struct{}
	lost  atomic.Int64
}

func newLineQueue(out io.Writer) *lineQueue {
	q := &lineQueue{out: out, lines: make(chan []byte, 256), ended: make(chan struct{})}
	go q.run()
	return q
}

// Write takes a line, or drops it when too many wait already.
func (q *lineQueue) Write(line []byte) (int, error) {
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.lost.Add(1)
	}
	return len(line), nil
}

func (q *lineQueue) run() {
	defer close(q.ended)
	for line := range q.lines {
		if line == nil {
			return
		}
		n := q.lost.Load()
		if n > 0 {
			line = fmt.Appendf(nil, "%d lines are missing here: the log could not be written\n%s", n, line)
		}
		if _, err := q.out.Write(line); err == nil {
			q.lost.Add(-n)
		} else {
			q.lost.Add(1)
		}
	}
}

func (q *lineQueue) close() {
	limit := time.After(time.Second)
	select {
	case q.lines <- nil:
	case <-limit:
		return
	}
	select {
	case <-q.ended:
	case <-limit:
	}
}
