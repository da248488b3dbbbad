package cmd

import (
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"snapmount/ntfs/restore"
)

// A restoreReport tells what becomes of each item, and of all.
type restoreReport struct {
	r       *restorer
	out     io.Writer // of the last line
	receipt *receipt
	pause   func(func()) // runs what writes lines, with progress out of the way

	mu    sync.Mutex
	start time.Time

	files, dirs, links, skipped, failed, aside int64
	bytes                                      int64
}

// done is restore.Options.Done.
func (p *restoreReport) done(res restore.Result) {
	if p.receipt != nil {
		p.receipt.add(&res)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(res.Lost) > 0 && res.Err == nil {
		p.aside++
	}
	switch {
	case res.Err != nil:
		p.failed++
		p.tell("%s: %s", printable(res.Path), printable(oneLine(p.because(&res))))
		return
	case res.Skipped:
		if res.Type != "dir" { // one may be met from several sources
			p.skipped++
		}
	case res.Type == "dir":
		p.dirs++
	case res.Type == "link":
		p.links++
	default:
		p.files++
		p.bytes += res.Size
	}
	if res.Mapped != "" {
		p.tell("%s: is called %q on the volume", printable(res.Path), res.Mapped)
	}
	if n := len(res.Gaps); n > 0 {
		p.failed++
		g := res.Gaps[0]
		p.tell("%s: incomplete: %d ranges read as zeros, the first %d bytes at %d: %s", printable(res.Path), n, g.Len, g.Off, printable(g.Why))
	}
}

// because adds the damage of the snapshot to an error that may come from it.
func (p *restoreReport) because(res *restore.Result) error {
	if point := p.r.origins[res.Origin]; point != nil {
		return point.Because(res.Err)
	}
	return res.Err
}

func (p *restoreReport) tell(format string, args ...any) {
	p.pause(func() { fmt.Fprintf(p.r.stderr, "snapmount: "+format+"\n", args...) })
}

// close ends the report: the receipt, the last line, and what the command returns.
func (p *restoreReport) close(dest string, err error) error {
	what := fmt.Sprintf("%d files, %d directories, %d links, %s in %.1f s", p.files, p.dirs, p.links, bytesText(p.bytes), time.Since(p.start).Seconds())
	if p.skipped > 0 {
		what += fmt.Sprintf("; %d were there already", p.skipped)
	}
	if p.failed > 0 {
		what += fmt.Sprintf("; %d FAILED", p.failed)
	}
	switch {
	case p.aside == 0:
	case p.r.opts.NoSidecar:
		what += fmt.Sprintf("; metadata of %d not in full", p.aside)
	case p.r.to == "dir":
		what += fmt.Sprintf("; metadata of %d kept in %s", p.aside, filepath.Join(dest, restore.SidecarName))
	default:
		what += fmt.Sprintf("; metadata of %d kept in its member %s", p.aside, restore.SidecarName)
	}
	if p.receipt != nil {
		if err2 := p.receipt.close(p, err); err2 != nil && err == nil {
			err = fmt.Errorf("receipt: %w", err2)
		} else if err2 == nil {
			what += "; receipt " + p.r.receipt
		}
	}
	fmt.Fprintln(p.out, printable(what))
	if err == nil {
		err = failedErr(p.failed)
	}
	return err
}
