package chunks

import (
	"runtime"
	"sync"
)

const (
	aheadBytes = 2 << 20 // that are prepared before a reader in sequence asks for them, at most
	streams    = 8       // readers in sequence that are told apart
	jobs       = 256
)

// readAhead prepares pieces on other cores: the rest of a read, and what a reader in sequence will want. Its workers
// run only while there is something to prepare.
type readAhead struct {
	window  int64 // pieces
	done    func(piece int64) bool
	jobs    chan int64
	mu      sync.Mutex
	running int
	turn    int
	streams [streams]stream
}

// stream is a reader in sequence, in pieces.
type stream struct {
	start  int64 // where it began
	next   int64 // what it is to ask for next
	queued int64 // all before it were given to the workers
}

func (r *readAhead) init(window int64, done func(int64) bool) {
	r.window, r.done, r.jobs = window, done, make(chan int64, jobs)
	for i := range r.streams {
		r.streams[i].next = -1
	}
}

// Follow is told of a read of the pieces first to last, and hands out what should be prepared beside it. As much is
// prepared ahead as was read in sequence so far.
func (c *Cache) Follow(first, last int64) {
	r := &c.ahead
	if r.window < 2 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stream(first)
	s.next = max(s.next, last+1)
	end := min(s.next+min(r.window, s.next-s.start), c.count)
	if s.next == last+1 && s.start == first {
		end = s.next // the first of a stream: nothing says yet that it is one
	}
	s.queued = max(s.queued, first+1)
	for s.queued < end && (r.done(s.queued) || r.offer(s.queued)) {
		s.queued++
	}
	for r.running < min(len(r.jobs), runtime.GOMAXPROCS(0)) {
		r.running++
		go c.work()
	}
}

// offer gives a piece to the workers, unless they have enough to do.
func (r *readAhead) offer(piece int64) bool {
	select {
	case r.jobs <- piece:
		return true
	default:
		return false
	}
}

// stream returns the stream that goes on at a piece, or a new one.
func (r *readAhead) stream(first int64) *stream {
	for i := range r.streams {
		if s := &r.streams[i]; first >= s.next-1 && first <= max(s.next, s.queued) && s.next >= 0 {
			return s
		}
	}
	r.turn = (r.turn + 1) % streams
	s := &r.streams[r.turn]
	*s = stream{start: first, next: first, queued: first}
	return s
}

// work prepares pieces until there are none to prepare. What fails is found again by who reads it.
func (c *Cache) work() {
	r := &c.ahead
	for {
		select {
		case piece := <-r.jobs:
			if !r.done(piece) {
				_, _ = c.Piece(piece)
			}
			continue
		default:
		}
		r.mu.Lock()
		if len(r.jobs) == 0 { // nothing is added while the lock is held
			r.running--
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
	}
}
