package cmd

import (
	"fmt"
	"strings"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// historyJSON is one object of "history --json". What is deleted or unknown has no version, size and times.
type historyJSON struct {
	Version  *int        `json:"version"` // counts from 1; rows on both sides of something unknown may have the same one
	Path     name        `json:"path"`
	Ref      string      `json:"ref"`
	First    string      `json:"first"` // point
	Last     string      `json:"last"`
	Size     *int64      `json:"size"`
	Mtime    *string     `json:"mtime"`
	Btime    *string     `json:"btime"`
	SHA256   string      `json:"sha256,omitempty"`
	SameBy   string      `json:"same_by,omitempty"` // extents or bytes: how the points of the row were joined
	Event    string      `json:"event"`             // words with a comma and a space between; empty for what was there at the oldest point
	Verdict  string      `json:"verdict,omitempty"` // whether all content is in the image
	Kind     string      `json:"kind,omitempty"`
	Stream   name        `json:"stream,omitempty"`
	OldPath  name        `json:"old_path,omitempty"` // before it was renamed or moved
	Replaces string      `json:"replaces,omitempty"` // the file that the path led to before
	Fields   []string    `json:"fields,omitempty"`   // of the metadata that differ from the version before
	Error    string      `json:"error,omitempty"`
	Ranges   []rangeJSON `json:"ranges,omitempty"` // of the verdict

	doubt bool // the verdict is not that all is there
}

// describe turns a version into its JSON form.
func (h *historian) describe(v compare.Version) historyJSON {
	words := make([]string, len(v.Events))
	for i, e := range v.Events {
		words[i] = e.String()
	}
	r := historyJSON{Path: name(v.Path), Ref: v.Ref.String(), First: h.points[v.First].Name, Last: h.points[v.Last].Name,
		Event: strings.Join(words, ", "), Stream: name(v.Stream), OldPath: name(v.OldPath), Fields: v.Fields}
	if v.Err != nil {
		r.Error = oneLine(v.Err)
	}
	if v.Joined {
		r.SameBy = v.SameBy.String()
	}
	if v.Replaces != (ntfs.Ref{}) {
		r.Replaces = v.Replaces.String()
	}
	if n := v.Node; n != nil {
		r.Version, r.Size, r.Mtime, r.Btime, r.Kind = &v.Number, &v.Size, stamp(n.Times.Modified), stamp(n.Times.Created), kindName(n.Kind)
		if v.Stream != "" {
			r.Kind = "file"
		}
		if r.Kind == "file" {
			verdict := points.Judge(n, v.Stream)
			r.Verdict, r.Ranges, r.doubt = verdict.String(), rangesOf(verdict), !verdict.Intact()
		}
	}
	return r
}

// print writes a row as text.
func (h *historian) print(r historyJSON) {
	number, size, mtime := "-", "-", "-"
	if r.Version != nil {
		number, size, mtime = fmt.Sprint(*r.Version), fmt.Sprint(*r.Size), strings.Replace((*r.Mtime)[:19], "T", " ", 1)
	}
	text := string(r.Path)
	if r.Stream != "" {
		text += ":" + string(r.Stream)
	}
	if r.OldPath != "" {
		text += " <- " + string(r.OldPath)
	}
	if h.tty {
		text = printable(text)
	}
	event := r.Event
	if len(r.Fields) > 0 {
		event += " (" + strings.Join(r.Fields, ", ") + ")"
	}
	if r.doubt {
		text += "  [" + printable(r.Verdict) + "]"
	}
	if r.SHA256 != "" {
		text = r.SHA256 + "  " + text
	}
	width := 0
	for _, p := range h.points {
		width = max(width, len(p.Name))
	}
	fmt.Fprintf(h.out, "%3s  %-*s  %-*s  %12s  %19s  %-7s  %-20s  %s\n", number, width, r.First, width, r.Last, size, mtime, r.SameBy, event, text)
}
