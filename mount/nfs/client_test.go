package nfs_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/nfs"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

var be = binary.BigEndian

func demo(t testing.TB) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") }

func open(t testing.TB, image string) *points.Set {
	t.Helper()
	s, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// server is one until the test ends.
type server struct {
	*nfs.Server
	address string

	mu     sync.Mutex
	warned []string
}

func start(t testing.TB, s *points.Set, opts tree.Options) *server {
	t.Helper()
	return startAs(t, s, opts, nfs.New)
}

func startAs(t testing.TB, s *points.Set, opts tree.Options, as func(*tree.FS, func(error)) *nfs.Server) *server {
	t.Helper()
	files, err := tree.New(s, opts)
	if err != nil {
		t.Fatal(err)
	}
	v := &server{}
	v.Server = as(files, func(err error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.warned = append(v.warned, err.Error())
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return v
}

func (v *server) said() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.warned, "\n")
}

// message puts the arguments of a call together: u32, u64, or text with its length.
func message(parts ...any) string {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = be.AppendUint32(b, uint32(p))
		case uint64:
			b = be.AppendUint64(b, p)
		case string:
			b = append(be.AppendUint32(b, uint32(len(p))), p...)
			b = append(b, "\x00\x00\x00"[:-len(p)&3]...)
		default:
			panic(fmt.Sprintf("%T", p))
		}
	}
	return string(b)
}

// answer is what is left of one.
type answer struct{ b []byte }

func (a *answer) take(n int) []byte {
	if n < 0 || n > len(a.b) {
		panic(fmt.Sprintf("want %d bytes, of %d", n, len(a.b)))
	}
	b := a.b[:n]
	a.b = a.b[n:]
	return b
}
func (a *answer) u32() uint32 { return be.Uint32(a.take(4)) }
func (a *answer) u64() uint64 { return be.Uint64(a.take(8)) }
func (a *answer) text() string {
	n := int(a.u32())
	return string(a.take((n + 3) &^ 3)[:n])
}

// client asks a server as kernels do: by handles, and with listings in pieces.
type client struct {
	t testing.TB
	*server
	conn net.Conn
	mu   sync.Mutex
	root string
	list int // bytes of a piece
	uid  int // who asks
}

func dial(t testing.TB, v *server) *client {
	t.Helper()
	c := connect(t, v)
	a, err := c.call(100005, 1, message("/"))
	if err != nil {
		t.Fatal(err)
	}
	c.root = a.text()
	return c
}

// connect is dial for a client that has mounted nothing.
func connect(t testing.TB, v *server) *client {
	t.Helper()
	conn, err := net.Dial("tcp", v.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, server: v, conn: conn, list: 1500, uid: 1000}
}

// record sends a call in one fragment.
func record(body string) string {
	return string(be.AppendUint32(nil, uint32(len(body))|1<<31)) + body
}

// head is that of a call, with a credential of AUTH_UNIX for a user.
func head(xid, program, version, proc, uid int) string {
	return message(xid, 0, 2, program, version, proc, 1, message(0, "host", uid, uid, 1, uid), 0, "")
}

// status is one other than 0.
type status uint32

func (s status) Error() string { return fmt.Sprintf("status %d", uint32(s)) }

func (s status) Is(target error) bool {
	return s == map[error]status{fs.ErrNotExist: 2, tree.ErrNotDir: 20, tree.ErrIsDir: 21, tree.ErrNotLink: 22, tree.ErrStale: 70}[target] && s != 0
}

// exchange sends a record, and gives the next one.
func (c *client) exchange(sent string) (*answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := io.WriteString(c.conn, sent); err != nil {
		return nil, err
	}
	return receive(c.conn)
}

func receive(r io.Reader) (*answer, error) {
	var mark [4]byte
	if _, err := io.ReadFull(r, mark[:]); err != nil {
		return nil, err
	}
	n := be.Uint32(mark[:])
	if n < 1<<31 || n > 1<<31+2<<20 {
		return nil, fmt.Errorf("a record begins with 0x%x", n)
	}
	b := make([]byte, n-1<<31)
	_, err := io.ReadFull(r, b)
	return &answer{b}, err
}

// call calls a procedure that answers with a status, and gives what follows it.
func (c *client) call(program, proc int, args string) (*answer, error) {
	xid := int(time.Now().UnixNano() & 0xffffff)
	a, err := c.exchange(record(head(xid, program, 3, proc, c.uid) + args))
	if err != nil {
		return nil, err
	}
	if got := [...]uint32{a.u32(), a.u32(), a.u32(), a.u32(), a.u32(), a.u32()}; got != [...]uint32{uint32(xid), 1, 0, 0, 0, 0} {
		return nil, fmt.Errorf("procedure %d is answered with %d", proc, got)
	}
	if s := a.u32(); s != 0 {
		return a, status(s)
	}
	return a, nil
}

// file is what is known of one.
type file struct {
	name, handle                string
	typ, mode, links, uid, gid  uint32
	size, used, fsid, id        uint64
	accessed, modified, changed time.Time
}

func (f *file) attr(a *answer) {
	f.typ, f.mode, f.links, f.uid, f.gid = a.u32(), a.u32(), a.u32(), a.u32(), a.u32()
	f.size, f.used, _, f.fsid, f.id = a.u64(), a.u64(), a.u64(), a.u64(), a.u64()
	for _, t := range []*time.Time{&f.accessed, &f.modified, &f.changed} {
		*t = time.Unix(int64(a.u32()), int64(a.u32()))
	}
}

func (c *client) getAttr(handle string) (f file, err error) {
	a, err := c.call(100003, 1, message(handle))
	if err == nil {
		f.handle = handle
		f.attr(a)
	}
	return f, err
}

func (c *client) lookup(dir, name string) (f file, err error) {
	a, err := c.call(100003, 3, message(dir, name))
	if err != nil {
		return f, err
	}
	if f.handle = a.text(); a.u32() == 1 {
		f.attr(a)
	}
	return f, nil
}

func (c *client) readLink(handle string) (string, error) {
	a, err := c.call(100003, 5, message(handle))
	if err != nil {
		return "", err
	}
	a.u32()
	return a.text(), nil
}

func (c *client) read(handle string, off uint64, count int) (b string, end bool, err error) {
	a, err := c.call(100003, 6, message(handle, off, count))
	if err != nil {
		return "", false, err
	}
	a.u32()
	n, end := a.u32(), a.u32() == 1
	if b = a.text(); int(n) != len(b) || len(a.b) > 0 {
		c.t.Errorf("READ of %d bytes gives %d, and %d after them", n, len(b), len(a.b))
	}
	return b, end, nil
}

// entries reads a directory in pieces, with READDIRPLUS or READDIR. With an error it gives those before.
func (c *client) entries(handle string, plus bool) (all []file, err error) {
	for cookie := uint64(0); ; {
		args, proc := message(handle, cookie, uint64(0), c.list), 16
		if plus {
			args, proc = message(handle, cookie, uint64(0), c.list/8, c.list), 17
		}
		a, err := c.call(100003, proc, args)
		if err != nil {
			return all, err
		}
		if len(a.b)+4 > c.list {
			c.t.Errorf("%d bytes, want %d at most", len(a.b)+4, c.list)
		}
		if a.u32() == 1 {
			new(file).attr(a)
		}
		a.u64()
		for a.u32() == 1 {
			id := a.u64()
			f := file{name: a.text()}
			if cookie = a.u64(); plus {
				if a.u32() == 1 {
					f.attr(a)
				}
				if a.u32() == 1 {
					f.handle = a.text()
				}
			}
			if f.id != 0 && f.id != id {
				c.t.Errorf("%q is number 0x%x, its attributes have 0x%x", f.name, id, f.id)
			}
			f.id = id
			all = append(all, f)
		}
		if a.u32() == 1 {
			return all, nil
		}
	}
}

// walk finds a path from the root, links on the way followed, as a kernel does.
func (c *client) walk(at string) (file, error) {
	words, dirs, links := points.SplitPath(at), []string{c.root}, 0
	f, err := c.getAttr(c.root)
	for len(words) > 0 && err == nil {
		word := words[0]
		words = words[1:]
		if word == ".." {
			dirs = dirs[:max(len(dirs)-1, 1)]
		}
		if word == "." || word == ".." {
			continue
		}
		if f, err = c.lookup(dirs[len(dirs)-1], word); err != nil {
			return f, err
		}
		if f.typ == 5 && (len(words) > 0 || strings.HasSuffix(at, "/")) {
			text, err := c.readLink(f.handle)
			if links++; links > 40 || err != nil || path.IsAbs(text) {
				return f, fmt.Errorf("%d links, to %q, %w", links, text, err)
			}
			words = append(points.SplitPath(text), words...)
			continue
		}
		dirs = append(dirs, f.handle)
	}
	if err == nil && dirs[len(dirs)-1] != f.handle {
		f, err = c.getAttr(dirs[len(dirs)-1])
	}
	return f, err
}
