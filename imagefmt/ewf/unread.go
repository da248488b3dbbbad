package ewf

import (
	"cmp"
	"slices"
	"sort"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// unread gives the ranges of a disk of size bytes that were not read when the image was made, in order and joined. What
// the image says of them is a claim.
func unread(list []format.Sectors, sector, size int64) []format.Range {
	list = slices.SortedFunc(slices.Values(list), func(a, b format.Sectors) int { return cmp.Compare(a.First, b.First) })
	var ranges []format.Range
	for _, s := range list {
		if s.First < 0 || s.First >= size/sector || s.Count <= 0 {
			continue
		}
		off := s.First * sector
		end := off + min(s.Count, size/sector-s.First)*sector
		if last := len(ranges) - 1; last >= 0 && ranges[last].Off+ranges[last].Len >= off {
			ranges[last].Len = max(ranges[last].Len, end-ranges[last].Off)
			continue
		}
		ranges = append(ranges, format.Range{Off: off, Len: end - off})
	}
	for i, r := range ranges {
		ranges[i].Err = &layer.UnknownError{Why: layer.NotAcquired, Off: r.Off, Len: r.Len}
	}
	return ranges
}

// notAcquired reports whether the byte at off was not read when the image was made, and how many of the n bytes from
// there on were not, or were.
func (d *Disk) notAcquired(off, n int64) (bool, int64) {
	i := sort.Search(len(d.unread), func(i int) bool { return d.unread[i].Off+d.unread[i].Len > off })
	if i == len(d.unread) {
		return false, n
	}
	r := d.unread[i]
	if r.Off <= off {
		return true, min(n, r.Off+r.Len-off)
	}
	return false, min(n, r.Off-off)
}
