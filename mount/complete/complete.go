// Package complete tells how a word of a command line may go on: files that may be images, and behind an image its volumes,
// its points in time and the paths in it, one directory at a time. It is asked by shells at each press of a key: it writes
// nothing, and what goes wrong is no candidate. A directory or an image that takes longer than its context gives nothing at
// all, since a shell takes what all candidates have in common for what the user means.
package complete

import (
	"context"
	"slices"
	"strings"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/mount/selection"
)

// most is how many candidates are given at most.
const most = 200

// A Candidate is a whole word that the one asked about may become.
type Candidate struct {
	Text  string
	About string // for people; may be empty
	Open  bool   // more may follow: a shell puts no space behind it
}

// Location completes a LOCATION. Images are opened with open. The word is as a program gets it, without quotes.
func Location(ctx context.Context, open selection.Opener, word string) []Candidate {
	loc, err := points.SplitLocation(word, isImage)
	if err != nil {
		return goOn(Files(ctx, word))
	}
	loc = loc.WithLayer()
	in := &image{ctx: ctx, open: open, name: loc.Image}
	if loc.Rest != "" {
		return whole(ctx, in.behind(loc.Rest))
	}
	others := slices.DeleteFunc(goOn(Files(ctx, word)), func(c Candidate) bool { return c.Text == word })
	return whole(ctx, append(others, in.start()...))
}

// goOn says that more may follow images.
func goOn(list []Candidate) []Candidate {
	for i := range list {
		list[i].Open = true
	}
	return list
}

// Volume completes an image that may be followed by one of its volumes.
func Volume(ctx context.Context, open selection.Opener, word string) []Candidate {
	if loc, err := points.SplitLocation(word, isImage); err == nil && strings.HasPrefix(loc.WithLayer().Rest, ":") {
		loc = loc.WithLayer()
		return whole(ctx, (&image{ctx: ctx, open: open, name: loc.Image}).volumes(loc.Rest[1:], false))
	}
	return Files(ctx, word)
}

// Point completes @POINT alone, of any volume of an image or location.
func Point(ctx context.Context, open selection.Opener, location, word string) []Candidate {
	loc, err := points.SplitLocation(location, isImage)
	prefix, ok := strings.CutPrefix(word, "@")
	if err != nil || !ok && word != "" {
		return nil
	}
	loc = loc.WithLayer()
	volume, _, _ := strings.Cut(strings.TrimPrefix(loc.Rest, ":"), ":")
	volume, _, _ = strings.Cut(volume, "@")
	list := (&image{ctx: ctx, open: open, name: loc.Image}).points("", volume, prefix)
	for i := range list {
		list[i].Open = false
	}
	return whole(ctx, list)
}

// Words completes one of a list, or the last of several between commas.
func Words(list []string, commas bool, word string) (out []Candidate) {
	done := ""
	if commas {
		done = word[:strings.LastIndex(word, ",")+1]
	}
	for _, w := range list {
		if c := (Candidate{Text: done + w, Open: commas}); strings.HasPrefix(c.Text, word) {
			out = append(out, c)
		}
	}
	return out
}

// whole is what was found in time: all of it, or nothing.
func whole(ctx context.Context, list []Candidate) []Candidate {
	if ctx.Err() != nil {
		return nil
	}
	return list
}

// names collects the words that begin as one does, whatever their case, in bounds.
type names struct {
	head, typed string // what stands before the names; how they have to begin
	equal       func(a, b string) bool

	list   []Candidate
	last   Candidate // of more than fit
	common string    // how all of them begin
	beyond bool
	begun  bool // there is a common start
	exact  bool // one begins as typed, in its case too
}

// add takes a name, and what stands behind it, if it begins as is wanted. A name that no terminal shows as it is, is left out.
func (n *names) add(name, end string, open bool, about string) {
	begin, ok := n.begins(name)
	if !ok || wintype.Printable(name) != name {
		return
	}
	c := Candidate{Text: name + end, About: about, Open: open}
	switch same := begin == n.typed; {
	case same && !n.exact: // those of another case were not meant
		n.exact, n.list, n.beyond, n.begun = true, nil, false, false
	case !same && n.exact:
		return
	}
	if !n.begun {
		n.common, n.begun = c.Text, true
	}
	n.common = sharedStart(n.common, c.Text, n.equal)
	if n.last = c; len(n.list) < most {
		n.list = append(n.list, c)
	} else {
		n.beyond = true
	}
}

// begins gives the start of a name that equals what was typed.
func (n *names) begins(name string) (string, bool) {
	want := len([]rune(n.typed))
	at := 0
	for i := range name {
		if at == want {
			return name[:i], n.equal(name[:i], n.typed)
		}
		at++
	}
	return name, at == want && n.equal(name, n.typed)
}

// all gives what was collected. What all have in common is never longer than it is in truth; several in another case than
// the typed one begin as typed, so that a shell, which goes by bytes, takes nothing away.
func (n *names) all() []Candidate {
	if n.beyond {
		if len(n.common) > len(n.typed) {
			n.list = []Candidate{{Text: n.common, Open: true}}
		} else {
			n.list[len(n.list)-1] = n.last
		}
	}
	seen := map[string]bool{} // several volumes may have a name
	n.list = slices.DeleteFunc(n.list, func(c Candidate) bool { had := seen[c.Text]; seen[c.Text] = true; return had })
	for i := range n.list {
		c := &n.list[i]
		if begin, ok := n.begins(c.Text); ok && len(n.list) > 1 {
			c.Text = n.typed + c.Text[len(begin):]
		}
		c.Text = n.head + c.Text
	}
	return n.list
}

// sharedStart is how much of a is the start of b too, in whole characters.
func sharedStart(a, b string, equal func(a, b string) bool) string {
	rest := []rune(b)
	at := 0
	for i, r := range a {
		if at == len(rest) || !equal(string(r), string(rest[at])) {
			return a[:i]
		}
		at++
	}
	return a
}
