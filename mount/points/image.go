package points

import (
	"fmt"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
)

// Image is the block image of a point: what the Windows driver would give, ranges that a snapshot does not define
// included. Ranges that only damage leaves open, of which the driver says nothing, are errors, unless Options.Unknown
// fills them.
func (p *Point) Image() (layer.Mapper, error) {
	blocks, err := p.Blocks()
	view, ok := blocks.(*diffstore.View)
	if err != nil || !ok || view.Damage() == nil || p.unknown != layer.Fail {
		return blocks, err
	}
	return damagedImage{view}, nil
}

// damagedImage is a View whose incomplete ranges are errors.
type damagedImage struct{ view *diffstore.View }

func (d damagedImage) Size() int64 { return d.view.Size() }

func (d damagedImage) ReadAt(p []byte, off int64) (int, error) {
	return layer.Read(d, p, off, layer.Live)
}

func (d damagedImage) At(off, n int64) (layer.Extent, error) {
	e, err := d.view.At(off, n)
	if err == nil && e.Why > layer.Unprotected {
		err = &layer.UnknownError{Why: e.Why, Off: e.Off, Len: e.Len}
	}
	return e, err
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
