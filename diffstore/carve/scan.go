package carve

import (
	"context"
	"fmt"
	"iter"
	"time"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
)

// A Hit is a metadata block of VSS that says to be where it is.
type Hit struct {
	Off      int64  `json:"off"` // bytes, on the volume
	Kind     uint32 `json:"kind"`
	Relative uint64 `json:"relative"` // bytes, in its file
	Next     uint64 `json:"next,omitempty"`
}

const (
	// gulp is how much a scan reads at once. What is done with it takes no time that counts beside the reading.
	gulp = 4 << 20
	// maxHits bounds what is kept of a volume: more than 512 stores of 64 TiB have.
	maxHits = 1 << 22
)

// Scan looks for the metadata blocks of VSS all over a volume, of which it reads what the image keeps, in sequence. Where
// ctx ends, what was found until then is there beside its cause. Copies are blocks that belong elsewhere: they are inside
// of stores, or of an image that was moved.
func Scan(ctx context.Context, m layer.Mapper, progress layer.Progress) (hits []Hit, copies int, err error) {
	size := m.Size() &^ (diffstore.BlockSize - 1)
	total := layer.MiB(m.Size())
	pace := &pace{start: time.Now(), total: total}
	buf := make([]byte, min(gulp, size))
	for off := int64(0); off < size; {
		if ctx.Err() != nil {
			return hits, copies, context.Cause(ctx)
		}
		n, kept := keptAt(m, off, size-off)
		if !kept {
			off += n
			continue
		}
		progress.Tell(pace.words(layer.MiB(off)), layer.MiB(off), total)
		n = min(n, gulp)
		for at := range readable(m, buf[:n], off) {
			h, ok := diffstore.DecodeHead(buf[at:])
			switch {
			case !ok:
			case h.Current != uint64(off+at):
				copies++
			case len(hits) == maxHits:
				return hits, copies, fmt.Errorf("more than %d blocks of shadow copies: %w", maxHits, layer.ErrUnsupported)
			default:
				hits = append(hits, Hit{off + at, h.Kind, h.Relative, h.Next})
			}
		}
		pace.read += n
		off += n
	}
	progress.Tell(pace.words(total), total, total)
	return hits, copies, nil
}

// keptAt reports whether the image keeps what is at off, and of how many of the n bytes that holds, in whole blocks.
func keptAt(m layer.Mapper, off, n int64) (int64, bool) {
	const unit = diffstore.BlockSize
	e, err := layer.Leaf(m, off, n)
	if err != nil || e.Kind != layer.Data {
		if e.Len < unit { // another extent begins in the block
			return unit, true
		}
		return e.Len &^ (unit - 1), false
	}
	if holed, ok := e.Base.(layer.Holed); ok {
		at, hole, err := holed.NextHole(e.BaseOff)
		switch before := at - e.BaseOff; {
		case err != nil || hole == 0 || before >= e.Len:
		case before <= 0 && hole+before >= unit:
			return min(hole+before, e.Len) &^ (unit - 1), false
		default:
			e.Len = max(before, 1)
		}
	}
	return min((e.Len+unit-1)&^(unit-1), n), true
}

// readable reads off of m, and yields where in b the blocks are that could be read.
func readable(m layer.Mapper, b []byte, off int64) iter.Seq[int64] {
	const unit = diffstore.BlockSize
	return func(yield func(int64) bool) {
		whole := layer.ReadFull(m, b, off) == nil
		for at := int64(0); at+unit <= int64(len(b)); at += unit {
			if (whole || layer.ReadFull(m, b[at:][:unit], off+at) == nil) && !yield(at) {
				return
			}
		}
	}
}

// pace tells how fast a scan goes.
type pace struct {
	start time.Time
	total int64 // MiB of the volume
	read  int64 // bytes
}

// words say what is done up to a place of the volume, in MiB, with the rate and the time left once these can be told.
func (p *pace) words(done int64) string {
	const what = "looking for deleted snapshots"
	spent := time.Since(p.start)
	if done == 0 || spent < time.Second {
		return what + ", MiB"
	}
	left := time.Duration(float64(spent) / float64(done) * float64(p.total-done)).Round(time.Second)
	return fmt.Sprintf("%s (%.0f MiB/s, %s left), MiB", what, float64(p.read>>20)/spent.Seconds(), left)
}

// headAt reads what begins a metadata block at a place, if it says to be there.
func headAt(src layer.Source, off int64) (diffstore.Head, bool) {
	var b [diffstore.HeadSize]byte
	if off < 0 || off > src.Size()-diffstore.BlockSize || layer.ReadFull(src, b[:], off) != nil {
		return diffstore.Head{}, false
	}
	h, ok := diffstore.DecodeHead(b[:])
	return h, ok && h.Current == uint64(off)
}

// Has reports whether a hit is on the volume.
func (p *Place) Has(h Hit) bool {
	head, ok := headAt(p.Volume, h.Off)
	return ok && head.Kind == h.Kind && head.Relative == h.Relative && head.Next == h.Next
}

// probe looks at the beginning of a store file, where Windows puts all records but those of the block list, some copies
// among them, and stops where both bitmaps are complete.
func probe(src layer.Source, pieces []diffstore.Piece, size int64) (out []Hit) {
	const slack = 256
	want := (size-1)/(diffstore.BlockSize*bitsPerBlock) + 1
	bitmaps := int64(0)
	for n := int64(0); n < 2*want+slack && bitmaps < 2*want; n++ {
		relative := n * diffstore.BlockSize
		off, ok := piece(pieces, relative)
		if !ok {
			break
		}
		h, ok := headAt(src, off)
		if !ok || h.Relative != uint64(relative) || h.Kind == diffstore.CatalogRecord {
			continue
		}
		if h.Kind == diffstore.BitmapRecord {
			bitmaps++
		}
		out = append(out, Hit{off, h.Kind, h.Relative, h.Next})
	}
	return out
}
