package carve

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// A Remnant is a file record of a store file, in use or not: what a file system still says of it.
type Remnant struct {
	ID      wintype.GUID // by the file's name
	File    uint64       // reference
	Created time.Time
	LSN     uint64 // of its last change: of its deletion, where it is not in use
	InUse   bool
	Pieces  []diffstore.Piece // its runs

	found bool // a store
}

// A Place is a volume that may hold stores.
type Place struct {
	Volume   layer.Mapper
	Remnants []Remnant
	Hits     []Hit // of a scan, or nil
	// Witness tells of its files now. It is asked once stores were found.
	Witness func() (*Witness, error)
}

// found is a store that was found, with what is known of it alone.
type found struct {
	diffstore.Store
	place   *Place
	remnant *Remnant
	how     string // "record", "header", "table" or "list"

	snap     *diffstore.Snapshot // in a stack of its own
	link     diffstore.Link
	linkErr  error
	made     uint64    // greatest log sequence number of the records that it keeps
	changed  time.Time // of the record that was changed last of these: programs can set any time, and few set that one
	position uint64    // in the catalog, of a live one
	by       Evidence
	unique   bool // its bitmap follows one store alone

	heads  []Hit              // its metadata blocks, in the order of its file
	want   int                // blocks that a bitmap has
	torn   error              // a block of its list is written over
	shared map[int64][]*found // blocks that other stores have too
}

// piece maps a place in a store file to the volume.
func piece(pieces []diffstore.Piece, relative int64) (off int64, ok bool) {
	for _, p := range pieces {
		if relative >= p.At && relative < p.At+p.Len {
			return p.Off + relative - p.At, true
		}
	}
	return 0, false
}

// contiguous is the map of a store file of which nothing tells the runs.
func contiguous(base int64) []diffstore.Piece { return []diffstore.Piece{{Off: base, Len: 1 << 46}} }

// bitsPerBlock is how many blocks of a volume one block of a bitmap tells of.
const bitsPerBlock = (diffstore.BlockSize - diffstore.HeadSize) * 8

// stores finds the stores of a place that may be of a volume of size bytes: by file records, and by hits.
func (p *Place) stores(ctx context.Context, size int64) (list []*found) {
	taken := map[int64]bool{}
	add := func(base int64, how string, r *Remnant) {
		if taken[base] || base < 0 {
			return
		}
		if f := p.storeAt(ctx, base, size, r); f != nil {
			f.how = how
			if r != nil {
				r.found = true
			}
			taken[base] = true
			list = append(list, f)
		}
	}
	for _, r := range p.newest() {
		if len(r.Pieces) > 0 && r.Pieces[0].At == 0 {
			add(r.Pieces[0].Off, "record", r)
		}
	}
	for _, of := range []struct {
		kind     uint32
		relative uint64
		how      string
	}{{diffstore.StoreRecord, 0, "header"}, {diffstore.ListRecord, diffstore.BlockSize, "table"}, {diffstore.RangesRecord, 2 * diffstore.BlockSize, "range list"}} {
		for _, h := range p.Hits {
			if h.Kind == of.kind && h.Relative == of.relative {
				add(h.Off-int64(h.Relative), of.how, nil)
			}
		}
	}
	return list
}

// newest returns the remnants, those in use first and then the ones that were deleted last: of two whose files began at the
// same place, the later one's store is what is there.
func (p *Place) newest() (list []*Remnant) {
	for i := range p.Remnants {
		list = append(list, &p.Remnants[i])
	}
	slices.SortStableFunc(list, func(a, b *Remnant) int {
		if a.InUse != b.InUse {
			return map[bool]int{true: -1, false: 1}[a.InUse]
		}
		return cmp.Compare(b.LSN, a.LSN)
	})
	return list
}

// storeAt tells of the store whose file begins at base; nil when nothing of it is there.
func (p *Place) storeAt(ctx context.Context, base, size int64, r *Remnant) *found {
	f := &found{place: p, remnant: r}
	f.On = p.Volume
	pieces := contiguous(base)
	if r != nil {
		f.ID, f.Created, f.File, f.Pieces, pieces = r.ID, r.Created, r.File, r.Pieces, r.Pieces
	} else if h, ok := headAt(p.Volume, base+2*diffstore.BlockSize); ok && h.Kind == diffstore.RangesRecord {
		if list := diffstore.Ranges(ctx, p.Volume, h.Current); list != nil {
			first := list[0].At
			pieces = append([]diffstore.Piece{{Off: base, Len: max(first, 3*diffstore.BlockSize)}}, list...)
		}
	}
	if p.Hits != nil {
		f.heads = p.owned(pieces)
	} else {
		f.heads = probe(p.Volume, pieces, size)
	}
	f.want = int((size-1)/(diffstore.BlockSize*bitsPerBlock) + 1)
	f.take(f.heads, f.want)
	if f.Header == 0 && f.List == 0 && f.Current == 0 {
		return nil
	}
	return f
}

// owned returns the hits of a store by its map, in the order of its file.
func (p *Place) owned(pieces []diffstore.Piece) (out []Hit) {
	for _, h := range p.Hits {
		if off, ok := piece(pieces, int64(h.Relative)); ok && off == h.Off && h.Kind != diffstore.CatalogRecord {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b Hit) int { return cmp.Compare(a.Relative, b.Relative) })
	return out
}

// deleted reports whether the blocks of the store may have been used again.
func (f *found) deleted() bool { return f.Live == nil && (f.remnant == nil || !f.remnant.InUse) }

// whole leaves out the metadata blocks of which something is written over: their beginning alone may be left.
func (f *found) whole() {
	if !f.deleted() {
		return
	}
	for off := range f.lists() {
		if f.taken(off) == Lost {
			f.torn = layer.Corrupt("block list", off, "something is written over it")
		}
	}
	left := slices.DeleteFunc(slices.Clone(f.heads), func(h Hit) bool { return f.taken(h.Off) == Lost })
	if len(left) < len(f.heads) {
		f.heads = left
		f.Header, f.List, f.Ranges, f.Current, f.Previous = 0, 0, 0, 0, 0
		f.take(left, f.want)
	}
}

// lists yields where the blocks of the block list are, as far as each leads to the next one.
func (f *found) lists() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		seen := map[uint64]bool{}
		for off := f.List; off != 0 && !seen[off]; {
			seen[off] = true
			h, ok := headAt(f.On, int64(min(off, 1<<62)))
			if !ok || h.Kind != diffstore.ListRecord || !yield(int64(off)) {
				return
			}
			off = h.Next
		}
	}
}

// take fills in where the records of the store are.
func (f *found) take(heads []Hit, want int) {
	next, by := map[int64]bool{}, map[int64]Hit{}
	for _, h := range heads {
		if h.Kind == diffstore.BitmapRecord {
			next[int64(h.Next)], by[h.Off] = true, h
		}
	}
	var bitmaps []Hit
	for _, h := range heads {
		switch {
		case h.Kind == diffstore.StoreRecord && h.Relative == 0:
			f.Header = uint64(h.Off)
		case h.Kind == diffstore.ListRecord && h.Relative == diffstore.BlockSize:
			f.List = uint64(h.Off)
		case h.Kind == diffstore.RangesRecord && f.Ranges == 0:
			f.Ranges = uint64(h.Off)
		case h.Kind == diffstore.BitmapRecord && !next[h.Off]:
			bitmaps = append(bitmaps, h)
		}
	}
	f.bitmaps(bitmaps, by, want)
}

// chainOf is a bitmap that was found: its first block, and how many there are.
type chainOf struct {
	first Hit
	pages int
}

// bitmaps takes the chains of bitmaps, of which the one that comes first in the file is the current one: both are as long as
// the volume asks for. What is shorter has lost blocks, and where another one may have stood before the only one, that is
// not known to be the current one.
func (f *found) bitmaps(firsts []Hit, by map[int64]Hit, want int) {
	var chains []chainOf
	for _, h := range firsts {
		n, ok := 0, true
		for at := h; ok && n <= want; n++ {
			at, ok = by[int64(at.Next)]
		}
		chains = append(chains, chainOf{h, n})
	}
	last := len(chains) - 1
	if last < 0 {
		return
	}
	early := chains[0].first.Relative < 3*diffstore.BlockSize+uint64(want)*diffstore.BlockSize
	if chains[0].pages == want && (early || last > 0) {
		f.Current = uint64(chains[0].first.Off)
	}
	if last > 0 && chains[last].pages == want {
		f.Previous = uint64(chains[last].first.Off)
	}
}
