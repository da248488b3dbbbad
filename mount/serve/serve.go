// Package serve makes a points.Set reachable without FUSE: it listens, lets in who has the token, and joins the front ends.
//
//	serve.go    Options, Server: start, end
//	fronts.go   the front ends that are joined: one of HTTP is a line in sites, one with a listener of its own in fronts
//	listen.go   addresses
//	socket.go   sockets, which have a path
//	host.go     which names of this server are answered
//	session.go  the token, cookies made of it, and tickets
//	stand.go    what is served at a time: another set takes its place when a volume is unlocked
//	guard.go    what every request passes before a front end has it
//	page.go     the page at the top while there is no other
//
// The server is for one user of this machine. It listens on loopback unless told otherwise, answers no name but its own
// (a page that has its own name lead here gets nothing), and wants a token of 128 bits that only the user was told, or a
// cookie that was given for it and dies with the process. Nothing can be changed; what may cost much, other sites cannot
// ask for.
package serve

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"snapmount/imagefmt/bitlocker"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// ErrRefused says that nothing is served: the address cannot be listened on.
var ErrRefused = errors.New("not served")

// Options of Listen; the zero value serves nothing on a free port of loopback.
type Options struct {
	Listen string    // HOST:PORT, HOST or PORT; no HOST is loopback, no PORT or 0 any that is free
	Hosts  []string  // more names that requests may be for, NAME or NAME:PORT, as behind a proxy
	WebDAV bool      // below /dav/
	NFS    string    // as Listen, for NFS; empty is none
	NBD    string    // path of a socket for NBD, or HOST:PORT of loopback; empty is none
	View   tree.View // which points are shown, and under which names
	System bool      // list NTFS metafiles such as $MFT
	Tool   string    // name and version of the program, for receipts
	Warn   func(error)
	// Reopen opens the images again, with what opened them before and more secrets.
	// It is called by one at a time. Nil leaves locked volumes locked.
	Reopen func(more []*bitlocker.Secret) (*points.Set, error)
}

// Server listens. Its methods may be called from any goroutine.
type Server struct {
	opts    Options
	session *session
	hosts   hosts
	fronts  []front
	http    http.Server
	begun   time.Time
	heavy   chan struct{} // has room for those under way
	busy    atomic.Int64  // requests under way

	mu    sync.Mutex
	now   *stand
	ended bool // nothing takes its place any more
}

// How long things may take, and how large they may be.
const (
	headerTime = 10 * time.Second // a client may take for the header of a request
	idleTime   = 2 * time.Minute  // a connection may wait for the next one
	stallTime  = 2 * time.Minute  // a client may take none of a listing
	graceTime  = 5 * time.Second  // downloads may go on when the server is to end
	headerSize = 32 << 10
	maxHeavy   = 8 // requests that cost much at a time
)

// Listen begins to listen for a set, which has to stay open until Serve has returned; where another takes its place, it is
// closed when nobody reads it any more. Listen wraps ErrRefused when it cannot.
func Listen(s *points.Set, opts Options) (*Server, error) {
	if opts.Warn == nil {
		opts.Warn = func(error) {}
	}
	v := &Server{opts: opts, heavy: make(chan struct{}, maxHeavy), begun: time.Now()}
	var err error
	if v.now, err = v.newStand(s, nil); err != nil {
		return nil, err
	}
	name, err := v.join()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	port := v.fronts[0].on.Addr().(*net.TCPAddr).Port
	v.session, v.hosts = newSession(port), newHosts(name, port, opts.Hosts)
	v.http = http.Server{Handler: http.HandlerFunc(v.guard), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerSize, ErrorLog: log.New(warner{opts.Warn}, "", 0)}
	return v, nil
}

// Address is the server without the token: http://HOST:PORT.
func (v *Server) Address() string { return "http://" + v.hosts.own }

// URL is the address that lets in who has it.
func (v *Server) URL() string { return v.Address() + "/?token=" + v.session.token }

// Token is the password of WebDAV clients.
func (v *Server) Token() string { return v.session.token }

// Ticket is an address that lets in the first who uses it: for the command line of a browser, which others can see.
func (v *Server) Ticket() string { return v.Address() + "/?token=" + v.session.newTicket() }

// The names of front ends that have listeners of their own.
const (
	NFS = "nfs"
	NBD = "nbd"
)

// Front is where a front end listens, by its name; nil where it does not.
func (v *Server) Front(name string) net.Addr {
	for _, f := range v.fronts {
		if f.name == name {
			return f.on.Addr()
		}
	}
	return nil
}

// Exposed reports whether other machines reach the server, over plain HTTP.
func (v *Server) Exposed() bool { return v.exposed("http") }

// NFSExposed reports whether other machines reach what is served by NFS.
func (v *Server) NFSExposed() bool { return v.exposed(NFS) }

func (v *Server) exposed(name string) bool {
	a, ok := v.Front(name).(*net.TCPAddr)
	return ok && !a.IP.IsLoopback()
}

// Serve serves until ctx ends, and then until the requests under way have ended, or some seconds are over. Its error is why
// it ended by itself.
func (v *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	failed := make([]error, len(v.fronts))
	for i, f := range v.fronts {
		all.Go(func() {
			if err := f.serve(ctx, f.on); err != nil {
				failed[i] = fmt.Errorf("%s: %w", f.name, err)
				cancel(failed[i])
			}
		})
	}
	all.Wait()
	cancel(nil)
	v.end()
	return errors.Join(failed...)
}

// serveHTTP is Serve of the front ends that speak HTTP, on one of their listeners.
func (v *Server) serveHTTP(ctx context.Context, on net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- v.http.Serve(on) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	go func() { // connections that nothing was asked on yet are no reason to wait
		v.untilIdle(graceTime)
		cancel()
	}()
	if v.http.Shutdown(grace) != nil {
		_ = v.http.Close()       // an error is of connections that end anyway
		v.untilIdle(time.Second) // which those who write to them notice
	}
	return nil
}

// untilIdle waits until no request is under way, or so long.
func (v *Server) untilIdle(limit time.Duration) {
	const step = 50 * time.Millisecond
	for idle := 0; idle < 2 && limit > 0; limit -= step { // twice: the last bytes of an answer are sent after its request
		time.Sleep(step)
		if idle++; v.busy.Load() > 0 {
			idle = 0
		}
	}
}

// warner makes warnings of the lines of a log.
type warner struct{ warn func(error) }

func (w warner) Write(line []byte) (int, error) {
	w.warn(errors.New(strings.TrimSpace(string(line))))
	return len(line), nil
}

// secret makes n random bytes as text.
func secret(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
