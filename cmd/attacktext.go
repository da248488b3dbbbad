package cmd

import (
	"fmt"
	"strings"

	"snapmount/cmd/text"
	"snapmount/mount/report"
)

// maxFolders is how many folders, bursts and the like are listed of a step.
const maxFolders = 12

// attackText prints what attack tells of a volume.
type attackText struct {
	out   *text.Out
	again []string // what is given once more to open the same
	first bool     // volume that is told

	noSign string // what is said where there was none
}

func (t *attackText) print(v report.AttackVolume) {
	if !t.first {
		fmt.Fprintln(t.out)
	}
	last := len(v.Points) - 1
	t.out.Line(text.Heading, "%s: %s, %s to %s", text.Printable(string(v.Location)), text.Counted(len(v.Points), "point"), v.Points[0], v.Points[last])
	attacked := false
	for i := range v.Steps {
		if v.Steps[i].Attack {
			attacked = true
			t.attack(&v.Steps[i])
		}
	}
	if !attacked {
		t.none(v)
	}
	t.others(v)
	t.files(v, attacked)
}

// none says that nothing was found, and what was looked at.
func (t *attackText) none(v report.AttackVolume) {
	fmt.Fprintln(t.out)
	if !v.Read {
		t.say("no content was read (--quick): whether files are spoiled is not known")
		return
	}
	t.say(t.noSign)
	t.say(fmt.Sprintf("judged: %s with other content than before; not read: %d that are the same at all points", text.Counted(v.Judged, "file"), v.Same))
}

// say writes a line that goes on below where the terminal is too narrow.
func (t *attackText) say(line string) { t.out.Hung(text.Plain, "  ", text.Printable(line)) }

// attack tells of a step that is one.
func (t *attackText) attack(st *report.AttackStep) {
	out := t.out
	fmt.Fprintln(out)
	out.Line(text.Gone, "ATTACK between %s and %s", st.From, st.To)
	t.say(fmt.Sprintf("%s: the content was replaced, as encryption does", areSpoiled(st.Spoiled)))
	if st.Torn > 0 {
		t.say(fmt.Sprintf("%d more are damaged: their structure does not hold, or they end early", st.Torn))
	}
	if st.Gone > 0 {
		t.say(fmt.Sprintf("%s without a trace", wentFiles(st.Gone)))
	}
	t.when(st)
	for _, b := range st.Bursts {
		switch {
		case b.Attack && b.Spoiled == b.Files:
			t.row("how", burstLine(b))
		case b.Spoiled > 0:
			t.row("how", burstLine(b)+meaning(b, true))
		}
	}
	for i, e := range st.Extensions {
		if i < maxFolders {
			t.row("extension", fmt.Sprintf(".%s, on %s", e.Extension, text.Counted(e.Files, "file")))
		}
	}
	for _, n := range st.Notes {
		t.row("note", noteLine(n))
	}
	if more := st.Removed - st.Gone; more > 0 {
		t.row("besides", fmt.Sprintf("%s removed, and not counted to it (restore --deleted)", wereFiles(more)))
	}
	t.folders(st.Folders)
}

// row writes what is known of one kind.
func (t *attackText) row(what, line string) {
	t.out.Hung(text.Plain, fmt.Sprintf("  %-10s  ", what), text.Printable(line))
}

// when tells begin and end, and by which witness.
func (t *attackText) when(st *report.AttackStep) {
	r, j := st.Records, st.Journal
	if st.Begin == nil {
		t.row("when", "not known: no time of what was spoiled lies between the two points")
		return
	}
	t.row("began", t.out.Stamp(*st.Begin))
	t.row("ended", t.out.Stamp(*st.End))
	if j.Files > 0 {
		t.row("", fmt.Sprintf("the change journal has %s, %s", text.Counted(j.Files, "file"), t.span(j.First, j.Last)))
	} else {
		t.row("", "the change journal has nothing of it")
	}
	if r.Files > 0 {
		line := fmt.Sprintf("the records of %s were changed %s", text.Counted(r.Files, "file"), t.span(r.First, r.Last))
		if t.span(r.From, r.To) != t.span(r.First, r.Last) {
			line += ", nine in ten " + t.span(r.From, r.To)
		}
		t.row("", line)
	}
	if l := st.Log; l.Files > 0 {
		t.row("", fmt.Sprintf("in the log of the file system they are from %d to %d, and %s between them", l.First, l.Last, text.Counted(l.Others, "other file")))
	}
	if r.Outside > 0 {
		t.row("", fmt.Sprintf("the change times of %d more do not lie between the points: a clock, or they, were set", r.Outside))
	}
}

// span gives two times as words.
func (t *attackText) span(from, to *string) string {
	a, b := t.out.Stamp(*from), t.out.Stamp(*to)
	if a == b {
		return "at " + a
	}
	return "from " + a + " to " + b
}

// folders lists where files are.
func (t *attackText) folders(list []report.AttackFolder) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(t.out)
	t.out.Line(text.Heading, "  %7s  folder", "files")
	rest := 0
	for i, f := range list {
		if i >= maxFolders {
			rest += f.Files
			continue
		}
		fmt.Fprintf(t.out, "  %7d  %s\n", f.Files, text.Printable(string(f.Path)))
	}
	if n := len(list) - maxFolders; n > 0 {
		fmt.Fprintf(t.out, "  %7d  in %s more (--json lists all)\n", rest, text.Counted(n, "folder"))
	}
}

// others tells of bursts and texts that are no attack.
func (t *attackText) others(v report.AttackVolume) {
	told := false
	for i := range v.Steps {
		st := &v.Steps[i]
		var lines []string
		for _, b := range st.Bursts {
			if !b.Attack && b.Mass && !(st.Attack && (b.Sign == "removed" || b.Spoiled > 0)) {
				lines = append(lines, burstLine(b)+meaning(b, v.Read))
			}
		}
		if !st.Attack {
			for _, n := range st.Notes {
				lines = append(lines, noteLine(n))
			}
			if st.Spoiled > 0 {
				lines = append(lines, areSpoiled(st.Spoiled)+", too few together for an attack: some of many look so by chance")
			}
		}
		if len(lines) == 0 {
			continue
		}
		if !told {
			fmt.Fprintln(t.out)
			t.out.Line(text.Heading, "much that changed together and is no attack by what is known:")
			told = true
		}
		fmt.Fprintf(t.out, "  between %s and %s\n", st.From, st.To)
		for k, line := range lines {
			if k == maxFolders {
				fmt.Fprintf(t.out, "    and %d more (--json lists all)\n", len(lines)-k)
				break
			}
			t.out.Hung(text.Plain, "    ", text.Printable(line))
		}
	}
}

// files says what can be had back, and how.
func (t *attackText) files(v report.AttackVolume, attacked bool) {
	n := map[string]int{}
	for _, f := range v.Files {
		n[f.Outcome]++
	}
	if !v.Read || len(v.Files) == 0 {
		return
	}
	fmt.Fprintln(t.out)
	for _, x := range []struct {
		outcome, line string
	}{{"found", "have a good version"}, {"none", "have none"}, {"undecided", "changed, and no rule knows whether they are good"}, {"unread", "changed, and cannot be read"}} {
		if n[x.outcome] > 0 {
			fmt.Fprintf(t.out, "  %7d  %s\n", n[x.outcome], x.line)
		}
	}
	if n["found"] > 0 {
		t.line("what would be restored, and from when:", "restore", "--last-good", "--dry-run", string(v.Location), "DEST")
		t.line("restore them into a new folder, and leave all else as it is:", "restore", "--last-good", string(v.Location), "DEST")
	}
	if !attacked {
		return
	}
	for i := range v.Steps {
		if notes := v.Steps[i].Notes; v.Steps[i].Attack && len(notes) > 0 {
			t.line("read the note:", "cat", string(notes[0].Location))
			return
		}
	}
}

func (t *attackText) line(what string, words ...string) {
	fmt.Fprintln(t.out)
	t.out.Line(text.Heading, "%s", what)
	fmt.Fprintf(t.out, "  %s\n", lineOf(append(words, t.again...)))
}

// burstLine says what many files have in common.
func burstLine(b report.AttackBurst) string {
	files, was := text.Counted(b.Files, "file"), "were"
	if b.Files == 1 {
		was = "was"
	}
	var did string
	switch b.Sign {
	case "renamed":
		did = fmt.Sprintf("%s %s renamed to .%s", files, was, b.Extension)
	case "replaced":
		did = fmt.Sprintf("%s %s removed, and new ones with .%s are in their place", files, was, b.Extension)
	case "rewritten":
		did = fmt.Sprintf("%s %s rewritten under their names", files, was)
	default:
		did = fmt.Sprintf("%s %s removed", files, was)
	}
	return fmt.Sprintf("%s, of %d below %s", did, b.Of, b.Folder)
}

// meaning says what the content of a burst tells.
func meaning(b report.AttackBurst, read bool) string {
	if !read || b.Sign == "removed" {
		return ""
	}
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{{b.Unchanged, "have the content that they had"}, {b.Whole, "have other content that is whole"}, {b.Spoiled, "are spoiled"}, {b.Torn, "are damaged otherwise"}, {b.Undecided, "are undecided"}, {b.Unknown, "cannot be read"}} {
		switch {
		case x.n == b.Files:
			return ": all " + x.what
		case x.n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

func noteLine(n report.AttackNote) string {
	same := "all with one text"
	if n.Same < n.Files {
		same = fmt.Sprintf("%d with one text", n.Same)
	}
	return fmt.Sprintf("%s, new in %d folders, %s", n.Name, n.Folders, same)
}

func areSpoiled(n int) string {
	if n == 1 {
		return "1 file is spoiled"
	}
	return fmt.Sprintf("%d files are spoiled", n)
}

func wentFiles(n int) string {
	if n == 1 {
		return "1 file went"
	}
	return fmt.Sprintf("%d files went", n)
}

func wereFiles(n int) string {
	if n == 1 {
		return "1 file was"
	}
	return fmt.Sprintf("%d files were", n)
}
