package diffstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

const (
	bitsPerBlock = payloadSize * 8
	pageWords    = payloadSize / 8
	// maxPages bounds the blocks of bitmaps that a volume keeps in memory as they are: 64 MiB.
	maxPages = 4096
)

// page holds the bits of one block of a bitmap: bit i%64 of word i/64 for block i of its range of the volume.
type page [pageWords]uint64

func decodePage(payload []byte) *page {
	p := new(page)
	for i := range p {
		p[i] = binary.LittleEndian.Uint64(payload[8*i:])
	}
	return p
}

// bitmap reads one of the bitmaps of a store, block by block as they are asked for.
type bitmap struct {
	s     *Snapshot
	name  string
	first uint64 // on the volume, 0 for none
	last  int64  // page
	room  int    // pages to keep

	mu     sync.Mutex
	pages  map[int64]*page
	chains []*bitmapChain // by area of s
	told   bool
}

// bitmapChain is where a bitmap is in one area.
type bitmapChain struct {
	area   area
	anchor record // of the first block
	err    error  // of the first block
	places []uint64
	broken error
	walked bool
}

func (s *Snapshot) newBitmap(name string, first uint64) *bitmap {
	b := &bitmap{s: s, name: name, first: first, last: (blocks(s.Size)+bitsPerBlock-1)/bitsPerBlock - 1, pages: map[int64]*page{}}
	b.room = max(2, maxPages/(2*len(s.vol.snapshots)))
	for _, a := range s.areas {
		b.chains = append(b.chains, &bitmapChain{area: a})
	}
	return b
}

// page returns the bits of page i, nil when the bitmap ends before. An error says that they cannot be read.
func (b *bitmap) page(i int64) (*page, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.pages[i]; ok {
		return p, nil
	}
	if b.first == 0 {
		return nil, fmt.Errorf("%s: not there", b.name)
	}
	var first error
	for n := range b.chains {
		p, err := b.from(n, i)
		if err == nil {
			for old := range b.pages {
				if len(b.pages) < b.room {
					break
				}
				delete(b.pages, old)
			}
			b.pages[i] = p
			return p, nil
		}
		if n == 0 {
			first = err
		}
	}
	return nil, fmt.Errorf("%s: %w", b.name, first)
}

// from reads page i from one area: first where it is if the bitmap is in one piece, which its own header then confirms
// twice over, else by the chain.
func (b *bitmap) from(n int, i int64) (*page, error) {
	c := b.chains[n]
	ch := chain{area: c.area, name: "bitmap", kind: typeBitmap, warn: b.s.warn, places: b.s.placement(n, gulp{})}
	if i == 0 || c.anchor.kind == 0 && c.err == nil {
		r, payload, err := ch.read(b.first)
		if c.anchor, c.err = r, err; i == 0 && err == nil {
			return decodePage(payload), nil
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	if !c.walked {
		if p := b.guessed(&ch, c.anchor, i); p != nil {
			return p, nil
		}
		c.walked = true
		c.broken = ch.each(b.s.vol.ctx, b.first, int(b.last+1), func(off uint64, _ record, _ []byte) bool {
			c.places = append(c.places, off)
			return true
		})
	}
	if i >= int64(len(c.places)) {
		return nil, c.broken
	}
	_, payload, err := ch.read(c.places[i])
	if err != nil {
		return nil, err
	}
	return decodePage(payload), nil
}

// guessed is page i where a bitmap in one piece has it, nil if that is another block.
func (b *bitmap) guessed(ch *chain, anchor record, i int64) *page {
	at := b.first + uint64(i)*BlockSize
	if anchor.next != b.first+BlockSize {
		return nil
	}
	r, payload, err := ch.read(at)
	if err == nil && r.relative == anchor.relative+uint64(i)*BlockSize && (r.next == at+BlockSize || i == b.last && r.next == 0) {
		return decodePage(payload)
	}
	return nil
}

// check reads the ends of the bitmap and returns what is wrong there.
func (b *bitmap) check() error {
	_, err := b.page(0)
	if err == nil && b.last > 0 {
		_, err = b.page(b.last)
	}
	return err
}

// tell warns once that a page cannot be read that check does not look at.
func (b *bitmap) tell(i int64, err error) {
	b.mu.Lock()
	told := b.told || i == 0 || i == b.last
	b.told = true
	b.mu.Unlock()
	if !told {
		b.s.warn(err)
	}
}

// readBits returns the whole bitmap that starts at first, bit i for block i, of which n matter; known is how many bits it
// has. An error leaves what was read before.
func readBits(ctx context.Context, a area, first uint64, n int64, warn func(error)) (set *roaring.Bitmap, known int64, err error) {
	set = roaring.New()
	if first == 0 {
		return set, 0, errors.New("no bitmap")
	}
	ch := chain{area: a, name: "bitmap", kind: typeBitmap, warn: warn}
	err = ch.each(ctx, first, int((n+bitsPerBlock-1)/bitsPerBlock), func(_ uint64, _ record, payload []byte) bool {
		set.Or(decodePage(payload).set(known))
		known += bitsPerBlock
		return true
	})
	known = min(known, n)
	set.RemoveRange(uint64(known), allBlocks)
	return set, known, err
}

// set returns the bits of p, the first of which is for block first.
func (p *page) set(first int64) *roaring.Bitmap {
	set := roaring.New()
	set.FromDense(p[:], true)
	set.RunOptimize()
	return roaring.AddOffset64(set, first)
}

// readBits takes the first area that has all of a bitmap, else what reaches farthest.
func (s *Snapshot) readBits(first uint64, n int64) (set *roaring.Bitmap, known int64, err error) {
	if len(s.areas) == 0 {
		return roaring.New(), 0, cmp.Or(s.lost, errors.New("no bitmap"))
	}
	for i, a := range s.areas {
		bits, k, e := readBits(s.vol.ctx, a, first, n, s.warn)
		if e == nil {
			return bits, k, nil
		}
		if i == 0 || k > known {
			set, known, err = bits, k, e
		}
	}
	return set, known, err
}
