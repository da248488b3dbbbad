package restore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// marker is in the content of the file that operations fail of.
var marker = []byte("this file is unlucky")

// A fault is an operation on the marked file that fails, or with gone all of all files.
type fault struct {
	op   string
	err  syscall.Errno
	gone atomic.Bool
}

// handle hides that an open file can be read and written without asking.
type handle struct {
	fs.FileReader
	fs.FileWriter
	fs.FileFlusher
	fs.FileReleaser
	fs.FileGetattrer
	fs.FileSetattrer
}

func handleOf(f fs.FileHandle) fs.FileHandle {
	if f == nil {
		return nil
	}
	return handle{f.(fs.FileReader), f.(fs.FileWriter), f.(fs.FileFlusher), f.(fs.FileReleaser), f.(fs.FileGetattrer), f.(fs.FileSetattrer)}
}

// A faulty node passes all on to a directory but the fault.
type faulty struct {
	*fs.LoopbackNode
	fault  *fault
	marked atomic.Bool
}

// WrapChild makes the nodes below faulty too.
func (n *faulty) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &faulty{LoopbackNode: child.(*fs.LoopbackNode), fault: n.fault}
}

func (n *faulty) fails(op string) bool {
	return n.fault.gone.Load() || n.fault.op == op && n.marked.Load()
}

func (n *faulty) Write(ctx context.Context, f fs.FileHandle, b []byte, off int64) (uint32, syscall.Errno) {
	if bytes.Contains(b, marker) {
		n.marked.Store(true)
	}
	if n.fails("write") {
		return 0, n.fault.err
	}
	return f.(fs.FileWriter).Write(ctx, b, off)
}

func (n *faulty) Flush(ctx context.Context, f fs.FileHandle) syscall.Errno {
	if n.fails("close") {
		return n.fault.err
	}
	return f.(fs.FileFlusher).Flush(ctx)
}

func (n *faulty) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if n.fails("setattr") {
		return n.fault.err
	}
	return n.LoopbackNode.Setattr(ctx, f, in, out)
}

func (n *faulty) Setxattr(ctx context.Context, name string, b []byte, flags uint32) syscall.Errno {
	if n.fails("setxattr") {
		return n.fault.err
	}
	return n.LoopbackNode.Setxattr(ctx, name, b, flags)
}

func (n *faulty) Read(ctx context.Context, f fs.FileHandle, b []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if n.fails("read") {
		return nil, n.fault.err
	}
	return f.(fs.FileReader).Read(ctx, b, off)
}

func (n *faulty) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if c := n.GetChild(name); n.fails("") || c != nil && c.Operations().(*faulty).fails("rename") {
		return n.fault.err
	}
	return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
}

func (n *faulty) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if n.fails("") || n.fault.op == "create" && !n.IsRoot() {
		return nil, nil, 0, n.fault.err
	}
	node, f, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return node, handleOf(f), fuseFlags, errno
}

func (n *faulty) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if n.fails("") {
		return nil, 0, n.fault.err
	}
	f, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	return handleOf(f), fuseFlags, errno
}

func (n *faulty) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if n.fails("") {
		return nil, n.fault.err
	}
	return n.LoopbackNode.Lookup(ctx, name, out)
}

func (n *faulty) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if n.fails("") {
		return nil, n.fault.err
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *faulty) Unlink(ctx context.Context, name string) syscall.Errno {
	if n.fails("") {
		return n.fault.err
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

// mountFaulty mounts a file system that keeps its files elsewhere.
func mountFaulty(t *testing.T, f *fault) (dir string) {
	t.Helper()
	dir = t.TempDir()
	root, err := fs.NewLoopbackRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server, err := fs.Mount(dir, &faulty{LoopbackNode: root.(*fs.LoopbackNode), fault: f}, &fs.Options{MountOptions: fuse.MountOptions{DirectMount: true}})
	if err != nil {
		t.Skipf("SKIPPED: mounting: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// unlucky makes a volume of which one file is marked.
func unlucky(t *testing.T) string {
	return volumeOf(t, func(dir string) error {
		err := write(dir, "sub/unlucky", string(marker)+strings.Repeat("x", 3<<20))
		for i := range 40 {
			err = errors.Join(err, write(dir, fmt.Sprintf("sub/f%02d", i), strings.Repeat("good", 1000)))
		}
		return errors.Join(err, os.WriteFile(filepath.Join(dir, "sub/unlucky:stream"), []byte("s"), 0o600))
	})
}

// TestFaults restores to a file system of which an operation fails of one file: that is an error of that file, or told as
// lost, and no part of it stays.
func TestFaults(t *testing.T) {
	image := unlucky(t)
	for _, c := range []struct {
		op     string
		err    syscall.Errno
		failed int
		opts   restore.Options
	}{
		{"", 0, 0, restore.Options{Verify: true}},
		{"write", syscall.EIO, 1, restore.Options{}},
		{"write", syscall.EDQUOT, 1, restore.Options{}},
		{"write", syscall.ENOSPC, 1, restore.Options{}},
		{"close", syscall.EIO, 1, restore.Options{}},
		{"close", syscall.EDQUOT, 1, restore.Options{}},
		{"rename", syscall.EIO, 1, restore.Options{}},
		{"rename", syscall.EROFS, 1, restore.Options{}},
		{"setattr", syscall.EPERM, 1, restore.Options{}},
		{"setxattr", syscall.ENOSPC, 0, restore.Options{}},
		{"read", syscall.EIO, 1, restore.Options{Verify: true}},
		{"create", syscall.EDQUOT, 41, restore.Options{NoSidecar: true}},
	} {
		t.Run(fmt.Sprintf("%s %v", c.op, c.err), func(t *testing.T) {
			dir := mountFaulty(t, &fault{op: c.op, err: c.err})
			r := restored(t, testenv.Open(t, image), dir, c.opts)
			failed := r.failed()
			if len(failed) != c.failed {
				t.Errorf("%d failed: %.500q", len(failed), failed)
			}
			for _, text := range failed {
				if !strings.Contains(text, c.err.Error()) || c.failed == 1 && !strings.HasPrefix(text, "sub/unlucky: ") {
					t.Errorf("%.500s", text)
				}
			}
			checkNoParts(t, dir)
			there := 0
			for path, e := range ntfstest.Walk(t, dir) {
				if e.Type().IsRegular() && strings.HasPrefix(path, "/sub/") {
					there++
				}
			}
			if there != 41-c.failed {
				t.Errorf("%d files", there)
			}
			lost := false
			for _, res := range r.list {
				lost = lost || strings.Contains(strings.Join(res.Lost, ","), "stream stream: ")
			}
			if lost != (c.op == "setxattr") {
				t.Errorf("a lost stream: %v", lost)
			}
		})
	}
}

// TestVanished takes the target away in the midst of a restore, as when a disk is pulled out: it ends, and says so.
func TestVanished(t *testing.T) {
	image := ntfstest.Feat512.Build(t)
	f := &fault{err: syscall.ENOTCONN}
	dir := mountFaulty(t, f)
	ended := make(chan *results)
	go func() {
		var r results
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Error(err)
		}
		defer root.Close()
		err = restore.Run(context.Background(), root, all(restore.Source{Node: lookup(t, image, "")}), restore.Options{Done: r.add, Progress: func(what string, n, _ int64) {
			if what == restore.ProgressFiles && n == 300 {
				f.gone.Store(true)
			}
		}})
		t.Logf("%d items, %d failed, %v", len(r.list), len(r.failed()), err)
		ended <- &r
	}()
	select {
	case r := <-ended:
		failed := r.failed()
		if len(failed) < 100 || !strings.Contains(failed[len(failed)-1], "not connected") {
			t.Errorf("%d failed, the last %q", len(failed), failed[max(0, len(failed)-1):])
		}
	case <-time.After(time.Minute):
		t.Fatal("did not end")
	}
}
