package cmd

import (
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// name is a Windows name as JSON.
type name = wintype.WTF8

// entryJSON is one object of "ls --json" and "stat --json". Times are RFC 3339 in UTC with seven digits.
type entryJSON struct {
	Path       name         `json:"path"`
	Kind       string       `json:"kind"` // file, dir or symlink; unreadable when its record is damaged
	Size       int64        `json:"size"`
	Mtime      *string      `json:"mtime"`
	Atime      *string      `json:"atime"`
	Ctime      *string      `json:"ctime"`
	Btime      *string      `json:"btime"`
	Ref        string       `json:"ref"` // MFT record and sequence number
	Links      int          `json:"links"`
	Attributes []string     `json:"attributes"`
	Streams    []streamJSON `json:"streams"`           // the named ones
	Target     *name        `json:"target"`            // of symbolic links and junctions, as Windows has it
	Verdict    string       `json:"verdict,omitempty"` // stat only: whether all content of the stream is in the image
	Ranges     []rangeJSON  `json:"ranges,omitempty"`  // of the verdict
	Error      string       `json:"error,omitempty"`
}

// rangeJSON is a range of a verdict, whose content is not in the image.
type rangeJSON struct {
	Offset int64        `json:"offset"` // bytes, in the stream
	Length int64        `json:"length"`
	Reason layer.Reason `json:"reason,omitempty"` // unprotected, carved, incomplete, not-acquired or missing
	Error  string       `json:"error,omitempty"`  // what is damaged
}

func rangesOf(v points.Verdict) (list []rangeJSON) {
	for _, r := range v.Ranges {
		j := rangeJSON{Offset: r.Off, Length: r.Len, Reason: r.Why}
		if r.Err != nil {
			j.Error = oneLine(r.Err)
		}
		list = append(list, j)
	}
	return list
}

type streamJSON struct {
	Name name  `json:"name"`
	Size int64 `json:"size"`
}

func kindName(k ntfs.Kind) string { return k.String() }

// describe turns a node into its JSON form. What cannot be read of it is told in Error.
func describe(path string, n *ntfs.Node) entryJSON {
	t := n.Times
	e := entryJSON{Path: name(path), Kind: kindName(n.Kind), Size: n.Size, Ref: n.Ref.String(), Links: n.Links,
		Mtime: stamp(t.Modified), Atime: stamp(t.Accessed), Ctime: stamp(t.Changed), Btime: stamp(t.Created),
		Attributes: append([]string{}, n.Attr.Words()...), Streams: []streamJSON{}}
	streams, err := n.Streams()
	if err != nil {
		e.Error = oneLine(err)
	}
	for _, s := range streams {
		if s.Name != "" {
			e.Streams = append(e.Streams, streamJSON{name(s.Name), s.Size})
		}
	}
	if n.Kind == ntfs.KindSymlink {
		r, err := n.Reparse()
		if err != nil {
			e.Error = oneLine(err)
		} else {
			e.Target = (*name)(&r.Target)
		}
	}
	return e
}

// damaged stands for an entry whose record cannot be read.
func damaged(path string, e ntfs.Entry, err error) entryJSON {
	return entryJSON{Path: name(path), Kind: "unreadable", Ref: e.Ref.String(), Attributes: []string{}, Streams: []streamJSON{}, Error: oneLine(err)}
}

func stamp(t wintype.Filetime) *string { s := t.String(); return &s }
