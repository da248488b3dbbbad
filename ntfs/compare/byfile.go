package compare

import (
	"iter"
	"slices"

	"snapmount/ntfs"
)

// ByFile joins changes of Trees that are of one file at one path, in their order. An error comes with its Change alone.
func ByFile(changes iter.Seq2[Change, error]) iter.Seq2[[]Change, error] {
	return func(yield func([]Change, error) bool) {
		var group []Change
		for c, err := range changes {
			if len(group) > 0 && (err != nil || c.Ref != group[0].Ref || c.Path != group[0].Path) {
				if !yield(group, nil) {
					return
				}
				group = nil
			}
			if err == nil {
				group = append(group, c)
			} else if !yield([]Change{c}, err) {
				return
			}
		}
		if len(group) > 0 {
			yield(group, nil)
		}
	}
}

// Telling leaves out of a change of metadata what reading and working below a directory leave behind: the time of the last
// access, and of directories all times. It reports whether anything is left.
func (c Change) Telling() (Change, bool) {
	if c.Kind != Metadata {
		return c, true
	}
	c.Fields = slices.DeleteFunc(slices.Clone(c.Fields), func(f string) bool {
		return f == "accessed" || c.Type == ntfs.KindDir && slices.Contains([]string{"created", "modified", "changed", "name_times"}, f)
	})
	return c, len(c.Fields) > 0
}
