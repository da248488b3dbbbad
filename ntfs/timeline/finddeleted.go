package timeline

import (
	"slices"

	"snapmount/ntfs"
)

// contradicted is why a file may not have come, gone or been renamed as its records say: directories do not.
func (f *finder) contradicted(group []Version) error {
	changed := false
	for i := range group {
		v, before := &group[i], &group[max(i-1, 0)]
		changed = changed || v.Node.Ref != before.Node.Ref || v.First > before.Last+1 || !slices.EqualFunc(v.Names, before.Names, sameName)
	}
	if !changed && group[0].First == 0 && group[len(group)-1].Last == len(f.points)-1 {
		return nil
	}
	for i := range group {
		if n := group[i].Node; !n.Deleted && n.Damage == nil {
			if err := n.Confirm(); err != nil {
				return err
			}
		}
	}
	return nil
}

func sameName(a, b ntfs.Name) bool { return a.Parent == b.Parent && a.Name == b.Name }

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
