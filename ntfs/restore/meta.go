package restore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

// Meta is what a file or directory has beside its content. It is a line of the sidecar, in JSON; bytes are in base64.
type Meta struct {
	Path       string           `json:"path"`                  // below the target, as restored; "/" between names
	Name       string           `json:"name,omitempty"`        // the last name, where Path has another in its place
	Type       string           `json:"type"`                  // file, dir or link; security for a line of Security alone
	Created    wintype.Filetime `json:"created"`               // 100 ns since 1601, UTC, as the other times
	Modified   wintype.Filetime `json:"modified"`              //
	Changed    wintype.Filetime `json:"changed"`               //
	Accessed   wintype.Filetime `json:"accessed"`              //
	Attributes ntfs.FileAttr    `json:"attributes"`            //
	Security   []byte           `json:"security,omitempty"`    // self-relative security descriptor
	SecurityID string           `json:"security_id,omitempty"` // in a sidecar, of the line of type security that has it
	EA         []byte           `json:"ea,omitempty"`          // $EA, as it is on the volume
	Reparse    []byte           `json:"reparse,omitempty"`     // $REPARSE_POINT, header included
	ObjectID   []byte           `json:"object_id,omitempty"`   // FILE_OBJECTID_BUFFER
	EFS        []byte           `json:"efs,omitempty"`         // $EFS
	ShortName  string           `json:"short_name,omitempty"`  //
	Streams    []Stream         `json:"streams,omitempty"`     //
	Link       string           `json:"link,omitempty"`        // Path of another name of the file: a hard link
}

// Stream is a named stream of a Meta.
type Stream struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Data []byte `json:"data,omitempty"` // of one of up to maxInline bytes
	File string `json:"file,omitempty"` // below the target, what holds the content of a larger one

	content layer.Source // nil where Data is all of it
	damage  error        // why the content cannot be read
}

const (
	// maxInline is the most bytes of a stream that a Meta holds: what an extended attribute may have on Linux.
	maxInline = 64 << 10
	// maxAllInline is the most bytes of all streams that a Meta holds: a line must not become too long.
	maxAllInline = 16 << 20
)

// wofStream is how Windows keeps the content of a file that it compressed; a restored file has the content itself.
const wofStream = "WofCompressedData"

// ReadMeta reads the metadata of n. With an error, what could be read is there too.
func ReadMeta(n *ntfs.Node) (Meta, error) {
	t := n.Times
	m := Meta{Type: "file", Created: t.Created, Modified: t.Modified, Changed: t.Changed, Accessed: t.Accessed, Attributes: n.Attr}
	switch n.Kind {
	case ntfs.KindDir:
		m.Type = "dir"
	case ntfs.KindSymlink:
		if isLink(n) {
			m.Type = "link"
		}
	}
	damage := n.Damage
	take := func(to *[]byte, has bool, get func() ([]byte, error)) {
		if !has {
			return
		}
		b, err := get()
		if *to = b; err != nil && !errors.Is(err, fs.ErrNotExist) {
			damage = errors.Join(damage, err)
		}
	}
	has, err := n.Metadata()
	damage = cmp.Or(damage, err)
	take(&m.Security, has.Security, n.Security)
	take(&m.EA, has.EA, n.RawEA)
	take(&m.EFS, has.EFS, n.EFS)
	take(&m.Reparse, has.Reparse && n.ReparseTag != ntfs.TagWOF, n.RawReparse)
	take(&m.ObjectID, has.ObjectID, func() ([]byte, error) { o, err := n.ObjectID(); return o.Raw, err })
	if m.ShortName, err = n.DOSName(); err != nil {
		damage = errors.Join(damage, err)
	}
	damage = errors.Join(damage, m.readStreams(n))
	return m, damage
}

// readStreams takes the named streams, small ones with their content.
func (m *Meta) readStreams(n *ntfs.Node) error {
	streams, damage := n.Streams()
	room := int64(maxAllInline)
	for _, s := range streams {
		if s.Name == "" || n.ReparseTag == ntfs.TagWOF && s.Name == wofStream {
			continue
		}
		out := Stream{Name: s.Name, Size: s.Size}
		content, err := n.Stream(s.Name)
		if err == nil && s.Size <= min(maxInline, room) {
			room -= s.Size
			out.Data = make([]byte, s.Size)
			err = layer.ReadFull(content, out.Data, 0)
		}
		if err != nil {
			damage = errors.Join(damage, fmt.Errorf("stream %q: %w", s.Name, err))
			continue
		}
		out.content = content
		m.Streams = append(m.Streams, out)
	}
	return damage
}

// shortName is the 8.3 name that a name in the directory parent has beside it, or is; "" for none. A file has one at most,
// whatever other names there are.
func shortName(n *ntfs.Node, parent ntfs.Ref, name string) (string, error) {
	names, err := n.Names()
	short, paired := "", false
	for _, x := range names {
		switch {
		case x.Parent != parent:
		case x.Namespace == ntfs.NamespaceDOS:
			short = x.Name
		case x.Name == name && x.Namespace == ntfs.NamespaceWin32:
			paired = true
		case x.Name == name && x.Namespace == ntfs.NamespaceWin32s:
			return n.DOSName()
		}
	}
	if !paired {
		short = ""
	}
	return short, err
}
