package points

import (
	"fmt"
	"iter"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// Image is the block image of a point: what the Windows driver would give, ranges that a snapshot does not define
// included. Ranges that only damage leaves open, of which the driver says nothing, are errors, unless Options.Unknown
// fills them.
func (p *Point) Image() (layer.Mapper, error) {
	blocks, err := p.Blocks()
	view, ok := blocks.(*diffstore.View)
	if err != nil || !ok || view.Damage() == nil || p.unknown != ntfs.UnknownError {
		return blocks, err
	}
	return damagedImage{view}, nil
}

// damagedImage is a View whose incomplete ranges are errors.
type damagedImage struct{ view *diffstore.View }

func (d damagedImage) Size() int64 { return d.view.Size() }

func (d damagedImage) ReadAt(p []byte, off int64) (int, error) { return layer.ReadAt(d, p, off) }

func (d damagedImage) Extents(off, n int64) iter.Seq2[layer.Extent, error] {
	return layer.Coalesce(func(yield func(layer.Extent, error) bool) {
		for x := range d.view.Explain(off, n) {
			err := x.Err
			if err == nil && x.Reason == diffstore.Incomplete {
				err = fmt.Errorf("0x%x bytes at 0x%x: %v: %w", x.Len, x.Off, x.Origin, layer.ErrUnknown)
			}
			if err != nil {
				x.Extent = layer.Extent{Off: x.Off, Len: x.Len}
			}
			if !yield(x.Extent, err) {
				return
			}
		}
	})
}

// DamagedError says that an error has its cause in the damage of a snapshot.
type DamagedError struct {
	Err    error
	Damage error // of the snapshot's own store, or of newer ones it is read through
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%v; this point in time is damaged: %s", e.Err, oneLine(e.Damage))
}

// Unwrap gives the error itself.
func (e *DamagedError) Unwrap() error { return e.Err }

// Is makes it an error of damage.
func (e *DamagedError) Is(target error) bool { return target == layer.ErrCorrupt }
