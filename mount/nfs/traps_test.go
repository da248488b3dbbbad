package nfs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/mount/tree"
)

const letters = "/p1-Documents/vss1/Letters"

func demoClient(t testing.TB) *client { return dial(t, start(t, open(t, demo(t)), tree.Options{})) }

// handle finds a path.
func (c *client) handle(t testing.TB, path string) string {
	t.Helper()
	f, err := c.walk(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f.handle
}

// TestCalls sends calls of all kinds; a server answers those that it does not know, and keeps the connection.
func TestCalls(t *testing.T) {
	c := demoClient(t)
	unix, none := message(1, message(0, "host", 5, 5, 0), 0, ""), message(0, "", 0, "")
	for name, x := range map[string]struct {
		sent string
		want []uint32 // after id and kind of the reply
	}{
		"null":                     {message(7, 0, 2, 100003, 3, 0) + unix, []uint32{0, 0, 0, 0}},
		"null, nobody":             {message(7, 0, 2, 100003, 3, 0) + none, []uint32{0, 0, 0, 0}},
		"null of MOUNT":            {message(7, 0, 2, 100005, 3, 0) + none, []uint32{0, 0, 0, 0}},
		"RPC of version 3":         {message(7, 0, 3, 100003, 3, 0) + unix, []uint32{1, 0, 2, 2}},
		"RPC of version 9 alone":   {message(7, 0, 9, 1, 2, 3), []uint32{1, 0, 2, 2}},
		"another program":          {message(7, 0, 2, 100000, 2, 0) + unix, []uint32{0, 0, 0, 1}},
		"version 4":                {message(7, 0, 2, 100003, 4, 0) + unix, []uint32{0, 0, 0, 2, 3, 3}},
		"version 1 of MOUNT":       {message(7, 0, 2, 100005, 1, 1) + unix, []uint32{0, 0, 0, 2, 3, 3}},
		"procedure 22":             {message(7, 0, 2, 100003, 3, 22) + unix, []uint32{0, 0, 0, 3}},
		"procedure 6 of MOUNT":     {message(7, 0, 2, 100005, 3, 6) + unix, []uint32{0, 0, 0, 3}},
		"procedure 2^32-1":         {message(7, 0, 2, 100003, 3, -1) + unix, []uint32{0, 0, 0, 3}},
		"no arguments":             {message(7, 0, 2, 100003, 3, 3) + unix, []uint32{0, 0, 0, 4}},
		"half a handle":            {message(7, 0, 2, 100003, 3, 1) + unix + c.root[:8], []uint32{0, 0, 0, 4}},
		"a handle of 65 bytes":     {message(7, 0, 2, 100003, 3, 1) + unix + message(strings.Repeat("x", 65)), []uint32{0, 0, 0, 4}},
		"a name of 4 GiB":          {message(7, 0, 2, 100003, 3, 3) + unix + message(c.root, -1), []uint32{0, 0, 0, 4}},
		"Kerberos":                 {message(7, 0, 2, 100003, 3, 0, 6, "xxxx", 0, ""), []uint32{1, 1, 1}},
		"17 groups":                {message(7, 0, 2, 100003, 3, 0, 1, message(0, "h", 5, 5, 17)+strings.Repeat("\x00", 68), 0, ""), []uint32{1, 1, 1}},
		"a machine of 256 letters": {message(7, 0, 2, 100003, 3, 0, 1, message(0, strings.Repeat("x", 256), 5, 5, 0), 0, ""), []uint32{1, 1, 1}},
		"a credential cut off":     {message(7, 0, 2, 100003, 3, 0, 1, message(0, "h", 5), 0, ""), []uint32{1, 1, 1}},
		"a credential of 401":      {message(7, 0, 2, 100003, 3, 0, 1, strings.Repeat("x", 401), 0, ""), []uint32{1, 1, 1}},
	} {
		a, err := c.exchange(record(x.sent))
		if err != nil || a.u32() != 7 || a.u32() != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		var got []uint32
		for len(a.b) > 0 {
			got = append(got, a.u32())
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %d, want %d", name, got, x.want)
		}
	}
}

// TestRecords cuts calls into fragments, and sends what is none.
func TestRecords(t *testing.T) {
	v := start(t, open(t, demo(t)), tree.Options{})
	c, call := dial(t, v), head(7, 100003, 3, 0, 0)
	cut := func(sizes ...int) (b string) {
		for i, at := 0, 0; at < len(call); i++ {
			n := min(sizes[i%len(sizes)], len(call)-at)
			mark := n
			if at += n; at == len(call) {
				mark |= 1 << 31
			}
			b += message(mark) + call[at-n:at]
		}
		return b
	}
	for _, sizes := range [][]int{{len(call)}, {4}, {3, 0, 5}, {len(call) - 1}} {
		if a, err := c.exchange(cut(sizes...)); err != nil || a.u32() != 7 {
			t.Errorf("fragments of %d: %v", sizes, err)
		}
	}
	for name, sent := range map[string]string{
		"a web page": "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "a form": "POST / HTTP/1.1\r\n\r\n", "TLS": "\x16\x03\x01\x02\x00\x01\x00", "2 GiB": "\xff\xff\xff\xff",
		"1 MiB": message(1<<31 + 1<<20), "fragments without end": strings.Repeat("\x00\x00\x00\x00", 100), "one byte each": strings.Repeat("\x00\x00\x00\x01x", 100),
		"a reply": record(message(7, 1, 0, 0, 0, 0)), "nothing": record(""), "a head that ends": record(call[:24]),
	} {
		conn, err := net.Dial("tcp", v.address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(conn, sent)
		if b, err := io.ReadAll(conn); len(b) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: answered with %q, %v", name, b, err)
		}
		conn.Close()
	}
	if said := v.said(); !strings.Contains(said, "no NFS client is there") {
		t.Errorf("told is %q", said)
	}
	if _, err := c.getAttr(c.root); err != nil {
		t.Errorf("another connection: %v", err)
	}
}

// TestHandles wants those of another image, of other options, and of an image that was written to, to be stale, and those of a restart to lead
// to the same files.
func TestHandles(t *testing.T) {
	image := filepath.Join(t.TempDir(), "demo.qcow2")
	b, err := os.ReadFile(demo(t))
	if err == nil {
		err = os.WriteFile(image, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	serve := func(image string, opts tree.Options) *client { return dial(t, start(t, open(t, image), opts)) }
	c := serve(image, tree.Options{})
	met := map[string]file{}
	for _, path := range []string{"/", letters, letters + "/offer.txt", letters + "/offer.txt:author", letters + "/.snapshots", "/raw/p2-Archive/vss1.img", "/p1-Documents/snapshots"} {
		f, err := c.walk(path)
		if err != nil || len(f.handle) > 64 {
			t.Fatalf("%s: %+v, %v", path, f, err)
		}
		f.name, met[path] = "", f
	}
	again := serve(image, tree.Options{})
	for path, want := range met {
		got, err := again.getAttr(want.handle)
		if got.modified, got.accessed, got.changed = want.modified, want.accessed, want.changed; err != nil || got != want {
			t.Errorf("%s after a restart: %+v, want %+v, %v", path, got, want, err)
		}
	}
	offer := met[letters+"/offer.txt"].handle
	stale := func(what string, c *client, handle string) {
		t.Helper()
		for proc, args := range map[int]string{1: "", 2: "", 3: message("x"), 4: message(63), 5: "", 6: message(uint64(0), 9), 7: "", 16: message(uint64(0), uint64(0), 4096),
			17: message(uint64(0), uint64(0), 4096, 4096), 18: "", 19: "", 20: "", 21: message(uint64(0), 0)} {
			if _, err := c.call(100003, proc, message(handle)+args); err != status(70) {
				t.Errorf("%s, procedure %d: %v", what, proc, err)
			}
		}
	}
	stale("another view", serve(image, tree.Options{View: tree.View{Points: "1"}}), offer)
	stale("with metafiles", serve(image, tree.Options{System: true}), offer)
	stale("another place", serve(demo(t), tree.Options{}), offer)
	stale("a record that no volume has", c, offer[:12]+"\xff\xff\xff\xff")
	stale("no kind of number", c, offer[:8]+"\xff\xff\xff\xff\xff\xff\xff\xff")
	if err := os.Chtimes(image, time.Time{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	stale("an image that was written to", serve(image, tree.Options{}), offer)
	for _, bad := range []string{"", "x", offer[:15], offer + "x", strings.Repeat("x", 64)} {
		if _, err := c.getAttr(bad); err != status(10001) {
			t.Errorf("handle %q: %v", bad, err)
		}
	}
}

func TestReads(t *testing.T) {
	c := demoClient(t)
	raw, offer := c.handle(t, "/raw/p1-Documents/vss1.img"), c.handle(t, letters+"/offer.txt")
	whole, end, err := c.read(offer, 0, 4096)
	if len(whole) != 52 || !end || err != nil {
		t.Fatalf("%q, %v, %v", whole, end, err)
	}
	for _, x := range []struct {
		handle   string
		off      uint64
		count, n int
		end      bool
	}{
		{offer, 0, 52, 52, true}, {offer, 0, 51, 51, false}, {offer, 51, 9, 1, true}, {offer, 52, 9, 0, true}, {offer, 53, 9, 0, true}, {offer, 0, 0, 0, false}, {offer, 52, 0, 0, true},
		{offer, 1<<63 - 1, 9, 0, true}, {offer, 1 << 63, 9, 0, true}, {offer, 1<<64 - 1, -1, 0, true}, {offer, 1, -1, 51, true},
		{raw, 0, -1, 1 << 20, false}, {raw, 5, 1<<20 + 1, 1 << 20, false}, {raw, 32<<20 - 7, 1 << 20, 7, true},
	} {
		b, end, err := c.read(x.handle, x.off, x.count)
		if len(b) != x.n || end != x.end || err != nil || x.handle == offer && x.n > 0 && b != whole[x.off:][:x.n] {
			t.Errorf("%d bytes at 0x%x: %d, end %v, %v, want %d, %v", x.count, x.off, len(b), end, err, x.n, x.end)
		}
	}
	for path, want := range map[string]error{letters: tree.ErrIsDir, "/p1-Documents/vss1": tree.ErrNotLink} {
		f, err := c.lookup(c.handle(t, filepath.Dir(path)+"/"), filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.read(f.handle, 0, 9); !errors.Is(err, want) {
			t.Errorf("reading %s: %v, want %v", path, err, want)
		}
	}
	if said := c.said(); said != "" {
		t.Errorf("told is %s", said)
	}
}

// TestCookies reads a directory from each cookie on, with answers that hold little.
func TestCookies(t *testing.T) {
	c := demoClient(t)
	dir := c.handle(t, "/p1-Documents/current")
	all, err := c.entries(dir, true)
	if err != nil || len(all) != 8 {
		t.Fatalf("%+v, %v", all, err)
	}
	for from := range all {
		a, err := c.call(100003, 16, message(dir, uint64(from), uint64(0xdead), 1<<30))
		if err != nil {
			t.Fatal(err)
		}
		a.take(4 + 84 + 8)
		for i := from; a.u32() == 1; i++ {
			if id, name, cookie := a.u64(), a.text(), a.u64(); id != all[i].id || name != all[i].name || cookie != uint64(i+1) {
				t.Errorf("from %d: entry %d is 0x%x %q %d, want %+v", from, i, id, name, cookie, all[i])
			}
		}
	}
	a, err := c.call(100003, 17, message(dir, uint64(len(all)), uint64(0), 512, 4096))
	if err != nil || !bytes.HasSuffix(a.b, []byte("\x00\x00\x00\x00\x00\x00\x00\x01")) || len(a.b) != 4+84+8+8 {
		t.Errorf("behind the last: %x, %v", a.b, err)
	}
	for _, cookie := range []uint64{uint64(len(all) + 1), 1 << 63, 1<<64 - 1} {
		if _, err := c.call(100003, 17, message(dir, cookie, uint64(0), 512, 4096)); err != status(10003) {
			t.Errorf("cookie 0x%x: %v", cookie, err)
		}
	}
	for _, size := range []int{0, 1, 60, 110} {
		if _, err := c.call(100003, 16, message(dir, uint64(0), uint64(0), size)); err != status(10005) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if _, err := c.entries(c.handle(t, letters+"/offer.txt"), true); !errors.Is(err, tree.ErrNotDir) {
		t.Errorf("listing a file: %v", err)
	}
}

func TestNames(t *testing.T) {
	c := demoClient(t)
	dir := c.handle(t, letters)
	for name, want := range map[string]error{
		"offer.txt": nil, "OFFER.TXT": nil, "offer.txt:author": nil, ".snapshots": nil, ".": nil, "..": nil, ".DS_Store": fs.ErrNotExist, "._offer.txt": fs.ErrNotExist, "": fs.ErrNotExist,
		"../Letters": fs.ErrNotExist, "a/b": fs.ErrNotExist, "/": fs.ErrNotExist, "a\x00b": fs.ErrNotExist, "\xff\xfe": fs.ErrNotExist, strings.Repeat("x", 1024): fs.ErrNotExist,
		strings.Repeat("x", 1025): status(63), "none:none": fs.ErrNotExist,
	} {
		if _, err := c.lookup(dir, name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	if f, err := c.lookup(c.root, ".."); f.handle != c.root || err != nil {
		t.Errorf("above the root is %+v, %v", f, err)
	}
	if _, err := c.lookup(c.handle(t, letters+"/offer.txt"), "x"); !errors.Is(err, tree.ErrNotDir) {
		t.Errorf("in a file: %v", err)
	}
	for range 1000 {
		if _, err := c.lookup(dir, "._offer.txt"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

func TestAccess(t *testing.T) {
	c, uid := demoClient(t), os.Getuid()
	for path, want := range map[string][2]uint32{ // its owner, others
		letters: {1 | 2 | 0x20, 1 | 2 | 0x20}, letters + "/offer.txt": {1, 1}, "/raw": {1 | 2 | 0x20, 0}, "/raw/p1-Documents/vss1.img": {1, 0},
	} {
		f, err := c.walk(path)
		if err != nil || f.uid != uint32(uid) || f.mode&0o400 == 0 || f.mode>>9 != 0 {
			t.Errorf("%s: %+v, %v", path, f, err)
		}
		for i, who := range []int{uid, uid + 1} {
			a, err := c.exchange(record(head(7, 100003, 3, 4, who) + message(f.handle, 0x3f)))
			if err != nil {
				t.Fatal(err)
			}
			if got := be.Uint32(a.b[len(a.b)-4:]); got != want[i] {
				t.Errorf("%s, for user %d: 0x%x, want 0x%x", path, who, got, want[i])
			}
		}
	}
}

// TestReadOnly calls all procedures that write.
func TestReadOnly(t *testing.T) {
	c := demoClient(t)
	offer := c.handle(t, letters+"/offer.txt")
	for proc, words := range map[int]int{2: 2, 7: 2, 8: 2, 9: 2, 10: 2, 11: 2, 12: 2, 13: 2, 14: 4, 15: 3} {
		a, err := c.call(100003, proc, message(offer, uint64(0), "new")+strings.Repeat("\x00", 64<<10))
		if err != status(30) || len(a.b) != 4*words || len(bytes.Trim(a.b, "\x00")) > 0 {
			t.Errorf("procedure %d: %v, %x, want %d words", proc, err, a.b, words)
		}
	}
	if a, err := c.call(100003, 21, message(offer, uint64(0), 0)); err != nil || len(a.b) != 16 {
		t.Errorf("COMMIT: %v", err)
	}
}

func TestLimits(t *testing.T) {
	c := demoClient(t)
	a, err := c.call(100003, 19, message(c.root))
	if err != nil {
		t.Fatal(err)
	}
	a.take(4 + 84)
	if most, best := a.u32(), a.u32(); most != 1<<20 || best != 1<<20 {
		t.Errorf("reads of 0x%x bytes at most, 0x%x at best", most, best)
	}
	a, err = c.call(100003, 18, message(c.handle(t, "/p1-Documents/current")))
	if err != nil {
		t.Fatal(err)
	}
	a.take(4 + 84)
	if all, free := a.u64(), a.u64(); all < 31<<20 || all > 32<<20 || free == 0 || free >= all {
		t.Errorf("%d bytes, %d free", all, free)
	}
	if a, err := c.call(100003, 20, message(c.root)); err != nil || len(a.b) != 4+84+24 {
		t.Errorf("PATHCONF: %v", err)
	}
}

func TestMount(t *testing.T) {
	c := demoClient(t)
	for path, want := range map[string]error{
		"/": nil, "": nil, "/p1-Documents/current": nil, "p1-Documents/current/": nil, "/p1-Documents/vss1": nil, "/p1-Documents/snapshots/latest/Letters": nil, "/p1-Documents/current/../..": nil,
		"/none": fs.ErrNotExist, letters + "/offer.txt": tree.ErrNotDir, letters + "/offer.txt/x": tree.ErrNotDir, "/\x00": fs.ErrNotExist,
	} {
		a, err := c.call(100005, 1, message(path))
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", path, err, want)
		}
		if err != nil {
			continue
		}
		f, err := c.getAttr(a.text())
		if flavours := [3]uint32{a.u32(), a.u32(), a.u32()}; err != nil || f.typ != 2 || flavours != [3]uint32{2, 1, 0} {
			t.Errorf("%q: %+v, %v, flavours %d", path, f, err, flavours)
		}
	}
	for proc, want := range map[int]string{2: message(0), 3: "", 4: "", 5: message(1, "/", 0, 0)} {
		a, err := c.exchange(record(head(7, 100005, 3, proc, 0) + message("/")))
		if err != nil || string(a.b[24:]) != want {
			t.Errorf("procedure %d: %x, %v", proc, a.b, err)
		}
	}
}

// TestEnd ends a server under clients, one of which takes no answers.
func TestEnd(t *testing.T) {
	v := start(t, open(t, demo(t)), tree.Options{})
	c := dial(t, v)
	raw := c.handle(t, "/raw/p1-Documents/current.img")
	for range 100 {
		if _, err := io.WriteString(c.conn, record(head(7, 100003, 3, 6, 0)+message(raw, uint64(0), 1<<20))); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- v.Serve(ctx, l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 100 {
		_, _ = io.WriteString(conn, record(head(7, 100003, 3, 6, 0)+message(raw, uint64(0), 1<<20)))
	}
	time.Sleep(100 * time.Millisecond)
	other := dial(t, v)
	if _, err := other.getAttr(other.root); err != nil { // which needs no room
		t.Error(err)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(50 * time.Second):
		t.Error("a client that takes no answers holds the server")
	}
}
