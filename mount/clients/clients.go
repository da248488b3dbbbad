// Package clients accepts the connections of front ends that speak a protocol of their own.
package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Server serves connections, so many of them at once. Fields are not changed while it serves.
type Server struct {
	Max int
	// Client serves one up to its end. Its error is told, but for Gone; a panic ends its connection alone. The connection is
	// closed when it returns, and when ctx ends.
	Client func(ctx context.Context, c net.Conn) error
	Warn   func(error) // from any goroutine
}

// Serve serves the clients of l until ctx ends, and then closes l and all connections. It is nil then; else why no client
// can be accepted any more.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer l.Close() // again, as the first may not have ended yet
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	places := make(chan struct{}, s.Max)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel() // first of all
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case err != nil && temporary(err):
			s.Warn(err)
			time.Sleep(100 * time.Millisecond)
			continue
		case err != nil:
			return err
		}
		select {
		case places <- struct{}{}:
		default:
			s.Warn(fmt.Errorf("a client was sent away: %d are served", s.Max))
			c.Close()
			continue
		}
		running.Go(func() {
			defer func() { <-places }()
			if err := s.one(ctx, c); err != nil && ctx.Err() == nil && !Gone(err) {
				s.Warn(err)
			}
		})
	}
}

// temporary reports whether a later Accept may succeed: there are too many open files for now, or a client went away.
func temporary(err error) bool {
	_, other := errors.AsType[*net.OpError](err)
	return other && !errors.Is(err, net.ErrClosed)
}

func (s *Server) one(ctx context.Context, c net.Conn) (err error) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	defer func() { // what a client sends or an image holds may end its connection, never the server
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault of the server: %v", p)
		}
	}()
	return s.Client(ctx, c)
}

// Gone reports whether an error says that the client has closed its connection, or does not take its answers.
func Gone(err error) bool {
	_, lost := errors.AsType[*net.OpError](err)
	return lost || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe)
}
