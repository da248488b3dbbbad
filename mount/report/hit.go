package report

import (
	"snapmount/mount/points"
	"snapmount/ntfs/timeline"
)

// Hit is one object of "find --json". All but the interval is of the newest version, whose point the Head names.
type Hit struct {
	Head
	Path     Name     `json:"path"`
	Ref      string   `json:"ref"`
	First    string   `json:"first"` // points
	Last     string   `json:"last"`
	Size     int64    `json:"size"`
	Mtime    *string  `json:"mtime"`
	Match    string   `json:"match"` // name, path, ads or content
	Kind     string   `json:"kind"`
	Btime    *string  `json:"btime"`
	Attr     []string `json:"attributes"`
	Versions int      `json:"versions"`
	Deleted  bool     `json:"deleted"` // found in the record of a deleted file
	Orphan   bool     `json:"orphan"`  // path is only the end of one
	Stream   Name     `json:"stream,omitempty"`
	Matches  []Match  `json:"matches,omitempty"`
	Error    string   `json:"error,omitempty"`
}

// Match is a place in the content of a Hit.
type Match struct {
	Offset   int64  `json:"offset"`
	Line     int64  `json:"line,omitempty"`
	Text     string `json:"text"`
	Encoding string `json:"encoding"` // utf-8 or utf-16
}

// HitOf describes a hit. shown are the points that were searched.
func HitOf(shown []*points.Point, h *timeline.Hit) Hit {
	last := shown[h.Last]
	j := Hit{Head: HeadOf(last), Path: Name(h.Path), Ref: h.Ref.String(), First: shown[h.First].Name, Last: last.Name, Size: h.Size,
		Mtime: stamp(h.Modified), Match: h.By, Kind: KindName(h.Kind), Btime: stamp(h.Created), Attr: append([]string{}, h.Attr.Words()...),
		Versions: h.Versions, Deleted: h.Deleted, Orphan: h.Orphan, Stream: Name(h.Stream), Error: lineOf(h.Err)}
	for _, m := range h.Matches {
		encoding := "utf-8"
		if m.Wide {
			encoding = "utf-16"
		}
		j.Matches = append(j.Matches, Match{m.Off, m.Line, m.Text, encoding})
	}
	return j
}
