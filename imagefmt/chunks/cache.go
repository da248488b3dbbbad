// Package chunks keeps what was unpacked of a disk whose pieces are packed one by one, and unpacks on other cores what a
// reader in sequence will want next.
package chunks

import (
	"math"
	"sync"
	"sync/atomic"
)

const (
	cacheBytes = 32 << 20 // unpacked pieces kept in memory
	maxUnits   = 4 << 10  // of the cache, however small
	ways       = 4        // units in which a piece may be
)

// Loader makes a piece, whose bytes nobody changes after that. It may be called concurrently, and again for the same piece.
type Loader func(piece int64) ([]byte, error)

// Cache keeps pieces, by their number. It may be used concurrently, and holds no lock while it loads.
type Cache struct {
	load  Loader
	count int64
	units []atomic.Pointer[unit] // sets of ways, by number modulo their number
	clock atomic.Uint64          // when a unit was last used
	ahead readAhead
}

// unit is a piece in the cache. The first who asks loads it; only who wants the same one waits.
type unit struct {
	piece int64
	used  atomic.Uint64
	once  sync.Once
	data  []byte
	err   error
}

// New makes a cache for so many pieces of size bytes at most. done reports, at once, that a piece need not be prepared; nil
// is never.
func New(count, size int64, load Loader, done func(piece int64) bool) *Cache {
	if done == nil {
		done = func(int64) bool { return false }
	}
	sets := max(1, min(cacheBytes/size, count, maxUnits)/ways)
	c := &Cache{load: load, count: count, units: make([]atomic.Pointer[unit], sets*ways)}
	c.ahead.init(min(sets, max(2, aheadBytes/size)), done) // a quarter of the cache at most
	return c
}

// Piece returns a piece. The error is that of the Loader, which is asked again the next time.
func (c *Cache) Piece(piece int64) ([]byte, error) {
	u, slot := c.unit(piece)
	u.once.Do(func() { u.data, u.err = c.load(piece) })
	if u.err != nil {
		slot.CompareAndSwap(u, nil) // a failing disk may answer the next time
	}
	return u.data, u.err
}

// unit returns the unit of a piece, in place of the one in its set that was not used for longest.
func (c *Cache) unit(piece int64) (*unit, *atomic.Pointer[unit]) {
	set := c.units[piece%int64(len(c.units)/ways)*ways:][:ways]
	for {
		var slot *atomic.Pointer[unit]
		var old *unit
		oldest := uint64(math.MaxUint64)
		for i := range set {
			u, used := set[i].Load(), uint64(0)
			if u != nil {
				if u.piece == piece {
					u.used.Store(c.clock.Add(1))
					return u, &set[i]
				}
				used = u.used.Load()
			}
			if used < oldest {
				slot, old, oldest = &set[i], u, used
			}
		}
		u := &unit{piece: piece}
		u.used.Store(c.clock.Add(1))
		if slot.CompareAndSwap(old, u) {
			return u, slot
		}
	}
}
