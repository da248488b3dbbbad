package timeline

import (
	"slices"

	"snapmount/ntfs"
)

// isThere reports whether the newest point has a file.
func (f *finder) isThere(group []Version, file ntfs.Ref) bool {
	return slices.ContainsFunc(group, func(v Version) bool {
		return !v.Node.Deleted && v.Node.Ref == file && v.Last == len(f.points)-1
	})
}

// seenAlive reports whether a file is among versions, which is not told once more as its remains.
func seenAlive(group []Version, file ntfs.Ref) bool {
	return slices.ContainsFunc(group, func(v Version) bool { return v.Node.Ref == file && !v.Node.Deleted })
}

// mayBeThere is why a record of which the newest point shows no file may have one there all the same.
func (f *finder) mayBeThere(group []Version) error {
	var names []ntfs.Name
	for i := range group {
		names = append(names, group[i].Names...)
	}
	state, err := f.points[len(f.points)-1].RecordState(group[0].Node.Ref.Record, names)
	if state == ntfs.RecordLost || state == ntfs.RecordUnknown {
		return err
	}
	return nil
}
