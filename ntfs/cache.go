package ntfs

import (
	"hash/maphash"
	"sync"
)

// A cache keeps values up to a number of bytes. Each shard has two generations: what is found in the old one moves to
// the young one, and when that is full, the old one is dropped and the young one becomes old.
type cache[K comparable, V any] struct {
	seed   maphash.Seed
	limit  int // bytes of one generation of one shard
	shards [16]shard[K, V]
}

type shard[K comparable, V any] struct {
	mu         sync.Mutex
	young, old map[K]sized[V]
	used       int // bytes in young
}

type sized[V any] struct {
	value V
	bytes int
}

func newCache[K comparable, V any](bytes int64) *cache[K, V] {
	return &cache[K, V]{seed: maphash.MakeSeed(), limit: int(min(bytes/32, 1<<30))}
}

func (c *cache[K, V]) shard(k K) *shard[K, V] {
	return &c.shards[maphash.Comparable(c.seed, k)%uint64(len(c.shards))]
}

func (c *cache[K, V]) load(k K) (V, bool) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.young[k]
	if !ok {
		if e, ok = s.old[k]; ok {
			delete(s.old, k)
			s.add(k, e, c.limit)
		}
	}
	return e.value, ok
}

func (c *cache[K, V]) store(k K, v V, bytes int) {
	if bytes > c.limit {
		return
	}
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.young[k]; !ok { // another goroutine may have been faster
		s.add(k, sized[V]{v, bytes}, c.limit)
	}
}

func (s *shard[K, V]) add(k K, e sized[V], limit int) {
	if s.young == nil || s.used+e.bytes > limit {
		s.old, s.young, s.used = s.young, map[K]sized[V]{}, 0
	}
	s.young[k] = e
	s.used += e.bytes
}
