package cmd

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"snapmount/cmd/text"
	"snapmount/mount/receipt"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs/restore"
)

// A restoreReport tells what becomes of each item, and of all.
type restoreReport struct {
	flags     *restoreFlags
	selection *selection.Selection
	tell      *text.Reporter
	receipt   *receipt.Writer // or nil
	sums      *receipt.Sums   // or nil
	start     time.Time

	mu      sync.Mutex
	sum     receipt.End
	aside   int64    // items of whose metadata the target lacks something
	dropped []string // what a single file lacks
	there   int64    // that stay, and are not replaced
}

// all is done for items that no engine was given.
func (p *restoreReport) all(list []restore.Result) {
	for _, res := range list {
		p.done(res)
	}
}

// done is restore.Options.Done.
func (p *restoreReport) done(res restore.Result) {
	apart := (res.Err != nil || len(res.Gaps) > 0) && p.selection.LeftOut(&res)
	if p.receipt != nil {
		p.receipt.Add(&res, apart)
	}
	if p.sums != nil {
		p.sums.Add(&res)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(res.Lost) == 0, res.Err != nil:
	case res.Dropped:
		p.dropped = res.Lost
	default:
		p.aside++
	}
	p.sum.Add(&res, apart)
	if res.Err != nil {
		if res.Err == restore.ErrExists { //nolint:errorlint // one that is wrapped stays whatever is asked for
			p.there++
		}
		switch {
		case selection.NoGood(&res): // the plan told
			p.tell.Failed()
		case !apart:
			p.tell.Fail(res.Path, p.selection.Because(&res))
		}
		return
	}
	if res.Mapped != "" && !res.Renamed {
		p.tell.Line("%s: is called %q on the volume", res.Path, res.Mapped)
	}
	if n := len(res.Gaps); n > 0 && !apart {
		g := res.Gaps[0]
		p.tell.Fail(res.Path, fmt.Errorf("incomplete: %d ranges read as zeros, the first %d bytes at %d: %s", n, g.Len, g.Off, g.Why))
	}
}

// close ends the report: the receipt, the last line, and what the command returns. err is why the work ended early.
func (p *restoreReport) close(out io.Writer, dest string, err error) error {
	what := p.summary(dest)
	if p.there > 0 {
		p.tell.Line("what is there already stays without --overwrite, which replaces it (--overwrite=if-newer what is older, --resume goes on)")
	}
	if p.receipt != nil {
		p.sum.Complete = err == nil && p.sum.Failed == 0
		if err != nil {
			p.sum.Error = report.OneLine(err)
		}
		if err2 := p.receipt.Close(p.sum); err2 == nil {
			what += "; receipt " + p.flags.receipt
			p.left(p.receipt.Left())
		} else if err == nil {
			err = fmt.Errorf("receipt: %w", err2)
		}
	}
	if p.sums != nil {
		if n := p.sums.Without(); n > 0 {
			p.tell.Line("%s: lacks %d files of which no hash was made", p.flags.sha256sums, n)
		}
		if err2 := p.sums.Close(); err2 == nil {
			what += "; hashes " + p.flags.sha256sums
			p.left(p.sums.Left())
		} else if err == nil {
			err = fmt.Errorf("--sha256sums: %w", err2)
		}
	}
	fmt.Fprintln(out, text.Printable(what))
	if err == nil {
		err = p.tell.Err("were not restored")
	}
	return err
}

// left tells of a file of the program's own that could not be removed.
func (p *restoreReport) left(err error) {
	if err != nil {
		p.tell.Note("a part could not be removed, and stays there: it is of no use: " + report.OneLine(err))
	}
}

// linkRight says who may make links.
func linkRight() string {
	if onWindows {
		return " (administrators may make them, and all users in developer mode)"
	}
	return ""
}

// summary is the last line.
func (p *restoreReport) summary(dest string) string {
	s := &p.sum
	what := fmt.Sprintf("%s, %s, %s, %s in %.1f s", text.Counted(s.Files, "file"), text.Counted(s.Dirs, "directory"), text.Counted(s.Links, "link"), text.Bytes(s.Bytes), time.Since(p.start).Seconds())
	if s.Skipped > 0 {
		what += fmt.Sprintf("; %d were there already", s.Skipped)
	}
	if s.LeftOut > 0 {
		what += fmt.Sprintf("; the content of %d was left out of the snapshot by Windows on purpose", s.LeftOut)
	}
	if s.Failed > 0 {
		what += fmt.Sprintf("; %d FAILED", s.Failed)
	}
	if len(p.dropped) > 0 {
		what += fmt.Sprintf("; not kept: %s (--sidecar keeps them)", strings.Join(p.dropped, ", "))
	}
	if s.Aside > 0 {
		what += fmt.Sprintf("; %s NOT made, as %s takes none: kept aside with the metadata%s", text.Counted(s.Aside, "link"), dest, linkRight())
	}
	switch {
	case p.aside == 0:
	case p.flags.opts.NoSidecar:
		what += fmt.Sprintf("; metadata of %d not in full", p.aside)
	case p.flags.to == "dir":
		what += fmt.Sprintf("; metadata of %d kept in %s", p.aside, filepath.Join(dest, restore.SidecarName))
	default:
		what += fmt.Sprintf("; metadata of %d kept in its member %s", p.aside, restore.SidecarName)
	}
	return what
}

// lists begins what is written beside the files.
func (r *restoreFlags) lists(report *restoreReport, locations []string, dest string) (err error) {
	if r.receipt != "" {
		if report.receipt, err = r.newReceipt(report.selection, locations, dest); err != nil {
			return err
		}
	}
	if r.sha256sums != "" {
		if report.sums, err = receipt.CreateSums(r.sha256sums, r.replaces()); err != nil && report.receipt != nil {
			err = errors.Join(err, report.receipt.Abort())
		}
	}
	return err
}

func (r *restoreFlags) newReceipt(s *selection.Selection, locations []string, dest string) (*receipt.Writer, error) {
	opts := receipt.Options{Tool: "snapmount " + buildVersion(), Locations: locations, Target: dest, To: r.to, Sets: s.Sets, Points: s.Points(), Zone: r.open.clock.ZoneName(),
		About: r.about, Replace: r.replaces(), Kept: keptOf(s)}
	if full, err := filepath.Abs(dest); err == nil && dest != "-" {
		opts.Target = full
	}
	return receipt.Create(r.receipt, opts)
}

// keptOf tells of which file a result is the last good version.
func keptOf(s *selection.Selection) func(*restore.Result) *report.AttackFile {
	return func(res *restore.Result) *report.AttackFile {
		k, ok := s.KeptAs(res)
		if !ok || res.Type != "file" {
			return nil
		}
		f := report.AttackFileOf(k.Survey.Points, k.File)
		return &f
	}
}

// replaces says whether a receipt and the like that are there are replaced.
func (r *restoreFlags) replaces() bool { return r.opts.Overwrite == restore.Always || r.opts.Resume }
