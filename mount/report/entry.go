package report

import (
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// Entry is one object of "ls --json" and "stat --json".
type Entry struct {
	Head
	Path       Name     `json:"path"`              // from the root on
	Kind       string   `json:"kind"`              // file, dir or symlink; unreadable when its record is damaged
	Size       int64    `json:"size"`              // bytes of the unnamed stream
	Mtime      *string  `json:"mtime"`             // content modified
	Atime      *string  `json:"atime"`             // last access
	Ctime      *string  `json:"ctime"`             // change of the record
	Btime      *string  `json:"btime"`             // created
	Ref        string   `json:"ref"`               // MFT record and sequence number
	Links      int      `json:"links"`             // names of the file, without its DOS names
	Attributes []string `json:"attributes"`        // words, as stat shows them
	Streams    []Stream `json:"streams"`           // the named ones
	Target     *Name    `json:"target"`            // of symbolic links and junctions, as Windows has it
	Verdict    string   `json:"verdict,omitempty"` // stat only: whether all content of the stream is in the image
	Ranges     []Gap    `json:"ranges,omitempty"`  // of the verdict
	// Trust is what a file of a deleted snapshot rests on: kept, carved, proved, agreed, doubtful or unknown.
	Trust points.Trust `json:"trust,omitempty"`
	Error string       `json:"error,omitempty"` // what of it cannot be read
}

// Stream is a named stream, or an extended attribute.
type Stream struct {
	Name Name  `json:"name"` // without the file's
	Size int64 `json:"size"` // bytes
}

// EntryOf describes a node. What cannot be read of it is told in Error.
func EntryOf(p *points.Point, path string, n *ntfs.Node) Entry {
	t := n.Times
	e := Entry{Head: headOf(p, path, n.Ref), Path: Name(path), Kind: KindName(n.Kind), Size: n.Size, Ref: n.Ref.String(), Links: n.Links,
		Mtime: stamp(t.Modified), Atime: stamp(t.Accessed), Ctime: stamp(t.Changed), Btime: stamp(t.Created),
		Attributes: append([]string{}, n.Attr.Words()...), Streams: []Stream{}}
	if n.Kind == ntfs.KindFile || n.Kind == ntfs.KindDir {
		e.Trust = p.TrustIn(n, "")
	}
	streams, err := n.Streams()
	e.Error = lineOf(err)
	for _, s := range streams {
		if s.Name != "" {
			e.Streams = append(e.Streams, Stream{Name(s.Name), s.Size})
		}
	}
	if n.Kind == ntfs.KindSymlink {
		r, err := n.Reparse()
		if err != nil {
			e.Error = OneLine(err)
		} else {
			e.Target = (*Name)(&r.Target)
		}
	}
	return e
}

// Unreadable stands for an entry whose record cannot be read.
func Unreadable(p *points.Point, path string, e ntfs.Entry, err error) Entry {
	return Entry{Head: headOf(p, path, e.Ref), Path: Name(path), Kind: "unreadable", Ref: e.Ref.String(), Attributes: []string{}, Streams: []Stream{}, Error: OneLine(err)}
}

// VolumeEntry is one object of "ls --json" for an image of several volumes.
type VolumeEntry struct {
	Head
	Filesystem string `json:"filesystem"` // ntfs, refs, ...
	Label      Name   `json:"label"`      // as Windows shows it
	Size       int64  `json:"size"`       // bytes
	Snapshots  int    `json:"snapshots"`  // how many points there are beside the current state
}

// VolumeOf describes the volume of a target.
func VolumeOf(t points.Target) VolumeEntry {
	v := t.Volume
	head := headOf(t.Point, "", ntfs.Ref{})
	head.Location = Name(t.Location())
	return VolumeEntry{head, v.Filesystem, Name(v.Label), v.Partition.Len, len(v.Snapshots())}
}
