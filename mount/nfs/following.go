package nfs

import (
	"sync"

	"snapmount/mount/tree"
)

// following makes a server for each tree that is served in turn.
type following struct {
	use tree.Use

	mu   sync.Mutex
	last *Server
}

// Follow makes a server of trees that take each other's place while clients are connected. A call is about the tree that use
// gives when it comes. Handles of the trees before stay, as far as numbers mean the same in both.
func Follow(use tree.Use, warn func(error)) *Server {
	files, done := use()
	defer done()
	first := New(files, warn)
	s := *first
	s.now = &following{use: use, last: first}
	return &s
}

// at is the server of the tree that is served now, which stays until done.
func (s *Server) at() (now *Server, done func()) {
	f := s.now
	if f == nil {
		return s, func() {}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	files, done := f.use()
	if f.last.tree != files {
		next := *f.last
		next.tree = files
		if !files.Continues(f.last.tree) {
			next.tag = tagOf(files)
		}
		f.last = &next
	}
	return f.last, done
}
