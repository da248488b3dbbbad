package ntfs

import (
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/maypok86/otter/v2"

	"snapmount/imagefmt/layer"
)

// DefaultCache is the size of a Cache that none was asked for, in bytes.
const DefaultCache = 128 << 20

// A Cache keeps what trees have read and decoded, up to one number of bytes for all of them. What two trees find at the
// same place of the same image, as points in time do wherever nothing changed between them, is kept once. All methods
// may be called concurrently; no lock is held while anything is read.
type Cache struct {
	held    *otter.Cache[key, item]
	mu      sync.Mutex
	upcases map[[sha256.Size]byte]*upcase // one for all trees, mostly; they stay
}

// An item is what a Cache keeps. It is immutable, or changes without being seen to.
type item interface{ cost() int } // bytes

// key names what is decoded from n bytes by the place where they lie.
type key struct {
	kind   itemKind
	base   any   // the leaf Source that holds the bytes; or, where they are scattered, whose they are
	off, n int64 // bytes, in base
	number int64 // what else the decoding depends on
}

type itemKind uint8

const (
	keptRecords itemKind = iota
	keptBlock
	keptLZNT1
	keptWOF
	keptDirectory
	keptDescriptor
)

// perItem is about what keeping an item costs beside its bytes.
const perItem = 256

// NewCache returns a Cache of that many bytes; 0 is DefaultCache.
func NewCache(bytes int64) *Cache {
	if bytes <= 0 {
		bytes = DefaultCache
	}
	return &Cache{
		held: otter.Must(&otter.Options[key, item]{
			MaximumWeight: uint64(bytes),
			Weigher:       func(_ key, v item) uint32 { return uint32(min(v.cost()+perItem, 1<<31)) },
			Executor:      func(f func()) { f() }, // a goroutine for each bit of upkeep costs more than the upkeep
		}),
		upcases: map[[sha256.Size]byte]*upcase{},
	}
}

// load returns what is kept under k as a T. A Cache that is nil keeps nothing.
func load[T item](c *Cache, k key) (v T, ok bool) {
	if c == nil {
		return v, false
	}
	i, ok := c.held.GetIfPresent(k)
	if !ok {
		return v, false
	}
	v, ok = i.(T)
	return v, ok
}

func (c *Cache) store(k key, v item) {
	if c != nil {
		c.held.Set(k, v)
	}
}

// place is the key of what is decoded from [off, off+n) of m. Bytes in one piece are found by every tree that maps
// to them; others by this tree only, which knows them as own.
func (t *Tree) place(kind itemKind, m layer.Source, off, n, number, own int64) key {
	if e, err := layer.Leaf(m, off, n); err == nil && e.Len == n && e.Kind == layer.Data && lasting(e.Base) {
		return key{kind, e.Base, e.BaseOff, n, number}
	}
	return key{kind, t, off, n, own}
}

// lasting reports whether a leaf is the same for all who come to it: those that a stream makes of itself are not.
func lasting(s layer.Source) bool {
	switch s.(type) {
	case unitSource, wofChunk, *residentValue:
		return false
	}
	return true
}

// extents returns where [off, off+n) of m lies, and whether all of it is Data.
func extents(m layer.Source, off, n int64) ([]layer.Extent, bool) {
	var list []layer.Extent
	for e, err := range layer.Resolve(m, off, n) {
		if err != nil || e.Kind != layer.Data || !lasting(e.Base) {
			return nil, false
		}
		e.Off -= off
		list = append(list, e)
	}
	return list, len(list) > 0
}

// sameUpcase returns a table that was here before with the same content, or u.
func (c *Cache) sameUpcase(raw []byte, u *upcase) *upcase {
	sum := sha256.Sum256(raw)
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.upcases[sum]; ok {
		return old
	}
	const most = 64
	if len(c.upcases) < most {
		c.upcases[sum] = u
	}
	return u
}

// A scattered item is decoded from bytes in several places, of which its key names the first only.
type scattered struct {
	where []layer.Extent
	item
}

// unitAt returns what decode makes of [off, off+n) of m, from the cache where the very same bytes of the image were
// decoded before. kind and number say how. Bytes that are not all Data are not kept.
func unitAt[T item](t *Tree, kind itemKind, m layer.Source, off, n, number int64, decode func(raw []byte) (T, error)) (T, error) {
	where, whole := extents(m, off, n)
	var k key
	if whole {
		k = key{kind, where[0].Base, where[0].BaseOff, n, number}
		if s, ok := load[scattered](t.cache, k); ok && slices.Equal(s.where, where) {
			if v, ok := s.item.(T); ok {
				return v, nil
			}
		}
	}
	raw := make([]byte, n)
	if err := layer.ReadFull(m, raw, off); err != nil {
		var none T
		return none, err
	}
	v, err := decode(raw)
	if err == nil && whole {
		t.cache.store(k, scattered{where, v})
	}
	return v, err
}
