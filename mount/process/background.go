package process

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
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
	replies         *json.Decoder
	pipe            *os.File // of replies
	helpers, stderr *os.File
	given           []byte
	asked           bool
}

// NewBackground takes standard error, and lets a lost terminal be.
func NewBackground() (*Background, error) {
	helpers, stderr, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	os.Stderr = stderr
	signal.Ignore(syscall.SIGHUP)
	pipe := os.NewFile(4, "replies")
	b := &Background{tell: json.NewEncoder(os.NewFile(3, "ready")), replies: json.NewDecoder(pipe), pipe: pipe, helpers: helpers, stderr: stderr}
	var first reply
	if err := b.replies.Decode(&first); err != nil {
		return nil, fmt.Errorf("what the background process was given: %w", err)
	}
	b.given, b.asked = first.Given, first.Asked
	return b, nil
}

// Given is that of Call.
func (b *Background) Given() []byte { return b.given }

// Asked reports whether Ask has somebody to answer.
func (b *Background) Asked() bool { return b.asked }

// Ask has who called Start answer a question. It is for one goroutine at a time, and before Serves.
func (b *Background) Ask(ctx context.Context, question string) (string, error) {
	err := b.tell.Encode(message{Question: question})
	var answer reply
	if err == nil {
		err = b.replies.Decode(&answer)
	}
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil || answer.NoAnswer: // who was asked was interrupted, or has ended
		return "", ErrInterrupted
	}
	return answer.Answer, nil
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
	b.pipe.Close()
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
