//go:build darwin || freebsd

package mount

import (
	"os"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func spliced(_ *os.File, _, _ int64) (fuse.ReadResult, bool) { return nil, false }
