//go:build linux

package mount

import "github.com/hanwen/go-fuse/v2/fuse"

// Drop has the kernel forget a name at the top, and all that is below it. It reports whether the kernel knew the name.
func (m *Server) Drop(name string) bool {
	return m.front.(*fuse.Server).EntryNotify(fuse.FUSE_ROOT_ID, name).Ok()
}
