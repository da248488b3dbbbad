//go:build linux || freebsd

package mount

import "github.com/hanwen/go-fuse/v2/fuse"

func fillPlatform(out *fuse.Attr, _ attr) { out.Blksize = blockSize }
