package nfs

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"sync"
	"sync/atomic"

	"snapmount/mount/tree"
)

// A Mount is what one mount of this machine is to be served with. Whoever reaches the port may say to be root, so the port
// alone gives nothing: MNT takes a path that nobody can guess, and takes it once; handles hold a random number, and none
// leads anywhere but to the attributes of the top before Open says that the mount stands. What the kernel then has, it keeps
// to itself, and its word for who asks is taken.
type Mount struct {
	UID, GID uint32                      // whose files they are
	Others   bool                        // others than that user and root are answered, as far as Mode lets them
	Mode     func(tree.Node) fs.FileMode // permissions
	Reserved bool                        // connections from ports that only root can use are answered, and no others
	Name     string                      // what its path ends in, for who reads the system's table of mounts
}

// PathPrefix is what the path of every Mount starts with.
const PathPrefix = "/snapmount-"

// errDenied answers who may not have what was asked for.
var errDenied = errors.New("permission denied")

// reservedPorts are those below this one.
const reservedPorts = 1024

// guard is what a server keeps of a Mount.
type guard struct {
	Mount
	path  string      // that MNT takes
	taken atomic.Bool // it did
	open  atomic.Bool

	mu    sync.Mutex
	using int           // connections that a client has
	left  chan struct{} // has one element after a connection has ended
}

// NewMount makes a server of a tree for one mount, which is to be made of its Path. warn is as of New.
func NewMount(files *tree.FS, m Mount, warn func(error)) *Server {
	s := New(files, warn)
	s.uid, s.gid = m.UID, m.GID
	_, _ = rand.Read(s.tag[:]) // never fails
	var secret [16]byte
	_, _ = rand.Read(secret[:])
	s.guard = &guard{Mount: m, path: PathPrefix + hex.EncodeToString(secret[:]) + "/" + m.Name, left: make(chan struct{}, 1)}
	return s
}

// Path is what is to be mounted of a Mount.
func (s *Server) Path() string { return s.guard.path }

// Open says that a Mount stands. Before that, a client sees nothing of the tree.
func (s *Server) Open() { s.guard.taken.Store(true); s.guard.open.Store(true) }

// Left has an element when a connection has ended; Using tells how many there are.
func (s *Server) Left() <-chan struct{} { return s.guard.left }

// Using is how many connections there are.
func (s *Server) Using() int {
	s.guard.mu.Lock()
	defer s.guard.mu.Unlock()
	return s.guard.using
}

// client serves a connection that has a port as it must be.
func (g *guard) client(next func(context.Context, net.Conn) error) func(context.Context, net.Conn) error {
	return func(ctx context.Context, c net.Conn) error {
		if a, ok := c.RemoteAddr().(*net.TCPAddr); g.Reserved && (!ok || a.Port >= reservedPorts) {
			return nil
		}
		g.count(1)
		defer g.count(-1)
		return next(ctx, c)
	}
}

func (g *guard) count(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.using += n; n < 0 {
		select {
		case g.left <- struct{}{}:
		default:
		}
	}
}

// takes reports whether a path may be mounted, which it may once.
func (g *guard) takes(path string) bool {
	return subtle.ConstantTimeCompare([]byte(path), []byte(g.path)) == 1 && g.taken.CompareAndSwap(false, true)
}

// permit is why the caller may not have what it asks of a node.
func (r *request) permit(n tree.Node) error {
	g, p := r.server.guard, r.procedure()
	switch {
	case g == nil:
		return nil
	case !g.open.Load() && !(p.early && n.ID == r.server.tree.Root().ID):
		return errDenied
	case p.space || r.who.known && (r.who.uid == 0 || r.who.uid == r.server.uid):
		return nil
	case !r.who.known || !g.Others || r.server.tree.Private(n.ID):
		return errDenied
	case p.needs&^(r.server.mode(n)>>r.class()) != 0:
		return errDenied
	}
	return nil
}

// class is how far the permissions of the caller's class are from the lowest bits of a mode.
func (r *request) class() int {
	switch {
	case !r.who.known && r.server.guard == nil, r.who.known && (r.who.uid == 0 || r.who.uid == r.server.uid):
		return 6
	case r.who.in(r.server.gid):
		return 3
	}
	return 0
}
