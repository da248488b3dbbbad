package nbd

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"time"

	"snapmount/mount/clients"
	"snapmount/mount/tree"
)

const (
	// maxClients is how many connections are served at once; one client of several connections counts for each.
	maxClients = 128
	// handshakeTime is how long a client may take to choose an export.
	handshakeTime = 30 * time.Second
)

// Server serves the block images of a tree. Fields are not changed while it serves.
type Server struct {
	Tree *tree.FS
	// Use, if it is not nil, gives the tree in place of Tree, to each client when it comes and until it goes.
	Use tree.Use
	// Warn is told what a client met: reads of damage, and messages that are none of the protocol. From any goroutine; nil
	// drops it.
	Warn func(error)
}

// Serve answers clients of l until ctx ends, and then closes l and all connections. It is nil then; else why no client can
// be accepted any more.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return (&clients.Server{Max: maxClients, Client: s.client, Warn: s.warn}).Serve(ctx, l)
}

func (s *Server) warn(err error) {
	if s.Warn != nil {
		s.Warn(fmt.Errorf("nbd: %w", err))
	}
}

// client serves one connection up to its end, which is no error where the client takes its leave.
func (s *Server) client(ctx context.Context, c net.Conn) error {
	if s.Use != nil {
		files, done := s.Use()
		defer done()
		s = &Server{Tree: files, Warn: s.Warn}
	}
	_ = c.SetDeadline(time.Now().Add(handshakeTime))
	in := bufio.NewReaderSize(c, 64<<10)
	e, structured, blocks, err := s.handshake(in, c)
	if err != nil || e == nil {
		return err
	}
	_ = c.SetDeadline(time.Time{})
	return (&session{server: s, export: e, in: in, out: c, structured: structured, blocks: blocks}).serve(ctx)
}
