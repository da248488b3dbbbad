package mount

import "github.com/hanwen/go-fuse/v2/fuse"

// fillPlatform adds the birth time, which macOS has in every stat.
func fillPlatform(out *fuse.Attr, a attr) {
	out.Crtime_, out.Crtimensec_ = uint64(a.btime.Unix()), uint32(a.btime.Nanosecond())
}
