package nbd_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/nbd"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

var be = binary.BigEndian

// newTree opens an image.
func newTree(t testing.TB, image string) *tree.FS {
	t.Helper()
	s, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	f, err := tree.New(s, tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func demo(t testing.TB) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") }

// serve serves on a socket until the test ends, and fails it for every warning but those that have a text of told.
func serve(t testing.TB, f *tree.FS, told ...string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	s := &nbd.Server{Tree: f, Warn: func(err error) {
		for _, text := range told {
			if strings.Contains(err.Error(), text) {
				return
			}
		}
		t.Errorf("warned: %v", err)
	}}
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return socket
}

// conn is the other side, written down from the protocol.
type conn struct {
	t testing.TB
	net.Conn
}

func dial(t testing.TB, socket string, flags uint32) conn {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	x := conn{t, c}
	if b := x.take(18); string(b[:16]) != "NBDMAGICIHAVEOPT" || be.Uint16(b[16:]) != 3 {
		t.Fatalf("hello %q", b)
	}
	x.send(be.AppendUint32(nil, flags))
	return x
}

func (c conn) send(b []byte) {
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c conn) take(n int) []byte {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		c.t.Fatal(err)
	}
	return b
}

func (c conn) option(opt uint32, data string) {
	b := be.AppendUint32(be.AppendUint32([]byte("IHAVEOPT"), opt), uint32(len(data)))
	c.send(append(b, data...))
}

// reply takes an answer to an option.
func (c conn) reply(opt uint32) (kind uint32, data string) {
	c.t.Helper()
	b := c.take(20)
	if be.Uint64(b) != 0x3e889045565a9 || be.Uint32(b[8:]) != opt {
		c.t.Fatalf("answer %x to option %d", b, opt)
	}
	return be.Uint32(b[12:]), string(c.take(int(be.Uint32(b[16:]))))
}

func str(s string) string { return string(be.AppendUint32(nil, uint32(len(s)))) + s }

// goTo chooses an export with structured answers and block status, and returns its size.
func (c conn) goTo(name string) (size uint64) {
	c.t.Helper()
	c.option(8, "")
	if kind, _ := c.reply(8); kind != 1 {
		c.t.Fatalf("structured replies: %x", kind)
	}
	c.option(10, str(name)+"\x00\x00\x00\x01"+str("base:allocation"))
	if kind, data := c.reply(10); kind != 4 || data[4:] != "base:allocation" {
		c.t.Fatalf("context: %x %q", kind, data)
	}
	c.reply(10)
	c.option(7, str(name)+"\x00\x00")
	for {
		kind, data := c.reply(7)
		switch {
		case kind == 1:
			return size
		case kind != 3:
			c.t.Fatalf("%s: %x %s", name, kind, data)
		case data[:2] == "\x00\x00":
			size = be.Uint64([]byte(data[2:]))
			if flags := be.Uint16([]byte(data[10:])); flags != 1|2|4|128|256 {
				c.t.Errorf("flags 0x%x", flags)
			}
		}
	}
}

func (c conn) request(flags, command uint16, cookie, off uint64, n uint32) {
	b := be.AppendUint16(be.AppendUint16(be.AppendUint32(nil, 0x25609513), flags), command)
	c.send(be.AppendUint32(be.AppendUint64(be.AppendUint64(b, cookie), off), n))
}

// answer takes a structured answer.
func (c conn) answer() (kind uint16, cookie uint64, data []byte) {
	c.t.Helper()
	b := c.take(20)
	if be.Uint32(b) != 0x668e33ef || be.Uint16(b[4:]) != 1 {
		c.t.Fatalf("answer %x", b)
	}
	return be.Uint16(b[6:]), be.Uint64(b[8:]), c.take(int(be.Uint32(b[16:])))
}
