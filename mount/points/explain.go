package points

import (
	"errors"
	"fmt"
	"iter"

	"snapmount/diffstore"
	"snapmount/diffstore/carve"
	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/layer"
)

// Piece says where a range of a file's content lies, all the way down, and why it lies there.
type Piece struct {
	Off, Len int64        // bytes, in the file
	Volume   int64        // byte offset on the volume at the point in time; -1 when it has none
	Sealed   int64        // byte offset on the volume of what BitLocker's key decrypts to it; -1 when it is not encrypted
	Why      string       // "unchanged since, on the live volume", "kept by store 3", "hole", ...
	Image    string       // the image file that holds the bytes; empty when none does
	ImageOff int64        // bytes, in that file; -1 when they are packed there
	Reason   layer.Reason // why its content is unknown; 0 when it is not
	Trust    Trust        // what it rests on at a point that was carved; else 0
	Err      error        // why it cannot be read, or nil
}

// Explain yields the pieces of a stream of p in order, without reading it. Neighbours that continue each other down to
// the image are one piece.
func (p *Point) Explain(m layer.Mapper) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		var held Piece
		more := p.explain(m, func(next Piece) bool {
			next.settle()
			if held.Len > 0 && next.continues(held) {
				held.Len += next.Len
				return true
			}
			if held.Len > 0 && !yield(held) {
				return false
			}
			held = next
			return true
		})
		if more && held.Len > 0 {
			yield(held)
		}
	}
}

// settle makes a reason an error, and tells the reason that an error has.
func (p *Piece) settle() {
	var unknown *layer.UnknownError
	if errors.As(p.Err, &unknown) {
		p.Reason = max(p.Reason, unknown.Why)
	} else if p.Err == nil && p.Reason > 0 {
		p.Err = &layer.UnknownError{Why: p.Reason, Off: p.Off, Len: p.Len}
	}
}

func (p Piece) continues(prev Piece) bool {
	after := func(a, b int64) bool { return b == a+prev.Len || a == -1 && b == -1 }
	return prev.Err == nil && p.Err == nil && prev.Why == p.Why && prev.Trust == p.Trust && prev.Image == p.Image &&
		after(prev.Volume, p.Volume) && after(prev.Sealed, p.Sealed) && (prev.Image == "" || after(prev.ImageOff, p.ImageOff))
}

func (p *Point) explain(m layer.Mapper, emit func(Piece) bool) bool {
	blocks, err := p.Blocks()
	if err != nil {
		return emit(Piece{Len: m.Size(), Volume: -1, Sealed: -1, Err: err})
	}
	for e, err := range layer.Extents(m, 0, m.Size()) {
		piece := Piece{Off: e.Off, Len: e.Len, Volume: -1, Sealed: -1, Err: err}
		switch {
		case err != nil:
		case e.Base == nil:
			piece.Why = "hole, or never written: reads as zeros"
		case e.Base != layer.Source(blocks):
			piece.Why = describe(e.Base)
			if packed, ok := e.Base.(layer.Packed); ok {
				piece.Err = layer.CheckPacked(packed)
			}
		default:
			if !p.onVolume(blocks, e, emit) {
				return false
			}
			continue
		}
		if !emit(piece) {
			return false
		}
	}
	return true
}

// onVolume explains an extent of clusters.
func (p *Point) onVolume(blocks layer.Mapper, e layer.Extent, emit func(Piece) bool) bool {
	if c := p.Carved; c != nil {
		for j := range c.Explain(e.BaseOff, e.Len) {
			if j.Trust == carve.Doubtful && p.doubtful() {
				j.Extent.Why = 0 // it is given
			}
			if !onStore(j.Explained, Piece{Off: e.Off + j.Off - e.BaseOff, Why: j.Origin(), Trust: j.Trust}, emit) {
				return false
			}
		}
		return true
	}
	view, isView := blocks.(*diffstore.View)
	if !isView {
		return onDisk(blocks, e.BaseOff, Piece{Off: e.Off, Len: e.Len, Volume: e.BaseOff, Sealed: -1, Why: "on the volume as imaged"}, emit)
	}
	for x := range view.Explain(e.BaseOff, e.Len) {
		if !onStore(x, Piece{Off: e.Off + x.Off - e.BaseOff, Why: x.Origin()}, emit) {
			return false
		}
	}
	return true
}

// onStore follows a piece that a snapshot has.
func onStore(x diffstore.Explained, piece Piece, emit func(Piece) bool) bool {
	piece.Len, piece.Volume, piece.Sealed, piece.Reason, piece.Err = x.Len, x.Off, -1, x.Extent.Why, x.Err
	if x.Err != nil || x.Base == nil {
		return emit(piece)
	}
	return onDisk(x.Base, x.BaseOff, piece, emit)
}

// onDisk follows a piece whose bytes are at off of s down to the image files, through what encrypts them.
func onDisk(s layer.Source, off int64, piece Piece, emit func(Piece) bool) bool {
	for e, err := range layer.Resolve(s, off, piece.Len) {
		part := piece
		d := e.Off - off
		part.Off, part.Volume, part.Len = piece.Off+d, piece.Volume+d, e.Len
		part.Reason, part.Err = max(piece.Reason, e.Why), errors.Join(piece.Err, err)
		if at, below, ok := bitlocker.Ciphertext(e.Base, e.BaseOff); ok && err == nil {
			if part.Sealed = at; below != nil {
				if !onDisk(below, e.BaseOff, part, emit) {
					return false
				}
				continue
			}
		} else if leaf, ok := e.Base.(layer.FileBacked); ok {
			part.Image, part.ImageOff = leaf.File().Name(), e.BaseOff
		} else if e.Base != nil {
			part.Image, part.ImageOff = describe(e.Base), -1
		}
		if !emit(part) {
			return false
		}
	}
	return true
}

// describe says what a leaf is that is no file.
func describe(s layer.Source) string {
	for e := range layer.Resolve(s, 0, 1) {
		s = e.Base
	}
	if leaf, ok := s.(layer.Described); ok {
		return leaf.Describe()
	}
	return fmt.Sprintf("%T", s)
}
