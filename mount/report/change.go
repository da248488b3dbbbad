package report

import (
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// Between is the Head of what lies between two points: it is B's, and Old is A's.
type Between struct {
	Head
	OldImage  string `json:"old_image"`  // of the first point, as it was named
	OldVolume string `json:"old_volume"` // of the first point
	OldPoint  string `json:"old_point"`  // the first point
}

// BetweenOf is the Between of two points.
func BetweenOf(a, b *points.Point) Between {
	return Between{headOf(b, "", ntfs.Ref{}), a.Volume.Image.Path, a.Volume.Name, a.Name}
}

// Change is one object of "diff --json".
type Change struct {
	Between
	Kind    string `json:"kind"`     // created, deleted, renamed, content, metadata or streams
	Path    Name   `json:"path"`     // at B; of what was deleted, at A
	OldPath *Name  `json:"old_path"` // at A, of what was renamed
	Ref     string `json:"ref"`      // of the file
	Type    string `json:"type"`     // file, dir, symlink, ...
	Fields  []Name `json:"fields"`   // of metadata, or streams, that changed
	OldSize *int64 `json:"old_size"` // bytes at A
	NewSize *int64 `json:"new_size"` // bytes at B; null where size is not the matter
	FoundBy string `json:"found_by"` // record, extents or bytes
	InPlace bool   `json:"in_place"` // the file's record did not change
}

// ChangeOf describes a change from a to b.
func ChangeOf(a, b *points.Point, c compare.Change) Change {
	at := b
	if c.Kind == compare.Deleted {
		at = a
	}
	j := Change{Between: BetweenOf(a, b), Kind: c.Kind.String(), Path: Name("/" + c.Path), Ref: c.Ref.String(), Type: KindName(c.Type), Fields: []Name{},
		OldSize: atLeastZero(c.OldSize), NewSize: atLeastZero(c.NewSize), FoundBy: c.By.String(), InPlace: c.InPlace}
	j.Location = headOf(at, "/"+c.Path, c.Ref).Location
	if c.Kind == compare.Renamed {
		old := Name("/" + c.OldPath)
		j.OldPath = &old
	}
	for _, f := range c.Fields {
		j.Fields = append(j.Fields, Name(f))
	}
	return j
}

// Count is one object of "diff --stat --json".
type Count struct {
	Between
	Kind  string `json:"kind"`      // of the changes, as in lines of changes
	Count int    `json:"count"`     // changes
	Old   int64  `json:"old_bytes"` // sizes of what was deleted, or before its content changed
	New   int64  `json:"new_bytes"` // sizes of what was created, or after its content changed
}

// Add counts one more.
func (n *Count) Add(c compare.Change) {
	n.Count, n.Old, n.New = n.Count+1, n.Old+max(c.OldSize, 0), n.New+max(c.NewSize, 0)
}
