package restore

import (
	"fmt"

	"snapmount/imagefmt/layer"
)

// Directories in one another are limited: each costs a descriptor as long as it is not finished, and all that is told of
// what is in it has its path.
const (
	mostDeep = 16384
	mostLong = 32767 // UTF-16 code units of a path: Windows has no longer ones
)

// within reports, as an error, that a directory is too deep; up is how many it is in.
func within(up int, path string) error {
	if most := maxDepth(); up >= most {
		return fmt.Errorf("more than %d directories deep: it can be restored by itself: %w", most, layer.ErrUnsupported)
	}
	if len(path) > mostLong && units(path) > mostLong {
		return fmt.Errorf("a path of more than %d UTF-16 code units: it can be restored by itself: %w", mostLong, layer.ErrUnsupported)
	}
	return nil
}

// units counts UTF-16 code units. A surrogate is three runes that are wrong, and so more than it should.
func units(path string) (n int) {
	for _, r := range path {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}
