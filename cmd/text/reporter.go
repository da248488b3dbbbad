package text

import (
	"cmp"
	"fmt"
	"io"
	"sync"

	"snapmount/mount/report"
)

// PartialError says that some items failed and were told one by one. It says what became of them.
type PartialError string

func (e PartialError) Error() string { return "some items " + string(e) }

// most is how many lines of one kind are told where there may be no end of them.
const most = 1000

// A Reporter tells on standard error what went wrong with single items, and remembers that it did. Its methods may be
// called from any goroutine.
type Reporter struct {
	Capped bool         // failures are told one by one up to a number, as notes always are
	Pause  func(func()) // runs what writes a line, with what else is on the terminal out of the way; nil just runs it

	mu     sync.Mutex
	out    io.Writer
	failed int
	apart  int // left out by Windows
	notes  map[string]bool
}

// NewReporter makes one that writes to standard error.
func NewReporter(out io.Writer) *Reporter { return &Reporter{out: out, notes: map[string]bool{}} }

// Line writes a line, which is no failure.
func (r *Reporter) Line(format string, args ...any) {
	line := Printable(fmt.Sprintf(format, args...))
	write := func() { fmt.Fprintf(r.out, "snapmount: %s\n", line) }
	if r.Pause == nil {
		write()
	} else {
		r.Pause(write)
	}
}

// Fail tells that something failed; where, which may be empty, is its path or location.
func (r *Reporter) Fail(where string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
	switch {
	case r.Capped && r.failed > most:
	case r.Capped && r.failed == most:
		r.Line("more could not be read, which is not told one by one")
	case where == "":
		r.Line("%s", report.OneLine(err))
	default:
		r.Line("%s: %s", where, report.OneLine(err))
	}
}

// Searched tells what a command could not look at, which is a failure each, and what it is not about.
func (r *Reporter) Searched(lost []error, others []string) {
	for _, err := range lost {
		r.Fail("", err)
	}
	for _, line := range others {
		r.Note(line)
	}
}

// LeftOut counts what Windows left out of a snapshot on purpose, which is no failure. Done tells how many.
func (r *Reporter) LeftOut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apart++
}

// Failed takes note of what failed and is told elsewhere.
func (r *Reporter) Failed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
}

// Note tells what the user should know and is no failure, once, and not without end.
func (r *Reporter) Note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.notes[line] || len(r.notes) == most {
		return
	}
	if r.notes[line] = true; len(r.notes) == most {
		line = "there is more of this kind, which is not told one by one"
	}
	r.Line("%s", line)
}

// NoteError is Note for an error, unless it is nil.
func (r *Reporter) NoteError(err error) {
	if err != nil {
		r.Note(report.OneLine(err))
	}
}

// Err is nil, or says that something failed.
func (r *Reporter) Err(became string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == 0 {
		return nil
	}
	return PartialError(became)
}

// Done ends a command that wrote results: err is why it ended early, or nil.
func (r *Reporter) Done(out *Out, err error) error {
	if r.apart > 0 {
		r.Line("the content of %d files was left out of the snapshots by Windows on purpose, as that of the page file is: not looked at", r.apart)
	}
	return cmp.Or(err, out.Flush(), r.Err("could not be read"))
}
