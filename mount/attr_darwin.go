package mount

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/tree"
)

// fillPlatform adds the birth time, which macOS has in every stat.
func fillPlatform(out *fuse.Attr, a *tree.Attr) {
	out.Crtime_, out.Crtimensec_ = uint64(a.Created.Unix()), uint32(a.Created.Nanosecond())
}
