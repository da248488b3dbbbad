//go:build darwin || freebsd

package mount

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/imagefmt/layer"
)

// spliced is for systems whose FUSE has no splice.
func spliced(layer.Source, int64, int64) (fuse.ReadResult, bool) { return nil, false }
