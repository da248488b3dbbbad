package ewf

import (
	"runtime"
	"sync"
)

const (
	aheadBytes = 2 << 20 // that are prepared before a reader in sequence asks for them, at most
	streams    = 8       // readers in sequence that are told apart
	jobs       = 256
)

// readAhead prepares chunks on other cores: the rest of a read, and what a reader in sequence will want. Its workers
// run only while there is something to prepare.
type readAhead struct {
	window  int64 // chunks
	jobs    chan int64
	mu      sync.Mutex
	running int
	turn    int
	streams [streams]stream
}

// stream is a reader in sequence, in chunks.
type stream struct {
	start  int64 // where it began
	next   int64 // what it is to ask for next
	queued int64 // all before it were given to the workers
}

func (r *readAhead) init(window int64) {
	r.window, r.jobs = window, make(chan int64, jobs)
	for i := range r.streams {
		r.streams[i].next = -1
	}
}

// follow is told of a read of the chunks first to last, and hands out what should be prepared beside it. As much is
// prepared ahead as was read in sequence so far.
func (d *Disk) follow(first, last int64) {
	r := &d.ahead
	if r.window < 2 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stream(first)
	s.next = max(s.next, last+1)
	end := min(s.next+min(r.window, s.next-s.start), (d.size+d.chunkSize-1)/d.chunkSize)
	if s.next == last+1 && s.start == first {
		end = s.next // the first of a stream: nothing says yet that it is one
	}
	s.queued = max(s.queued, first+1)
	for s.queued < end && (d.isVerified(s.queued) || r.offer(s.queued)) {
		s.queued++
	}
	for r.running < min(len(r.jobs), runtime.GOMAXPROCS(0)) {
		r.running++
		go d.work()
	}
}

// offer gives a chunk to the workers, unless they have enough to do.
func (r *readAhead) offer(c int64) bool {
	select {
	case r.jobs <- c:
		return true
	default:
		return false
	}
}

// stream returns the stream that goes on at a chunk, or a new one.
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

// work prepares chunks until there are none to prepare. What fails is found again by who reads it.
func (d *Disk) work() {
	r := &d.ahead
	for {
		select {
		case c := <-r.jobs:
			if s, err := d.slot(c); err == nil && !(s.kind == kindPlain && d.isVerified(c)) {
				d.load(c, s)
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
