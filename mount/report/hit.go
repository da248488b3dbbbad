package report

import (
	"fmt"

	"snapmount/mount/points"
	"snapmount/ntfs/timeline"
)

// Hit is one object of "find --json". All but the interval is of the newest version, whose point the Head names.
type Hit struct {
	Head
	Path     Name     `json:"path"`              // from the root on
	Ref      string   `json:"ref"`               // of the file
	First    string   `json:"first"`             // points
	Last     string   `json:"last"`              // point, the newest that has it so
	Size     int64    `json:"size"`              // bytes, of the stream that matched
	Mtime    *string  `json:"mtime"`             // content modified
	Match    string   `json:"match"`             // name, path, ads, content or state
	Kind     string   `json:"kind"`              // file, dir, symlink, ...
	Btime    *string  `json:"btime"`             // created
	Attr     []string `json:"attributes"`        // words, as stat shows them
	Versions int      `json:"versions"`          // of the file in the interval, counted as history does
	Version  int      `json:"version,omitempty"` // the newest of them, from 1; none where the file cannot be had whole
	Unknown  string   `json:"unknown,omitempty"` // why it is not known of one whether it is the version before
	Deleted  bool     `json:"deleted"`           // found in the record of a deleted file
	Orphan   bool     `json:"orphan"`            // path is only the end of one
	Stream   Name     `json:"stream,omitempty"`  // its name, of a named stream
	State    string   `json:"state,omitempty"`   // of the content, with --state: spoiled, whole, ...
	Rule     string   `json:"rule,omitempty"`    // that led to the state
	Why      string   `json:"why,omitempty"`     // in words
	Matches  []Match  `json:"matches,omitempty"` // where the content matches
	Error    string   `json:"error,omitempty"`   // what of it could not be searched
}

// Match is a place in the content of a Hit.
type Match struct {
	Offset   int64  `json:"offset"`         // in the content, bytes
	Line     int64  `json:"line,omitempty"` // counts from 1; none in what is no text
	Text     string `json:"text"`           // of the line, as far as it is shown
	Encoding string `json:"encoding"`       // utf-8 or utf-16
}

// HitLocation names what a hit is at the last of its points. What no directory leads to, its record does.
func HitLocation(shown []*points.Point, h *timeline.Hit) string {
	path := h.Path
	if h.Orphan || h.Deleted {
		path = fmt.Sprintf("#%d", h.Ref.Record)
		if h.Stream != "" {
			path += ":" + h.Stream
		}
	}
	return Location(shown[h.Last]) + ":" + path
}

// HitOf describes a hit. shown are the points that were searched.
func HitOf(shown []*points.Point, h *timeline.Hit) Hit {
	last := shown[h.Last]
	j := Hit{Head: headOf(last, "", h.Ref), Path: Name(h.Path), Ref: h.Ref.String(), First: shown[h.First].Name, Last: last.Name, Size: h.Size,
		Mtime: stamp(h.Modified), Match: h.By, Kind: KindName(h.Kind), Btime: stamp(h.Created), Attr: append([]string{}, h.Attr.Words()...),
		Versions: h.Versions, Version: h.Version, Unknown: lineOf(h.Unknown), Deleted: h.Deleted, Orphan: h.Orphan, Stream: Name(h.Stream), Error: lineOf(h.Err)}
	j.Location = Name(HitLocation(shown, h))
	if v := h.Verdict; v != nil {
		j.State, j.Rule, j.Why = v.State.String(), v.Rule.String(), v.Why
	}
	for _, m := range h.Matches {
		encoding := "utf-8"
		if m.Wide {
			encoding = "utf-16"
		}
		j.Matches = append(j.Matches, Match{m.Off, m.Line, m.Text, encoding})
	}
	return j
}
