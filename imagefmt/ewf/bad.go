package ewf

import (
	"maps"
	"slices"

	"snapmount/imagefmt/format"
)

// Bad returns the ranges of damaged chunks that reading met so far, about a thousand chunks at most, in order. Verify
// tells of all.
func (d *Disk) Bad() []format.Range {
	d.told.mu.Lock()
	defer d.told.mu.Unlock()
	var r format.Result
	for _, c := range slices.Sorted(maps.Keys(d.told.chunks)) {
		r.AddBad(c*d.chunkSize, d.chunkLen(c), d.told.chunks[c])
	}
	return r.Bad
}
