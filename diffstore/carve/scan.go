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
	for w, bad := range windows(ctx, m) {
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

// windows reads m in pieces, one ahead of what is looked at.
func windows(ctx context.Context, m layer.Mapper) func(func(layer.Window, error) bool) {
	type read struct {
		layer.Window
		err error
	}
	return func(yield func(layer.Window, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ready, spare := make(chan read), make(chan []byte, 2)
		spare <- nil
		spare <- nil
		go func() {
			defer close(ready)
			for w, err := range layer.Scan(m, m.Size(), diffstore.BlockSize, gulp) {
				var b []byte
				select {
				case b = <-spare:
				case <-ctx.Done():
					return
				}
				w.Data = append(b[:0], w.Data...)
				select {
				case ready <- read{w, err}:
				case <-ctx.Done():
					return
				}
			}
		}()
		for r := range ready {
			if !yield(r.Window, r.err) {
				return
			}
			spare <- r.Data
		}
	}
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
