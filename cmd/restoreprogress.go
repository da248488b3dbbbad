package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"snapmount/cmd/text"
	"snapmount/mount/report"
	"snapmount/ntfs/restore"
)

// A restoreProgress tells how far a restore is: on a terminal one line that changes, elsewhere now and then a line, or
// objects in JSON. What there is to do is counted beside the work, once that is seen to be long.
type restoreProgress struct {
	out         io.Writer
	json, tty   bool
	first, next time.Duration
	count       func(context.Context) (restore.Plan, error)

	files, bytes atomic.Int64
	total        atomic.Pointer[restore.Plan]
	begun        time.Time
	work         sync.WaitGroup
	cancel       func()

	mu    sync.Mutex // of the line that is shown
	shown bool
}

func newRestoreProgress(kind string, out io.Writer, count func(context.Context) (restore.Plan, error)) *restoreProgress {
	p := &restoreProgress{out: out, count: count, first: 5 * time.Second, next: 10 * time.Second}
	switch {
	case kind == "none":
		p.first = 0
	case kind == "json":
		p.json, p.first, p.next = true, time.Second, time.Second
	case kind == "" && text.IsTerminal(out):
		p.tty, p.first, p.next = true, time.Second, 200*time.Millisecond
	}
	return p
}

// add is restore.Options.Progress.
func (p *restoreProgress) add(files, bytes int64) {
	p.files.Add(files)
	p.bytes.Add(bytes)
}

func (p *restoreProgress) start(ctx context.Context) {
	p.begun = time.Now()
	ctx, p.cancel = context.WithCancel(ctx)
	if p.first == 0 {
		return
	}
	p.work.Go(func() {
		at := time.NewTimer(p.first)
		defer at.Stop()
		counting := false
		for {
			select {
			case <-ctx.Done():
				return
			case <-at.C:
			}
			if !counting {
				counting = true
				p.work.Go(func() {
					if plan, err := p.count(ctx); err == nil { // without, there are no totals
						p.total.Store(&plan)
					}
				})
			}
			p.show(false)
			at.Reset(p.next)
		}
	})
}

// end stops the telling.
func (p *restoreProgress) end() {
	p.cancel()
	p.work.Wait()
	if p.json {
		p.show(true)
	}
	p.pause(func() {})
}

// pause runs what writes lines.
func (p *restoreProgress) pause(write func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
	write()
}

func (p *restoreProgress) show(done bool) {
	s := p.state(done)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.json:
		_ = json.NewEncoder(p.out).Encode(s) // nobody reads it: no reason to end
	case p.tty:
		fmt.Fprintf(p.out, "\r%s\x1b[K", progressText(s))
		p.shown = true
	default:
		fmt.Fprintf(p.out, "snapmount: %s\n", progressText(s))
	}
}

// state is how far it is. What is left is told by bytes or files, whichever is behind.
func (p *restoreProgress) state(done bool) report.Progress {
	s := report.Progress{Schema: report.Schema, Files: p.files.Load(), Bytes: p.bytes.Load(), Seconds: time.Since(p.begun).Seconds(), Done: done}
	s.Rate = float64(s.Bytes) / max(s.Seconds, 1e-3)
	if t := p.total.Load(); t != nil {
		files := t.Files + t.Dirs + t.Links + t.Failed
		bytes := max(t.Bytes, s.Bytes) // a zip has some twice
		s.TotalFiles, s.TotalBytes = &files, &bytes
		part := 1.0
		if files > 0 {
			part = min(part, float64(s.Files)/float64(files))
		}
		if bytes > 0 {
			part = min(part, float64(s.Bytes)/float64(bytes))
		}
		if part > 0 {
			left := s.Seconds * (1 - part) / part
			s.SecondsLeft = &left
		}
	}
	return s
}

// progressText is the state for people.
func progressText(s report.Progress) string {
	if s.TotalFiles == nil {
		return fmt.Sprintf("%d files, %s, %s/s", s.Files, text.Bytes(s.Bytes), text.Bytes(int64(s.Rate)))
	}
	line := fmt.Sprintf("%d of %d files, %s of %s, %s/s", s.Files, *s.TotalFiles, text.Bytes(s.Bytes), text.Bytes(*s.TotalBytes), text.Bytes(int64(s.Rate)))
	if s.SecondsLeft != nil {
		line += fmt.Sprintf(", %v left", (time.Duration(*s.SecondsLeft) * time.Second).Round(time.Second))
	}
	return line
}
