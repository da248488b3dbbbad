//go:build !windows

package serve_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snapmount/mount/points"
	"snapmount/mount/serve"
)

// speaks reports whether what listens at an address answers like NFS and NBD: the one to a call of NULL, the other at once.
func speaks(t *testing.T, at net.Addr, send, want string) {
	t.Helper()
	c, err := net.Dial(at.Network(), at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, send); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(want))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Errorf("%s answers with %q, %v", at, b, err)
	}
}

const (
	nfsCall  = "\x80\x00\x00\x28\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x86\xa3\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	nfsReply = "\x80\x00\x00\x18\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	nbdHello = "NBDMAGICIHAVEOPT"
)

// TestFronts serves all front ends, which end together, and leave no socket.
func TestFronts(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	r := start(t, demo(t), serve.Options{NFS: "localhost:0", NBD: socket})
	speaks(t, r.Front(serve.NFS), nfsCall, nfsReply)
	speaks(t, r.Front(serve.NBD), "", nbdHello)
	if info, err := os.Stat(socket); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	if r.Exposed() || r.NFSExposed() || r.Front("none") != nil {
		t.Error("other machines reach it")
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(filepath.Dir(socket))
	if len(left) > 0 || err != nil {
		t.Errorf("left are %v, %v", left, err)
	}
	if c, err := net.Dial("tcp", r.Front(serve.NFS).String()); err == nil {
		c.Close()
		t.Error("NFS is served still")
	}
}

// TestSockets makes sockets where something is: what a program left behind is replaced, all else is refused.
func TestSockets(t *testing.T) {
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	used, err := net.Listen("unix", at("used"))
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: at("left"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if err := os.WriteFile(at("file"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for address, ok := range map[string]bool{at("new"): true, at("left"): true, at("used"): false, at("file"): false, dir: false, at("none/s"): false, at(strings.Repeat("x", 120)): false,
		"localhost:0": true, "127.0.0.1:0": true, "[::1]:0": true, "0.0.0.0:0": false, "*:0": false, "192.0.2.1:0": false, "host:0": false, "localhost:70000": false} {
		v, err := serve.Listen(s, serve.Options{NBD: address})
		if (err == nil) != ok && !(address == "[::1]:0" && err != nil) {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil {
			continue
		}
		speaks(t, v.Front(serve.NBD), "", "")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := v.Serve(ctx); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(at("file")); string(b) != "kept" || err != nil {
		t.Errorf("the file: %q, %v", b, err)
	}
	if c, err := net.Dial("unix", at("used")); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if list, err := os.ReadDir(dir); len(list) != 2 || err != nil {
		t.Errorf("left are %v, %v", list, err)
	}
}
