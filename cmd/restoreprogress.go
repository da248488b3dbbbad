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

// A restoreProgress tells how far a restore is, as text or in JSON. What there is to do is counted beside the work, once
// that is seen to be long.
type restoreProgress struct {
	*text.Progress
	kind  string // as --progress has it
	out   io.Writer
	count func(context.Context) (restore.Plan, error)

	files, bytes atomic.Int64
	total        atomic.Pointer[restore.Plan]
	begun        time.Time
	counting     sync.Once
	work         sync.WaitGroup
	cancel       func()
}

func newRestoreProgress(kind string, out io.Writer, count func(context.Context) (restore.Plan, error)) *restoreProgress {
	p := &restoreProgress{Progress: text.NewProgress(out), kind: kind, out: out, count: count}
	switch kind {
	case "plain":
		p.Progress = text.LineProgress(out)
	case "json":
		p.Progress = text.ScriptProgress(out)
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
	p.begun = time.Now()
	ctx, p.cancel = context.WithCancel(ctx)
	if p.kind == "none" {
		return
	}
	p.Start(func() string {
		p.counting.Do(func() {
			p.work.Go(func() {
				if plan, err := p.count(ctx); err == nil { // without, there are no totals
					p.total.Store(&plan)
				}
			})
		})
		return p.line(false)
	})
}

// end stops the telling.
func (p *restoreProgress) end() {
	p.cancel()
	p.End()
	p.work.Wait()
	if p.kind == "json" {
		fmt.Fprintln(p.out, p.line(true))
	}
}

func (p *restoreProgress) line(done bool) string {
	s := report.ProgressOf(p.files.Load(), p.bytes.Load(), time.Since(p.begun), p.total.Load())
	if s.Done = done; p.kind != "json" {
		return progressText(s)
	}
	b, _ := json.Marshal(s) // numbers alone
	return string(b)
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
