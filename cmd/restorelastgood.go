package cmd

import (
	"fmt"
	"io"
	"os"
	"strings"

	"snapmount/cmd/text"
	"snapmount/mount/report"
	"snapmount/mount/selection"
)

// lastGood prints the plan of a restore of last good versions: a line for each file, those without one and those on which
// nobody can decide apart.
func (r *restoreFlags) lastGood(s *selection.Selection, w io.Writer) {
	out := r.open.out(w)
	p := &keptPlan{out: out, undecided: r.filter.Undecided}
	for _, k := range s.LastGood() {
		p.sort(report.AttackFileOf(k.Survey.Points, k.File))
	}
	if !r.summary {
		p.print()
	}
	for _, v := range s.Surveys() {
		if !v.Attacked() {
			fmt.Fprintf(out, "%s: %s; what is damaged all the same is told\n", text.Printable(v.Volume.Name), v.NoSign())
		}
	}
	_ = out.Flush() // of a plan; the last line tells
}

// A keptPlan is what is to be done, sorted.
type keptPlan struct {
	out                   *text.Out
	undecided             bool
	found, none, ask, not []report.AttackFile
}

func (p *keptPlan) sort(f report.AttackFile) {
	switch {
	case f.Outcome == "found", f.Outcome == "undecided" && p.undecided && f.Chosen != nil:
		p.found = append(p.found, f)
	case f.Outcome == "none":
		p.none = append(p.none, f)
	case f.Outcome == "undecided":
		p.ask = append(p.ask, f)
	default:
		p.not = append(p.not, f)
	}
}

func (p *keptPlan) print() {
	if len(p.found) > 0 {
		p.out.Head("%-7s %-20s %-11s %-11s %-14s %s", "version", "from", "which is", "now", "by", "file")
	}
	for i := range p.found {
		p.line(&p.found[i])
	}
	p.apart("no good version:", p.none)
	p.apart("undecided, and left as they are (--undecided restores what was before):", p.ask)
	p.apart("cannot be judged, as it cannot be read:", p.not)
}

// line tells of one that is restored, and of what was passed over.
func (p *keptPlan) line(f *report.AttackFile) {
	c := f.Chosen
	now := f.State
	if f.Gone {
		now = "gone"
	}
	fmt.Fprintf(p.out, "%-7s %-20s %-11s %-11s %-14s %s\n", fmt.Sprintf("%d/%d", c.Version, f.Versions), c.Last, c.State, now, f.Rule, text.Printable(string(c.Path)))
	if !f.Gone && !strings.HasPrefix(string(f.Path), string(c.Path)) { // else it has an extension more, or none
		p.under("it is " + string(f.Path) + " now")
	}
	if c.Because != "good" {
		p.under("taken, as it is " + c.Because + ": " + c.Why)
	}
	for _, x := range f.Passed {
		p.under(fmt.Sprintf("passed over version %d, %s: %s", x.Version, x.Last, x.Why))
	}
}

func (p *keptPlan) under(line string) { p.out.Hung(text.Plain, "        ", text.Printable(line)) }

// apart lists files that are not restored, and why.
func (p *keptPlan) apart(heading string, list []report.AttackFile) {
	if len(list) == 0 {
		return
	}
	p.out.Line(text.Heading, "%s", heading)
	for _, f := range list {
		fmt.Fprintf(p.out, "  %s\n", text.Printable(string(f.Path)))
		p.under(fmt.Sprintf("%s: %s", f.State, f.Why))
		for _, x := range f.Passed {
			p.under(fmt.Sprintf("version %d, %s: %s", x.Version, x.Last, x.Why))
		}
		if c := f.Chosen; c != nil {
			p.under(fmt.Sprintf("version %d, %s, is %s", c.Version, c.Last, c.State))
		}
	}
}

// newFolder makes sure that nothing can be replaced.
func (r *restoreFlags) newFolder(dest string) error {
	if r.overwrite != "never" {
		return usagef("--overwrite: not with --last-good, which replaces nothing")
	}
	if r.opts.Resume || r.to != "" && r.to != "dir" {
		return nil
	}
	if list, err := os.ReadDir(dest); err == nil && len(list) > 0 { // what else is wrong with it is told when it is made
		return usagef("%s: has something in it, and --last-good wants a new folder (--resume goes on with one that it began)", dest)
	}
	return nil
}

// sumUp ends a restore of last good versions with what became of all, and says by the exit code what is left to decide.
func (r *restoreFlags) sumUp(s *selection.Selection, w io.Writer, err error) error {
	n := map[string]int{}
	for _, k := range s.LastGood() {
		n[k.Outcome.String()]++
	}
	if len(s.LastGood()) == 0 {
		fmt.Fprintln(w, "no file is damaged, as far as it could be judged: nothing to restore")
		return err
	}
	fmt.Fprintf(w, "of %s: %d with a good version, %d without, %d undecided", text.Counted(len(s.LastGood()), "damaged or doubtful file"), n["found"], n["none"], n["undecided"])
	if n["unread"] > 0 {
		fmt.Fprintf(w, ", %d that cannot be read", n["unread"])
	}
	fmt.Fprintln(w)
	if left := s.Undecided(); err == nil && left > 0 {
		return codedError{exitUndecided, fmt.Errorf("%s undecided, and not restored", areFiles(left))}
	}
	return err
}

func areFiles(n int) string {
	if n == 1 {
		return "1 file is"
	}
	return fmt.Sprintf("%d files are", n)
}
