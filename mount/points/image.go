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
	if err == nil && p.unknown == layer.Zeros {
		return filled{blocks}, nil
	}
	view, ok := blocks.(*diffstore.View)
	if err != nil || p.unknown != layer.Fail || p.doubtful() || p.Carved == nil && (!ok || view.Damage() == nil) {
		return blocks, err
	}
	return damagedImage{blocks}, nil
}

// Block is the disk of an image, to be read as a whole: as far as Options.Unknown is layer.Zeros, with zeros for what is
// not there.
func (s *Set) Block(img *Image) layer.Mapper {
	if s.opts.Unknown == layer.Zeros {
		return filled{img.Disk}
	}
	return img.Disk
}

// filled reads as zeros what nothing stands for.
type filled struct{ layer.Mapper }

func (f filled) ReadAt(p []byte, off int64) (int, error) {
	return layer.Read(f.Mapper, p, off, layer.LiveOrZeros)
}

// damagedImage is a point whose incomplete ranges are errors.
type damagedImage struct{ view layer.Mapper }

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
