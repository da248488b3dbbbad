package points

import (
	"errors"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
)

// What looking for holes may cost, for each volume and point.
const (
	maxHoles  = 256     // of the file of the image
	maxRuns   = 1 << 14 // of clusters that are alike
	maxPoints = 8       // the oldest, from which most was freed since
)

// errEnough ends the looking for holes.
var errEnough = errors.New("enough")

// TellHoles warns of volumes with snapshots whose image file has holes where clusters are free now and were in use at a
// snapshot, which did not keep them because nobody wrote there since: where the file was made from the clusters in use
// alone, as by a backup program, they hold zeros that were never on the disk, and nothing tells. It is a bounded number of
// seeks and looks at $Bitmap.
func (s *Set) TellHoles() {
	for _, v := range s.Volumes {
		if v.Filesystem != "ntfs" || !strings.HasSuffix(v.Image.Disk.Format(), "raw") {
			continue // a container that keeps zeros says so
		}
		list := v.Snapshots()
		for _, p := range list[:min(len(list), maxPoints)] {
			if s.ctx.Err() != nil {
				return
			}
			n, at, err := p.inHoles()
			if err != nil || n == 0 {
				continue // what is wrong with a point is told where it is used
			}
			s.warn(fmt.Errorf("%s@%s: 0x%x bytes or more that it had in use, the first at 0x%x of the volume, are free now and holes of the image file: "+
				"if that was made from the clusters in use alone, files in it read as zeros where they were not", v.Name, p.Name, n, at))
			break
		}
	}
}

// inHoles counts the bytes that a point has in use and takes from holes of the image's file where the volume has free
// clusters now, and tells where the first are.
func (p *Point) inHoles() (bytes, first int64, err error) {
	now, err := p.Volume.Current().Files()
	if err != nil {
		return 0, 0, err
	}
	then, err := p.Files()
	if err != nil {
		return 0, 0, err
	}
	free, err := now.Allocation()
	if err != nil {
		return 0, 0, err
	}
	used, err := then.Allocation()
	if err != nil {
		return 0, 0, err
	}
	blocks, err := p.Blocks()
	if err != nil {
		return 0, 0, err
	}
	size := min(now.Size(), then.Size(), p.Size(), p.Volume.Block.Size())
	runs := 0
	err = holes(p.Volume.Block, size, func(off, n int64) error {
		for end := off + n; off < end; {
			if runs++; runs > maxRuns {
				return errEnough
			}
			inUse, k, err := free(off, end-off)
			if err == nil && !inUse {
				inUse, k, err = used(off, k)
				if err == nil && inUse {
					k, inUse, err = p.live(blocks, off, k)
				}
				if err == nil && inUse {
					if bytes == 0 {
						first = off
					}
					bytes += k
				}
			}
			if err != nil {
				return err
			}
			off += k
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return bytes, first, err
}

// live reports whether a point takes what is at off from the same place of the volume as it is now, and how many of n bytes
// from there are alike.
func (p *Point) live(blocks layer.Mapper, off, n int64) (k int64, same bool, err error) {
	then, err := layer.Leaf(blocks, off, n)
	if err != nil {
		return then.Len, false, nil //nolint:nilerr // damage is told where it is read
	}
	now, err := layer.Leaf(p.Volume.Block, off, then.Len)
	return min(then.Len, now.Len), err == nil && then.Kind == layer.Data && then.Base == now.Base && then.BaseOff == now.BaseOff, nil
}

// holes calls f with the ranges of the first size bytes of a volume that are holes of the image's file, where that holds
// them as they are.
func holes(block layer.Mapper, size int64, f func(off, n int64) error) error {
	seeks := 0
	for off := int64(0); off < size; {
		e, err := layer.Leaf(block, off, size-off)
		if err != nil {
			return err
		}
		file, ok := e.Base.(layer.Holed)
		for at, end := e.BaseOff, e.BaseOff+e.Len; ok && e.Kind == layer.Data && at < end; {
			if seeks++; seeks > maxHoles {
				return errEnough
			}
			hole, n, err := file.NextHole(at)
			if err != nil {
				return err
			}
			if n == 0 || hole >= end {
				break
			}
			n = min(n, end-hole)
			if err := f(off+hole-e.BaseOff, n); err != nil {
				return err
			}
			at = hole + n
		}
		off += e.Len
	}
	return nil
}
