package compressed

import (
	"sync"

	"snapmount/imagefmt/layer"
)

const (
	pieceLen   = 256 << 10
	cacheBytes = 32 << 20 // unpacked pieces kept in memory
)

// unpacked is the disk's bytes as they come out of the decoders: the leaf that all data is in.
type unpacked struct {
	*index
	name string // of the format

	mu     sync.Mutex // held for looking up only
	pieces map[int64]*piece
	clock  int64 // counts uses

	decoders
}

// piece is part of the disk in the cache. The first who asks unpacks it; only who wants the same one waits.
type piece struct {
	span
	used int64
	once sync.Once
	data []byte
	err  error
}

// Describe implements layer.Described.
func (u *unpacked) Describe() string { return "what the " + u.name + " file unpacks to" }

// Size is the disk's.
func (u *unpacked) Size() int64 { return u.size }

// ReadAt implements io.ReaderAt.
func (u *unpacked) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, u.size, u.read)
}

func (u *unpacked) read(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		b, err := u.at(off + int64(n))
		if err != nil {
			return n, err
		}
		n += copy(p[n:], b)
	}
	return n, nil
}

// at returns some of the bytes from off on.
func (u *unpacked) at(off int64) ([]byte, error) {
	if tail := u.size - int64(len(u.tail)); off >= tail {
		return u.tail[off-tail:], nil
	}
	whole := u.healthy(off)
	if off >= whole.end { // damaged itself, or next to nothing
		return nil, layer.Corrupt("unpacked data", off, "is damaged")
	}
	s := span{max(whole.off, off-off%pieceLen), min(whole.end, off-off%pieceLen+pieceLen)}
	c := u.cached(s)
	c.once.Do(func() { c.data, c.err = u.unpack(s) })
	if c.err != nil {
		u.forget(c) // a failing disk may answer the next time
		return nil, c.err
	}
	return c.data[off-s.off:], nil
}

// cached returns the piece for a span, new when it is not in the cache; the one that was not used for longest goes then.
func (u *unpacked) cached(s span) *piece {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.clock++
	c := u.pieces[s.off]
	if c == nil {
		if len(u.pieces) >= cacheBytes/pieceLen {
			oldest := (*piece)(nil)
			for _, p := range u.pieces {
				if oldest == nil || p.used < oldest.used {
					oldest = p
				}
			}
			delete(u.pieces, oldest.off)
		}
		c = &piece{span: s}
		u.pieces[s.off] = c
	}
	c.used = u.clock
	return c
}

// forget takes a piece out of the cache.
func (u *unpacked) forget(c *piece) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pieces[c.off] == c {
		delete(u.pieces, c.off)
	}
}

// unpack returns the bytes of a span.
func (u *unpacked) unpack(s span) ([]byte, error) {
	d, err := u.take(s, u.before(s.off))
	if err == nil {
		var b []byte
		if b, err = d.read(s); err == nil {
			u.release(d)
			return b, nil
		}
	}
	u.drop(d)
	return nil, err
}
