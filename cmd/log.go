package cmd

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"snapmount/cmd/text"
	"snapmount/mount/report"
	"snapmount/mount/selection"
)

// logFlags say where a mount logs what happens while it is served, and how much.
type logFlags struct {
	file  string
	level string
}

// eventLog is the log of one mount. Writing to it never waits and never fails: what its place does not take is dropped,
// and counted in the next line that it takes.
type eventLog struct {
	*slog.Logger
	place string // file, or empty for standard error
	queue *lineQueue
	reads atomic.Int64 // failed ones that were told
}

// open opens the log. Without a file, a daemon's goes to logPlace and another's to stderr. An error that is no
// usageError says why there is no log; the eventLog then works and drops all. args are those of a mount.
func (l *logFlags) open(args []string, daemon bool, stderr io.Writer) (*eventLog, error) {
	images, dir := args[:len(args)-1], args[len(args)-1]
	if err := selection.NotLog(l.file, images); err != nil {
		return nil, usagef("--log: %w", err)
	}
	level, byDefault := slog.LevelWarn, l.level == "" && l.file == "" && !daemon
	if text := l.level; !byDefault {
		if text == "" {
			text = "info"
		}
		if err := level.UnmarshalText([]byte(text)); err != nil || strings.ContainsAny(text, "+-") {
			return nil, usagef("--log-level %q: want error, warn, info or debug", text)
		}
	}
	e := &eventLog{place: l.file}
	out, err := stderr, error(nil)
	if e.place == "" && daemon {
		e.place, err = logPlace(dir)
	}
	if e.place != "" && err == nil {
		out, err = openLog(e.place)
	}
	if err != nil {
		e.place, out, err = "", io.Discard, fmt.Errorf("no log is kept: %w", err)
	}
	e.queue = newLineQueue(out)
	e.Logger = slog.New(slog.NewTextHandler(e.queue, &slog.HandlerOptions{Level: level}))
	return e, err
}

// logPlace makes the directory for logs of daemons: below the user's state directory, or root's in /var/log. There is
// one file for each mount point.
func logPlace(dir string) (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) && os.Geteuid() == 0 {
		state = "/var/log"
	} else if !filepath.IsAbs(state) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		state = filepath.Join(home, ".local", "state")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	name := strings.ReplaceAll(strings.Trim(filepath.ToSlash(abs), "/"), "/", "-")
	if name = text.Printable(name); len(name) > 200 {
		name = name[len(name)-200:]
	}
	state = filepath.Join(state, "snapmount")
	return filepath.Join(state, name+".log"), os.MkdirAll(state, 0o700)
}

// openLog opens a log for appending; one that has grown large is put aside as the ".old" one first. A named pipe that
// nobody reads is an error instead of a wait.
func openLog(path string) (*os.File, error) {
	const large = 4 << 20
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > large {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
}

// failedRead logs why a read failed, but not without end: a broken disk has many of them.
func (e *eventLog) failedRead(err error) {
	const most = 1000
	switch n := e.reads.Add(1); {
	case n < most:
		e.Warn(report.OneLine(err))
	case n == most:
		e.Warn(report.OneLine(err) + "; more of these are not logged")
	}
}

// close waits a moment for what is still to be written.
func (e *eventLog) close() { e.queue.close() }

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
