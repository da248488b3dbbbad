package process

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"unicode"
)

// Log is the log of what is served. Writing to it never waits and never fails: what its place does not take is dropped,
// and counted in the next line that it takes.
type Log struct {
	*slog.Logger
	Place string // file, or empty for standard error
	queue *lineQueue
	reads atomic.Int64 // failed ones that were told
}

// OpenLog opens the log that the file place keeps. Without a file, what serves dir in the background has one below the
// user's state directory, or root's in /var/log; with neither all goes to stderr. An error says why there is no log; the
// Log then works and drops all.
func OpenLog(place, dir string, level slog.Level, stderr io.Writer) (*Log, error) {
	out, err := stderr, error(nil)
	if place == "" && dir != "" {
		place, err = logPlace(dir)
	}
	if place != "" && err == nil {
		out, err = openFile(place)
	}
	if err != nil {
		place, out, err = "", io.Discard, fmt.Errorf("no log is kept: %w", err)
	}
	l := &Log{Place: place, queue: newLineQueue(out)}
	l.Logger = slog.New(slog.NewTextHandler(l.queue, &slog.HandlerOptions{Level: level}))
	return l, err
}

// logPlace names the file of a log, one for each dir, and makes the directory for it.
func logPlace(dir string) (string, error) {
	state, err := logState()
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	name := strings.ReplaceAll(strings.Trim(filepath.ToSlash(abs), "/"), "/", "-")
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, name)
	if len(name) > 200 {
		name = name[len(name)-200:]
	}
	state = filepath.Join(state, "snapmount")
	return filepath.Join(state, name+".log"), os.MkdirAll(state, 0o700)
}

// logState is where the user keeps what is between settings and data; root /var/log, but for who is root through sudo.
func logState() (string, error) {
	u, through := Invoker()
	state := os.Getenv("XDG_STATE_HOME")
	switch {
	case filepath.IsAbs(state):
		return state, nil
	case through:
		if info, err := os.Stat(u.Home); err != nil || !info.IsDir() { // which is not for us to make
			return "", fmt.Errorf("%s has no home directory", u.Name)
		}
		return filepath.Join(u.Home, ".local", "state"), nil
	case os.Geteuid() == 0:
		return "/var/log", nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state"), err
}

// openFile opens a log for appending; one that has grown large is put aside as the ".old" one first. A named pipe that
// nobody reads is an error instead of a wait.
func openFile(path string) (*os.File, error) {
	const large = 4 << 20
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > large {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
}

// FailedRead logs why a read failed, but not without end: a broken disk has many of them.
func (l *Log) FailedRead(why string) {
	const most = 1000
	switch n := l.reads.Add(1); {
	case n < most:
		l.Warn(why)
	case n == most:
		l.Warn(why + "; more of these are not logged")
	}
}

// Lines takes lines that come without a level.
func (l *Log) Lines() io.Writer { return l.queue }

// Close waits a moment for what is still to be written.
func (l *Log) Close() { l.queue.close() }
