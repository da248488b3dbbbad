package nfs

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"snapmount/mount/clients"
	"snapmount/mount/tree"
)

const (
	maxClients = 128 // connections
	maxAtOnce  = 16  // requests of a connection that are answered at the same time
	maxLarge   = 64  // answers of up to maxRead bytes that are in memory at the same time
	stallTime  = time.Minute
)

// Server serves a tree. It is made by New.
type Server struct {
	tree     *tree.FS
	warned   func(error)
	tag      [tagSize]byte
	uid, gid uint32
	guard    *guard // nil where everybody is answered
	large    chan struct{}
	buffers  *sync.Pool // of what large answers were put together in
	now      *following // nil where the tree stays
}

// New makes a server of a tree. warn is told, from any goroutine, what a client met: damage, and messages that are none of
// the protocol.
func New(files *tree.FS, warn func(error)) *Server {
	return &Server{tree: files, warned: warn, tag: tagOf(files),
		uid: uint32(max(os.Getuid(), 0)), gid: uint32(max(os.Getgid(), 0)), // Windows has none
		large: make(chan struct{}, maxLarge), buffers: &sync.Pool{New: func() any { return new(encoder) }}}
}

func tagOf(files *tree.FS) [tagSize]byte {
	id := files.Identity()
	return [tagSize]byte(id[:])
}

func (s *Server) warn(err error) { s.warned(fmt.Errorf("nfs: %w", err)) }

// Serve answers clients of l until ctx ends, and then closes l and all connections. It is nil then; else why no client can
// be accepted any more.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	client := s.client
	if s.guard != nil {
		client = s.guard.client(client)
	}
	return (&clients.Server{Max: maxClients, Client: client, Warn: s.warn}).Serve(ctx, l)
}

// A connection has several goroutines, which take turns: one reads a call, leaves the reading to another, and answers. So
// calls that come together are answered together, and one that comes alone wakes nobody before its answer is out.
type connection struct {
	server  *Server
	in      *stream
	running sync.WaitGroup
	reading sync.Mutex
	workers int          // under reading
	err     error        // why nothing more is read; under reading
	waiting atomic.Int32 // workers that have nothing to answer
	sending sync.Mutex
}

// client answers the calls of a connection, several at once, in the order in which they are done.
func (s *Server) client(_ context.Context, c net.Conn) error {
	k := &connection{server: s, in: &stream{c, bufio.NewReaderSize(c, 64<<10)}, workers: 1}
	k.work()
	k.running.Wait()
	return k.err
}

// work answers calls until there are no more.
func (k *connection) work() {
	for {
		k.waiting.Add(1)
		k.reading.Lock()
		k.waiting.Add(-1)
		r := k.next()
		k.reading.Unlock()
		if r == nil {
			return
		}
		r.answer()
		k.send(r)
	}
}

// next reads a call, and sees to it that somebody is there to read the one after it. It is nil after the last.
func (k *connection) next() (r *request) {
	defer func() { // as for a fault of the goroutine that the server knows
		if p := recover(); p != nil {
			r, k.err = nil, fmt.Errorf("a fault of the server: %v", p)
		}
	}()
	if k.err != nil {
		return nil
	}
	b, err := k.in.record()
	if err == nil {
		r, err = k.server.request(b)
	}
	if k.err = err; err != nil {
		return nil
	}
	if k.waiting.Load() == 0 && k.workers < maxAtOnce {
		k.workers++
		k.running.Go(k.work)
	}
	return r
}

// request is newRequest on the tree that is served now, which stays until the request is released.
func (s *Server) request(b []byte) (r *request, err error) {
	at, done := s.at()
	defer func() {
		if r == nil {
			done()
		}
	}()
	if r, err = at.newRequest(b); r != nil {
		r.done = done
	}
	return r, err
}

// send sends an answer, and gives back what it has taken.
func (k *connection) send(r *request) {
	defer r.release()
	k.sending.Lock()
	defer k.sending.Unlock()
	_ = k.in.SetWriteDeadline(time.Now().Add(stallTime))
	if _, err := k.in.Write(r.out.b); err != nil {
		k.in.Close() // half an answer may be out
	}
}

// release gives back what an answer has taken.
func (r *request) release() {
	defer r.done()
	if r.heavy() {
		r.server.buffers.Put(&encoder{r.out.b[:0]})
		<-r.server.large
	}
}

// answer puts a reply together. What an image holds may fail a call, never the server.
func (r *request) answer() {
	if r.heavy() {
		r.server.large <- struct{}{}
		r.out = *r.server.buffers.Get().(*encoder)
	}
	defer func() {
		if p := recover(); p != nil {
			r.server.warn(fmt.Errorf("%s: panic: %v\n%s", r.name(), p, debug.Stack()))
			r.accept(systemError)
			r.seal()
		}
	}()
	r.reply()
	r.seal()
}
