//go:build linux || darwin || freebsd

package mount

import (
	"syscall"

	"snapmount/mount/tree"
	"snapmount/ntfs"
)

// virtualChild finds an entry of a virtual directory.
func (f *fileSystem) virtualChild(n node, name string) (node, error) {
	if n.link != "" {
		return node{}, syscall.ENOTDIR
	}
	dir := tree.Virtual{Item: n.item, Path: n.virtual}
	found, err := dir.Child(name)
	if err != nil {
		return node{}, err
	}
	return f.found(dir, found)
}

// virtualEntries lists a virtual directory. With an error, what could be had is there too.
func (f *fileSystem) virtualEntries(n node) ([]named, error) {
	dir := tree.Virtual{Item: n.item, Path: n.virtual}
	entries, err := dir.Entries()
	var out []named
	for _, e := range entries {
		c, err := f.found(dir, e)
		if err != nil {
			return out, err
		}
		out = append(out, named{e.Name, c})
	}
	return out, err
}

func (f *fileSystem) found(dir tree.Virtual, e tree.Found) (node, error) {
	if e.File != nil {
		return wrap(e.Point, e.File)
	}
	n := node{item: dir.Item, virtual: dir.Join(e.Name).Path, link: e.Link}
	n.id = f.table.id(tableKey{kind: kindVirtual, stream: n.virtual, link: n.link, other: n.item.ID})
	return n, nil
}

// mode is what stat shows of a node, as far as listings need it.
func (n node) mode() uint32 {
	switch {
	case n.item != nil && n.link != "" || n.part == partSame:
		return syscall.S_IFLNK | 0o777
	case n.item != nil:
		return itemMode(n.item)
	case n.file.Kind == ntfs.KindDir:
		return syscall.S_IFDIR | 0o555
	}
	return kindMode(n.file.Kind) | 0o444
}

// kindMode is the file type of what has no entries of its own. Of a device it is all that is shown: the numbers stay 0, and
// the mount is nodev.
func kindMode(k ntfs.Kind) uint32 {
	switch k {
	case ntfs.KindDir:
		return syscall.S_IFDIR
	case ntfs.KindSymlink:
		return syscall.S_IFLNK
	case ntfs.KindCharDevice:
		return syscall.S_IFCHR
	case ntfs.KindBlockDevice:
		return syscall.S_IFBLK
	case ntfs.KindFIFO:
		return syscall.S_IFIFO
	case ntfs.KindSocket:
		return syscall.S_IFSOCK
	}
	return syscall.S_IFREG
}
