//go:build linux || freebsd

package mount

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/tree"
)

func fillPlatform(out *fuse.Attr, _ *tree.Attr) { out.Blksize = blockSize }
