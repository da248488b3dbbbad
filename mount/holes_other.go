//go:build darwin || freebsd

package mount

import "snapmount/imagefmt/layer"

// inFile is Linux's: elsewhere an image file is all data.
func inFile(e layer.Extent, _ int, other bool) (int64, bool) { return e.Off, other }
