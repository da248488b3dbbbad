package carve

import (
	"context"
	"fmt"
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
	// gulp is how much a scan reads at once.
	gulp = 4 << 20
	// maxHits bounds what is kept of a volume: more than 512 stores of 64 TiB have.
	maxHits = 1 << 22
)

// Scan looks for the metadata blocks of VSS all over a volume, of which it reads what the image keeps, in sequence. Where
// ctx ends, what was found until then is there beside its cause. Copies are blocks that belong elsewhere: they are inside
// of stores, or of an image that was moved.
func Scan(ctx context.Context, m layer.Mapper, progress layer.Progress) (hits []Hit, copies int, err error) {
	total := layer.MiB(m.Size())
	pace := newPace(total)
	for w, bad := range layer.Scan(dense{m}, m.Size(), diffstore.BlockSize, gulp) { // a reader ahead would cost a copy, and nothing here takes time
		if ctx.Err() != nil {
			return hits, copies, context.Cause(ctx)
		}
		progress.Tell(pace.words(layer.MiB(w.Off)), layer.MiB(w.Off), total)
		for at := 0; bad == nil && at+diffstore.BlockSize <= len(w.Data); at += diffstore.BlockSize {
			h, ok := diffstore.DecodeHead(w.Data[at:])
			switch {
			case !ok:
			case h.Current != uint64(w.Off)+uint64(at):
				copies++
			case len(hits) == maxHits:
				return hits, copies, fmt.Errorf("more than %d blocks of shadow copies: %w", maxHits, layer.ErrUnsupported)
			default:
				hits = append(hits, Hit{int64(h.Current), h.Kind, h.Relative, h.Next})
			}
		}
	}
	progress.Tell(pace.words(total), total, total)
	return hits, copies, ctx.Err()
}

// dense is a volume of which large holes of the image's file are zeros, so that nobody reads them.
type dense struct{ layer.Mapper }

const (
	largeHole = 1 << 20
	maxSeeks  = 256 // for an extent that has small ones alone
)

// At finds the next large hole, or cuts the extent where there are too many small ones before.
func (d dense) At(off, n int64) (layer.Extent, error) {
	e, err := layer.Leaf(d.Mapper, off, n)
	file, ok := e.Base.(layer.Holed)
	if err != nil || !ok || e.Kind != layer.Data {
		return e, err
	}
	at, end := e.BaseOff, e.BaseOff+e.Len
	for range maxSeeks {
		hole, size, err := file.NextHole(at)
		switch {
		case err != nil || size == 0 || hole >= end: // what cannot be told of is read
			return e, nil
		case size < largeHole:
			if at = hole + size; at >= end {
				return e, nil
			}
		case hole > e.BaseOff:
			e.Len = hole - e.BaseOff
			return e, nil
		default:
			return layer.Extent{Off: e.Off, Len: min(e.Len, size), Kind: layer.Zero}, nil
		}
	}
	e.Len = at - e.BaseOff
	return e, nil
}

// pace tells how fast a scan goes.
type pace struct {
	start time.Time
	total int64 // MiB
}

func newPace(total int64) pace { return pace{time.Now(), total} }

// words say what is done, with the rate and the time left once these can be told.
func (p pace) words(done int64) string {
	const what = "looking for deleted snapshots"
	spent := time.Since(p.start)
	if done == 0 || spent < time.Second {
		return what + ", MiB"
	}
	rate := float64(done) / spent.Seconds()
	left := time.Duration(float64(p.total-done) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%s (%.0f MiB/s, %s left), MiB", what, rate, left)
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
