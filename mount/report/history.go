package report

import (
	"strings"

	"snapmount/mount/points"
	"snapmount/ntfs/compare"
)

// Version is one object of "history --json". What is deleted or unknown has no version, size and times. Its Head names
// the first point, which the rest is as of.
type Version struct {
	Head
	Version  *int     `json:"version"`            // counts from 1; rows on both sides of something unknown may have the same one
	Path     Name     `json:"path"`               // from the root on
	Ref      string   `json:"ref"`                // of the file
	First    string   `json:"first"`              // point
	Last     string   `json:"last"`               // point
	Size     *int64   `json:"size"`               // bytes
	Mtime    *string  `json:"mtime"`              // content modified
	Btime    *string  `json:"btime"`              // created
	SHA256   string   `json:"sha256,omitempty"`   // with --hash
	SameBy   string   `json:"same_by,omitempty"`  // extents or bytes: how the points of the row were joined
	Event    string   `json:"event"`              // words with a comma and a space between; empty for what was there at the oldest point
	Verdict  string   `json:"verdict,omitempty"`  // whether all content is in the image
	Kind     string   `json:"kind,omitempty"`     // file, dir, symlink, ...
	Stream   Name     `json:"stream,omitempty"`   // its name, of a named stream
	OldPath  Name     `json:"old_path,omitempty"` // before it was renamed or moved
	Replaces string   `json:"replaces,omitempty"` // the file that the path led to before
	Fields   []string `json:"fields,omitempty"`   // of the metadata that differ from the version before
	Error    string   `json:"error,omitempty"`    // what of it is not known
	Ranges   []Gap    `json:"ranges,omitempty"`   // of the verdict
	// Trust is what it rests on, where First is a deleted snapshot: kept, carved, proved, agreed, doubtful or unknown.
	Trust points.Trust `json:"trust,omitempty"`

	Doubtful bool `json:"-"` // the verdict is not that all is there
}

// VersionOf describes a version. shown are the points that it counts.
func VersionOf(shown []*points.Point, v compare.Version) Version {
	words := make([]string, len(v.Events))
	for i, e := range v.Events {
		words[i] = e.String()
	}
	first := shown[v.First]
	r := Version{Head: headOf(first, v.Path, v.Ref), Path: Name(v.Path), Ref: v.Ref.String(), First: first.Name, Last: shown[v.Last].Name,
		Event: strings.Join(words, ", "), Stream: Name(v.Stream), OldPath: Name(v.OldPath), Fields: v.Fields, Error: lineOf(v.Err)}
	if v.Stream != "" {
		r.Location += Name(":" + v.Stream)
	}
	if v.Joined {
		r.SameBy = v.SameBy.String()
	}
	if v.Replaces.Record != 0 || v.Replaces.Seq != 0 {
		r.Replaces = v.Replaces.String()
	}
	n := v.Node
	if n == nil {
		return r
	}
	r.Version, r.Size, r.Mtime, r.Btime, r.Kind = &v.Number, &v.Size, stamp(n.Times.Modified), stamp(n.Times.Created), KindName(n.Kind)
	if v.Stream != "" {
		r.Kind = "file"
	}
	if r.Kind == "file" {
		verdict := points.Judge(n, v.Stream)
		r.Verdict, r.Ranges, r.Doubtful = verdict.String(), GapsOf(verdict), !verdict.Intact()
		r.Trust = first.TrustIn(n, v.Stream)
	}
	return r
}
