package nfs_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/tree"
)

// written are the hashes of all files of the demo image, by path.
func written(t testing.TB) map[string]string {
	t.Helper()
	var volumes map[string]map[string]map[string]string
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.json"))
	if err == nil {
		err = json.Unmarshal(b, &volumes)
	}
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for i, volume := range []string{"Documents", "Archive"} {
		for point, files := range volumes[volume] {
			for name, sum := range files {
				if sum != "link" {
					all[path.Join(fmt.Sprintf("/p%d-%s", i+1, volume), point, name)] = sum
				}
			}
		}
	}
	if len(all) < 30 {
		t.Fatalf("%d files", len(all))
	}
	return all
}

// TestManyClients reads files and lists directories with 24 clients at once: all get the right bytes, and memory does not
// grow.
func TestManyClients(t *testing.T) {
	v, all := start(t, open(t, demo(t)), tree.Options{}), written(t)
	var paths []string
	for name := range all {
		paths = append(paths, name)
	}
	one := func(c *client) error {
		name := paths[rand.IntN(len(paths))]
		b, err := front{c}.Read(name)
		if err != nil || fmt.Sprintf("%x", sha256.Sum256(b)) != all[name] {
			return fmt.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		dir, err := c.walk(path.Dir(name) + "/")
		if err != nil {
			return err
		}
		list, err := c.entries(dir.handle, true)
		for _, e := range list {
			if e.name == path.Base(name) {
				return err
			}
		}
		return fmt.Errorf("%s is not listed, %v", name, err)
	}
	clients := make([]*client, 24)
	for i := range clients {
		clients[i] = dial(t, v)
	}
	run := func(rounds int) {
		var running sync.WaitGroup
		for _, c := range clients {
			running.Go(func() {
				for range rounds {
					if err := one(c); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		running.Wait()
	}
	run(10)
	before := inUse()
	run(30)
	if after := inUse(); after > before+(8<<20) {
		t.Errorf("memory in use went from %d to %d MiB", before>>20, after>>20)
	}
	if said := v.said(); said != "" {
		t.Errorf("told is %s", said)
	}
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestAtOnce sends all calls before it takes the first answer: each comes once, with the bytes that it asks for.
func TestAtOnce(t *testing.T) {
	v := start(t, open(t, demo(t)), tree.Options{})
	c := dial(t, v)
	raw := c.handle(t, "/raw/p1-Documents/vss1.img")
	want := map[uint32]string{}
	var sent strings.Builder
	for i := range 200 {
		b, _, err := c.read(raw, uint64(i)<<12, 4096)
		if err != nil {
			t.Fatal(err)
		}
		want[uint32(i)] = b
		sent.WriteString(record(head(i, 100003, 3, 6, 0) + message(raw, uint64(i)<<12, 4096)))
	}
	conn, err := net.Dial("tcp", v.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, sent.String()) }()
	for range 200 {
		a, err := receive(conn)
		if err != nil {
			t.Fatal(err)
		}
		xid := a.u32()
		a.take(6*4 + 3*4)
		if b, wanted := want[xid]; !wanted || a.text() != b {
			t.Errorf("call %d: wanted %v, or other bytes", xid, wanted)
		}
		delete(want, xid)
	}
}

// dials connections in memory.
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
