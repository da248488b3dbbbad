package tree

import (
	"io/fs"

	"snapmount/ntfs"
)

// Private reports whether a number is of what holds whole volumes: raw/ and all in it. Their bytes are those of all files,
// of deleted ones and of all descriptors too.
func (f *FS) Private(id uint64) bool {
	i := f.layout.items[id]
	return i != nil && i.private
}

// Perm returns the permissions that the volume keeps of a node: those that WSL gave it ($LXMOD), else what there is to a
// directory, or to a file that is no program, without those to write of a file that is marked read-only; of directories
// that mark says something else. Where damage hides them, nobody may write.
func (n Node) Perm() fs.FileMode {
	const write = 0o222
	most := fs.FileMode(0o666)
	if n.Kind == KindDir {
		most = 0o777
	}
	if n.file == nil || n.part == partSnapshots {
		return most
	}
	x, has, err := n.file.LX()
	switch {
	case err != nil:
		return most &^ write
	case has && x.Fields&ntfs.LXMode != 0:
		return fs.FileMode(x.Mode) & 0o777
	case n.Kind != KindDir && n.file.Attr&ntfs.AttrReadOnly != 0:
		return most &^ write
	}
	return most
}
