package nfs_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"snapmount/mount/nfs"
	"snapmount/mount/tree"
)

// calls are one of each procedure, about the root.
func calls(root string) (all []string) {
	dir := message(root)
	for proc, args := range []string{"", dir, dir, dir + message("p1-Documents"), dir + message(63), dir, dir + message(uint64(1), 512), dir, dir, dir, dir, dir, dir, dir, dir, dir,
		dir + message(uint64(0), uint64(0), 1024), dir + message(uint64(2), uint64(0), 512, 4096), dir, dir, dir, dir + message(uint64(0), 9)} {
		all = append(all, head(7, 100003, 3, proc, 1000)+args)
	}
	for proc := range 6 {
		all = append(all, head(7, 100005, 3, proc, 0)+message("/p1-Documents/current"))
	}
	return all
}

// FuzzCall has a server answer a call, whatever it is, with one reply to it or none, and live.
func FuzzCall(f *testing.F) {
	files, err := tree.New(open(f, demo(f)), tree.Options{})
	if err != nil {
		f.Fatal(err)
	}
	s := nfs.New(files, func(err error) {
		if strings.Contains(err.Error(), "panic") {
			panic(err)
		}
	})
	id := files.Identity()
	for _, call := range calls(string(id[:8]) + "\x00\x00\x00\x00\x00\x00\x00\x01") {
		f.Add([]byte(call))
	}
	f.Fuzz(func(t *testing.T, call []byte) {
		reply, err := nfs.Answer(s, call)
		if err != nil {
			return
		}
		a := &answer{reply}
		if n := a.u32(); n != uint32(len(reply)-4)|1<<31 || a.u32() != be.Uint32(call) || a.u32() != 1 || len(reply)%4 != 0 || len(reply) > 1<<20+4096 {
			t.Errorf("%x is answered with %d bytes, %.100x", call, len(reply), reply)
		}
	})
}

// FuzzConversation sends a server anything: it ends the connection or answers, and lives.
func FuzzConversation(f *testing.F) {
	files, err := tree.New(open(f, demo(f)), tree.Options{})
	if err != nil {
		f.Fatal(err)
	}
	id := files.Identity()
	all := calls(string(id[:8]) + "\x00\x00\x00\x00\x00\x00\x00\x01")
	whole := ""
	for _, call := range all {
		whole += record(call)
	}
	f.Add([]byte(whole))
	f.Add([]byte(message(4) + all[1][:4] + message(0) + record(all[1][4:]) + record(all[17])))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		l := &pipes{conns: make(chan net.Conn, 1)}
		here, there := net.Pipe()
		l.conns <- there
		ended := make(chan error)
		go func() {
			ended <- nfs.New(files, func(err error) {
				if strings.Contains(err.Error(), "panic") || strings.Contains(err.Error(), "fault of the server") {
					t.Error(err)
				}
			}).Serve(ctx, l)
		}()
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
		if n > int64(len(sent))<<20 {
			t.Errorf("%d bytes for %d", n, len(sent))
		}
	})
}
