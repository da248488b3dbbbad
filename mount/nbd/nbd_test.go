package nbd_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// TestExports holds the names, sizes and bytes of all exports, and of their aliases, against the tree.
func TestExports(t *testing.T) {
	f := newTree(t, demo(t))
	socket := serve(t, f)
	c := dial(t, socket, 3)
	c.option(3, "")
	var names []string
	for {
		kind, data := c.reply(3)
		if kind == 1 {
			break
		}
		names = append(names, data[4:])
	}
	want := "p1-Documents/current.img p1-Documents/vss1.img p1-Documents/vss2.img p1-Documents/vss3.img p2-Archive/current.img p2-Archive/vss1.img p2-Archive/vss2.img"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("exports %s, want %s", got, want)
	}
	for _, name := range append(names, "p1-Documents/vss2") {
		n, err := f.Walk("/raw/"+strings.TrimSuffix(name, ".img")+".img", true)
		if err != nil {
			t.Fatal(err)
		}
		src, err := n.Open()
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, socket, 1)
		size := c.goTo(name)
		if size != uint64(src.Size()) {
			t.Errorf("%s: %d bytes, want %d", name, size, src.Size())
		}
		got, want := sha256.New(), sha256.New()
		for off := uint64(0); off < size; off += 8 << 20 {
			n := min(8<<20, size-off)
			c.request(0, 0, off+7, off, uint32(n))
			kind, cookie, b := c.answer()
			if kind != 1 || cookie != off+7 || be.Uint64(b) != off || uint64(len(b)) != 8+n {
				t.Fatalf("%s: read at 0x%x: kind %d, %d bytes", name, off, kind, len(b))
			}
			got.Write(b[8:])
		}
		if err := layer.Hash(t.Context(), want, src, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("%s: other bytes", name)
		}
		c.request(0, 2, 0, 0, 0)
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("after leaving: %d bytes, %v", n, err)
		}
	}
}

// TestOldHandshake chooses by the option that has no answer, for which 124 zeros may follow; answers are simple then.
func TestOldHandshake(t *testing.T) {
	socket := serve(t, newTree(t, demo(t)), "does not exist", "several exports", "want 4096 at most")
	for _, flags := range []uint32{1, 3} {
		c := dial(t, socket, flags)
		c.option(1, "p1-Documents/vss1.img")
		b := c.take(10)
		if be.Uint64(b) == 0 || be.Uint16(b[8:])&3 != 3 {
			t.Errorf("export %x", b)
		}
		if flags == 1 && !bytes.Equal(c.take(124), make([]byte, 124)) {
			t.Error("no zeros")
		}
		c.request(0, 0, 5, 3, 8)
		if b := c.take(16 + 8); be.Uint32(b) != 0x67446698 || be.Uint32(b[4:]) != 0 || be.Uint64(b[8:]) != 5 || string(b[16:]) != "NTFS    " {
			t.Errorf("answer %q", b)
		}
		c.request(0, 7, 6, 0, 512)
		if b := c.take(16); be.Uint32(b[4:]) != 22 {
			t.Errorf("block status that was not agreed on: %x", b)
		}
	}
	for _, name := range []string{"", "p1-Documents", "../README.txt", "p1-Documents/../../README.txt", "none", strings.Repeat("x", 5000)} {
		c := dial(t, socket, 3)
		c.option(1, name)
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%.20q: %d bytes, %v", name, n, err)
		}
	}
}

// TestRefusals asks for what there is not: each is answered, and the connection goes on.
func TestRefusals(t *testing.T) {
	socket := serve(t, newTree(t, demo(t)), "longer", "want 4096 at most")
	c := dial(t, socket, 3)
	for _, o := range []struct {
		opt  uint32
		data string
		want uint32
	}{
		{5, "", 1<<31 + 1},
		{11, "", 1<<31 + 1},
		{99, "abc", 1<<31 + 1},
		{3, "x", 1<<31 + 3},
		{8, "x", 1<<31 + 3},
		{7, "", 1<<31 + 3},
		{7, str("none") + "\x00\x00", 1<<31 + 6},
		{7, str("") + "\x00\x00", 1<<31 + 6},
		{7, str("../README.txt") + "\x00\x00", 1<<31 + 6},
		{6, str("none") + "\x00\x01", 1<<31 + 3},
		{6, "\xff\xff\xff\xffnone\x00\x00", 1<<31 + 3},
		{10, str("p1-Documents/vss1.img") + "\x00\x00\x00\x00", 1<<31 + 3}, // before structured replies
		{10, str("p1-Documents/vss1.img") + "\xff\xff\xff\xff", 1<<31 + 3},
		{3, strings.Repeat("x", 70000), 1<<31 + 9},
	} {
		c.option(o.opt, o.data)
		if kind, data := c.reply(o.opt); kind != o.want {
			t.Errorf("option %d of %.20q: 0x%x %q, want 0x%x", o.opt, o.data, kind, data, o.want)
		}
	}
	size := c.goTo("p1-Documents/current.img")
	for _, r := range []struct {
		flags, command uint16
		off            uint64
		n              uint32
		data           string
		want           uint32
	}{
		{0, 0, size, 1, "", 22},
		{0, 0, size - 1, 2, "", 22},
		{0, 0, 1<<64 - 1, 2, "", 22},
		{0, 0, 0, 0, "", 22},
		{0, 0, 0, 1<<32 - 1, "", 22},
		{0, 1, 0, 3, "abc", 1},
		{1, 1, 0, 3, "abc", 1},
		{0, 4, 0, 512, "", 1},
		{0, 6, 0, 512, "", 1},
		{0, 5, 0, 512, "", 95},
		{0, 77, 0, 512, "", 95},
		{0, 7, size, 1, "", 22},
	} {
		c.request(r.flags, r.command, 9, r.off, r.n)
		c.send([]byte(r.data))
		if kind, cookie, b := c.answer(); kind != 1<<15+1 || cookie != 9 || be.Uint32(b) != r.want {
			t.Errorf("%+v: kind %d, %q", r, kind, b)
		}
	}
	c.request(0, 3, 1, 0, 0)
	if kind, _, _ := c.answer(); kind != 0 {
		t.Errorf("flush: kind %d", kind)
	}
}

// TestStatus holds block status against the bytes: what is called a hole reads as zeros, extents cover from the offset on,
// and the holes of a raw file are among them.
func TestStatus(t *testing.T) {
	raw := filepath.Join(t.TempDir(), "disk.raw")
	img, err := os.Create(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	disk := s.Images[0].Disk
	for w, err := range layer.Scan(disk, disk.Size(), 64<<10, 64<<10) {
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.Trim(w.Data, "\x00")) == 0 {
			continue
		}
		if _, err := img.WriteAt(w.Data, w.Off); err != nil {
			t.Fatal(err)
		}
	}
	if err := img.Truncate(disk.Size()); err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{demo(t), raw} {
		c := dial(t, serve(t, newTree(t, image)), 3)
		size := c.goTo("p1-Documents/vss1.img")
		found, extents := uint64(0), 0
		for off := uint64(0); off < size; {
			c.request(0, 7, 1, off, uint32(size-off))
			kind, _, b := c.answer()
			if kind != 5 || be.Uint32(b) != 1 || len(b) < 12 || len(b)%8 != 4 {
				t.Fatalf("status at 0x%x: kind %d, %d bytes", off, kind, len(b))
			}
			for b = b[4:]; len(b) > 0; b = b[8:] {
				n, flags := uint64(be.Uint32(b)), be.Uint32(b[4:])
				if extents++; flags == 3 {
					found += n
					c.request(0, 0, 1, off, uint32(min(n, 32<<20)))
					if _, _, data := c.answer(); len(bytes.Trim(data[8:], "\x00")) != 0 {
						t.Errorf("%s: a hole at 0x%x with data", image, off)
					}
				} else if flags != 0 {
					t.Errorf("flags 0x%x", flags)
				}
				off += n
			}
			if off > size {
				t.Errorf("extents up to 0x%x of 0x%x", off, size)
			}
		}
		c.request(8, 7, 1, 0, uint32(size))
		if _, _, b := c.answer(); len(b) != 12 {
			t.Errorf("one extent: %d bytes", len(b))
		}
		if least := map[string]uint64{demo(t): 0x80000, raw: size / 2}[image]; found < least || extents < 3 { // the demo has compressed zeros
			t.Errorf("%s: 0x%x bytes of holes of 0x%x in %d extents", image, found, size, extents)
		}
	}
}

// TestManyAtOnce has many clients with several requests under way, in any order.
func TestManyAtOnce(t *testing.T) {
	f := newTree(t, demo(t))
	socket := serve(t, f)
	n, err := f.Walk("/raw/p1-Documents/vss2.img", true)
	if err != nil {
		t.Fatal(err)
	}
	src, err := n.Open()
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for i := range 24 {
		c := dial(t, socket, 3)
		size := c.goTo("p1-Documents/vss2.img")
		clients.Go(func() {
			for round := range 20 {
				const n = 5000
				offs := map[uint64]uint64{}
				for k := range uint64(12) {
					off := (uint64(i*1009+round*7919)*65537 + k*104729*64) % (size - n)
					offs[k] = off
					c.request(0, 0, k, off, n)
				}
				for range len(offs) {
					b := make([]byte, 20+8+n)
					if _, err := io.ReadFull(c, b); err != nil {
						t.Error(err)
						return
					}
					want := make([]byte, n)
					if err := layer.ReadFull(src, want, int64(offs[be.Uint64(b[8:])])); err != nil || !bytes.Equal(b[28:], want) {
						t.Errorf("client %d: other bytes, %v", i, err)
						return
					}
				}
			}
		})
	}
	clients.Wait()
}

// TestDamage cuts an image: a read of what is missing fails, and no other.
func TestDamage(t *testing.T) {
	whole, err := os.ReadFile(demo(t))
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.qcow2")
	if err := os.WriteFile(cut, whole[:len(whole)*3/4], 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, serve(t, newTree(t, cut), "read at", "no such"), 3)
	all := newTree(t, demo(t))
	n, err := all.Walk("/raw/p1-Documents/current.img", true)
	if err != nil {
		t.Fatal(err)
	}
	src, err := n.Open()
	if err != nil {
		t.Fatal(err)
	}
	size := c.goTo("p1-Documents/current.img")
	failed, right := 0, 0
	const n4 = 64 << 10
	for off := uint64(0); off+n4 <= size; off += n4 {
		c.request(0, 0, 1, off, n4)
		kind, _, b := c.answer()
		want := make([]byte, n4)
		if err := layer.ReadFull(src, want, int64(off)); err != nil {
			t.Fatal(err)
		}
		switch {
		case kind == 1<<15+1 && be.Uint32(b) == 5:
			failed++
		case kind == 1 && bytes.Equal(b[8:], want):
			right++
		default:
			t.Fatalf("at 0x%x: kind %d", off, kind)
		}
	}
	if failed == 0 || right == 0 {
		t.Errorf("%d ranges failed, %d right", failed, right)
	}
}
