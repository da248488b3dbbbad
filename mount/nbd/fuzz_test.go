package nbd_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"snapmount/mount/nbd"
)

// FuzzClient sends a server what it likes: it answers or hangs up.
func FuzzClient(f *testing.F) {
	option := func(opt uint32, data string) string {
		return "IHAVEOPT" + string(be.AppendUint32(be.AppendUint32(nil, opt), uint32(len(data)))) + data
	}
	const head, name = "\x00\x00\x00\x03", "p1-Documents/vss1.img"
	request := "\x25\x60\x95\x13\x00\x00\x00\x00" + strings.Repeat("\x00", 8) + "\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x02\x00"
	f.Add([]byte(head + option(3, "") + option(2, "")))
	f.Add([]byte(head + option(1, name) + request))
	f.Add([]byte(head + option(8, "") + option(10, str(name)+"\x00\x00\x00\x01"+str("base:allocation")) + option(7, str(name)+"\x00\x00") + request +
		strings.Replace(request, "\x13\x00\x00\x00\x00", "\x13\x00\x00\x00\x07", 1)))
	f.Add([]byte(head + option(9, str(name)+"\x00\x00\x00\x00")))
	tree := newTree(f, demo(f))
	f.Fuzz(func(t *testing.T, sent []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		l := &pipes{conns: make(chan net.Conn, 1)}
		here, there := net.Pipe()
		l.conns <- there
		ended := make(chan error)
		go func() { ended <- (&nbd.Server{Tree: tree}).Serve(ctx, l) }()
		go func() {
			_, _ = here.Write(sent)
			time.Sleep(time.Millisecond)
			here.Close()
		}()
		n, _ := io.Copy(io.Discard, here)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n > 64+int64(len(sent))<<20 {
			t.Errorf("%d bytes for %d", n, len(sent))
		}
	})
}

// pipes is a listener on connections in memory.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, fmt.Errorf("accept: %w", net.ErrClosed)
	}
	return c, nil
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.conns) }); return nil }
func (p *pipes) Addr() net.Addr { return nil }
