package cmd

import (
	"fmt"

	"snapmount/cmd/text"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs/timeline"
)

// A findResult is what a search found as a whole: what leads from it to the files.
type findResult struct {
	hits     int
	at       string   // the point that all hits are restored from, as IMAGE:VOLUME@POINT, while it is one
	apart    bool     // it is not
	first    string   // what names the first hit that can be restored; empty without one
	versions int      // of that, at all points searched
	paths    bool     // all of them have a path
	again    []string // what is given once more to open the same
}

// add takes a hit, in the order in which they are printed.
func (r *findResult) add(sc *selection.Scope, h *timeline.Hit) {
	at := report.Location(sc.Points[h.Last])
	if r.hits++; r.hits == 1 {
		r.at, r.paths = at, true
	}
	if r.first == "" && !h.Deleted { // what is left of a deleted file's record is told, and its content is not given
		r.first, r.versions = report.HitLocation(sc.Points, h), h.Versions
	}
	r.apart = r.apart || at != r.at
	r.paths = r.paths && !h.Orphan && !h.Deleted
}

// print ends the list on a terminal: with a line that restores what was found, or with what was searched.
func (r *findResult) print(out *text.Out, scopes []*selection.Scope, q *selection.Query) {
	switch {
	case r.hits == 0:
		r.nothing(out, scopes, q)
	case r.first == "":
	case r.hits == 1:
		r.line(out, "restore it with:", "restore", r.first, "DEST")
		if r.versions > 1 {
			r.line(out, fmt.Sprintf("that is the last of %d versions; all are listed by:", r.versions), "history", r.first)
		}
	case !r.apart && r.paths && q.NameOnly() && len(scopes) == 1 && scopes[0].Below == "":
		r.line(out, "restore them with:", "restore", r.at+":"+q.Path(), "DEST")
	default:
		r.line(out, fmt.Sprintf("restore one of these %d with:", r.hits), "restore", r.first, "DEST")
	}
}

func (r *findResult) line(out *text.Out, what string, words ...string) {
	fmt.Fprintln(out)
	out.Line(text.Heading, "%s", what)
	fmt.Fprintf(out, "  %s\n", lineOf(append(words, r.again...)))
}

// nothing says what was searched in vain.
func (r *findResult) nothing(out *text.Out, scopes []*selection.Scope, q *selection.Query) {
	points := 0
	for _, sc := range scopes {
		points += len(sc.Points)
	}
	line := fmt.Sprintf("nothing in %s, %s", text.Counted(len(scopes), "volume"), text.Counted(points, "point"))
	if q.WholeName() {
		line += fmt.Sprintf("; %s is a whole name: %s finds names that have it in them", q.Pattern, text.Quoted("*"+q.Pattern+"*"))
	}
	out.Hung(text.Plain, "", text.Printable(line))
}
