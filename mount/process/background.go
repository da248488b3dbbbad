package process

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// InBackground reports whether Start started this process.
func InBackground() bool { return os.Getenv(variable) != "" }

// A Background is this process, where Start started it. What it and programs that help it say goes to who called Start,
// and once it serves to the log.
type Background struct {
	tell            *json.Encoder
	helpers, stderr *os.File
}

// NewBackground takes standard error, and lets a lost terminal be.
func NewBackground() (*Background, error) {
	helpers, stderr, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	os.Stderr = stderr
	signal.Ignore(syscall.SIGHUP)
	return &Background{json.NewEncoder(os.NewFile(3, "ready")), helpers, stderr}, nil
}

// Progress is a layer.Progress for who called Start. One that is gone does not end the work.
func (b *Background) Progress(what string, done, total int64) {
	if done < total {
		_ = b.tell.Encode(message{What: what, Done: done, Total: total})
	}
}

// Serves answers Start, with the process and the log added.
func (b *Background) Serves(a Answer, log *Log) {
	a.Pid, a.Log = os.Getpid(), log.Place
	_ = b.tell.Encode(message{Answer: a})
	go logLines(log, b.helpers)
	_ = os.Chdir("/") // keep no directory busy
}

// Fails answers Start that nothing is served. What helpers said adds to why.
func (b *Background) Fails(a Answer) error {
	b.stderr.Close()
	more, _ := io.ReadAll(io.LimitReader(b.helpers, 4<<10))
	if len(more) > 0 {
		a.Err += "\n" + string(more)
	}
	return b.tell.Encode(message{Answer: a})
}

// Crashes makes the runtime write the trace of a crash to the log too.
func (l *Log) Crashes() {
	if l.Place == "" {
		return
	}
	if f, err := openFile(l.Place); err == nil {
		_ = debug.SetCrashOutput(f, debug.CrashOptions{}) // it keeps a copy; without it a trace is lost
		f.Close()
	}
}

// logLines logs what is written to r.
func logLines(log *Log, r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		log.Warn(lines.Text())
	}
	_, _ = io.Copy(io.Discard, r) // after a line too long; a full pipe would block its writer
}
