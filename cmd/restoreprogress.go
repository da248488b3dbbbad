package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"snapmount/ntfs/restore"
)

// A restoreProgress tells how far a restore is, in words or as objects in JSON. What there is to do is counted beside the
// work, once that is seen to be long.
type restoreProgress struct {
	*progress
	none  bool
	count func(context.Context) (restore.Plan, error)

	files, bytes atomic.Int64
	plan         atomic.Pointer[restore.Plan]
	counting     sync.Once
	started      time.Time
	work         sync.WaitGroup
	cancel       func()
}

// progressJSON is one line of "restore --progress json".
type progressJSON struct {
	Files       int64    `json:"files"` // done, directories and links among them
	Bytes       int64    `json:"bytes"` // read
	TotalFiles  *int64   `json:"total_files"`
	TotalBytes  *int64   `json:"total_bytes"` // null until they are counted
	Seconds     float64  `json:"seconds"`
	Rate        float64  `json:"bytes_per_second"`
	SecondsLeft *float64 `json:"seconds_left"`
	Done        bool     `json:"done"` // the last line
}

func newRestoreProgress(kind string, out io.Writer, count func(context.Context) (restore.Plan, error)) *restoreProgress {
	p := &restoreProgress{progress: newProgress(out), none: kind == "none", count: count}
	switch kind {
	case "plain":
		p.progress = &progress{out: out, first: 5 * time.Second, every: 10 * time.Second}
	case "json":
		p.progress = &progress{out: out, bare: true, first: time.Second, every: time.Second}
	}
	return p
}

// told is restore.Options.Progress.
func (p *restoreProgress) told(what string, done, _ int64) {
	switch what {
	case restore.ProgressFiles:
		p.files.Store(done)
	case restore.ProgressBytes:
		p.bytes.Store(done)
	}
}

func (p *restoreProgress) start(ctx context.Context) {
	p.started = time.Now()
	ctx, p.cancel = context.WithCancel(ctx)
	if p.none {
		return
	}
	p.progress.start(func() string {
		p.counting.Do(func() {
			p.work.Go(func() {
				if plan, err := p.count(ctx); err == nil { // without, there are no totals
					p.plan.Store(&plan)
				}
			})
		})
		return p.text(false)
	})
}

// end stops the telling.
func (p *restoreProgress) end() {
	p.progress.end()
	p.cancel()
	p.work.Wait()
	if p.bare {
		p.pause(func() { p.show(p.text(true)) })
	}
}

func (p *restoreProgress) text(done bool) string {
	s := p.state(done)
	if !p.bare {
		return s.text()
	}
	b, err := json.Marshal(s)
	if err != nil {
		return oneLine(err)
	}
	return string(b)
}

// state is how far it is. What is left is told by bytes or files, whichever is behind.
func (p *restoreProgress) state(done bool) progressJSON {
	s := progressJSON{Files: p.files.Load(), Bytes: p.bytes.Load(), Seconds: time.Since(p.started).Seconds(), Done: done}
	s.Rate = float64(s.Bytes) / max(s.Seconds, 1e-3)
	if t := p.plan.Load(); t != nil {
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

func (s progressJSON) text() string {
	if s.TotalFiles == nil {
		return fmt.Sprintf("%d files, %s, %s/s", s.Files, bytesText(s.Bytes), bytesText(int64(s.Rate)))
	}
	text := fmt.Sprintf("%d of %d files, %s of %s, %s/s", s.Files, *s.TotalFiles, bytesText(s.Bytes), bytesText(*s.TotalBytes), bytesText(int64(s.Rate)))
	if s.SecondsLeft != nil {
		text += fmt.Sprintf(", %v left", (time.Duration(*s.SecondsLeft) * time.Second).Round(time.Second))
	}
	return text
}
