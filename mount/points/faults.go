package points

import (
	"errors"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
)

// maxExtents is how many extents of a disk are looked at for what of a volume is not in the image.
const maxExtents = 1 << 20

// Faults tells what is wrong with an image as a whole, an error each: what opening its files found, damaged partition
// tables, and volumes that cannot be opened.
func (s *Set) Faults(img *Image) (list []error) {
	list = append(list, img.Disk.Faults()...)
	if errors.Is(img.TableErr, layer.ErrCorrupt) {
		list = append(list, img.TableErr)
	}
	for _, e := range s.Unopened(img) {
		list = append(list, e)
	}
	return list
}

// Faults tells what is wrong with the volume as imaged, apart from its snapshots, an error each: that it is cut off, that
// ranges of it are not in the image, and what ntfs.Tree.Faults tells. It reads tables alone.
func (v *Volume) Faults() (list []error) {
	if size := v.Image.Disk.Size(); v.Partition.Len > size-v.Partition.Off {
		list = append(list, layer.Corrupt("volume", v.Partition.Off, "cut off: 0x%x bytes are in the image of 0x%x", max(size-v.Partition.Off, 0), v.Partition.Len))
	}
	list = append(list, v.unread()...)
	if v.Encryption != nil {
		list = append(list, slices.DeleteFunc(v.Encryption.Warnings(), func(err error) bool { return !errors.Is(err, layer.ErrCorrupt) })...)
	}
	if v.Filesystem != "ntfs" {
		return list
	}
	t, err := v.Current().Files()
	if err != nil {
		return append(list, err)
	}
	return append(list, t.Faults()...)
}

// unread tells for each reason how many ranges of the volume, and bytes, were not read when the image was made or are in
// a missing part of it.
func (v *Volume) unread() (list []error) {
	type sum struct{ ranges, bytes, first int64 }
	block := v.Block
	if v.Encryption != nil {
		block = v.Encryption.sealed
	}
	var sums [layer.Missing + 1]sum
	seen := 0
	for e, err := range layer.Resolve(block, 0, min(block.Size(), v.Image.Disk.Size()-v.Partition.Off)) {
		if seen++; seen > maxExtents {
			list = append(list, fmt.Errorf("more than %d extents: whether all of it is in the image was looked at up to 0x%x", maxExtents, e.Off))
			break
		}
		if err != nil || e.Kind != layer.Unknown || e.Why < layer.NotAcquired {
			continue // an error is one of the disk's tables, which its own faults tell
		}
		x := &sums[e.Why]
		if x.ranges == 0 {
			x.first = e.Off
		}
		x.ranges++
		x.bytes += e.Len
	}
	for why, x := range sums {
		if x.ranges > 0 {
			list = append(list, fmt.Errorf("%d ranges, the first at 0x%x, %d bytes in all: %w", x.ranges, x.first, x.bytes,
				&layer.UnknownError{Why: layer.Reason(why), Off: x.first, Len: x.bytes}))
		}
	}
	return list
}
