package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/diffstore/vsstest"
)

// disk is a volume as a file in a mount of its own: what a program writes to it goes through the simulator, which first
// copies what snapshots need.
type disk struct {
	fs.Inode
	file   *vsstest.File
	server *fuse.Server
	mu     sync.Mutex // holds a write, as the simulator takes one at a time
	sim    *vsstest.Volume
	failed error // what writes failed by
}

var (
	_ fs.NodeGetattrer = (*disk)(nil)
	_ fs.NodeOpener    = (*disk)(nil)
	_ fs.NodeReader    = (*disk)(nil)
	_ fs.NodeWriter    = (*disk)(nil)
	_ fs.NodeFsyncer   = (*disk)(nil)
)

// attach gives v a diff area in the file catalogID, and lets its edits go through the simulator from now on.
func attach(v *volume) (*disk, error) {
	area, err := v.blocksOf(catalogID)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(v.img, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	file, err := vsstest.NewFile(f)
	if err != nil {
		return nil, err
	}
	sim, err := vsstest.New(vsstest.Config{Volume: file, Area: area, NoTruth: true})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(v.work, "disk")
	if err != nil {
		return nil, err
	}
	d, root := &disk{file: file, sim: sim}, &fs.Inode{}
	d.server, err = fs.Mount(dir, root, &fs.Options{
		MountOptions: fuse.MountOptions{MaxWrite: mib, DirectMount: true, DisableXAttrs: true, ExplicitDataCacheControl: true},
		OnAdd: func(ctx context.Context) {
			root.AddChild("volume", root.NewPersistentInode(ctx, d, fs.StableAttr{Mode: fuse.S_IFREG}), false)
		},
	})
	v.dev = filepath.Join(dir, "volume")
	return d, err
}

// detach ends the mount and completes the diff area.
func (d *disk) detach() error {
	return errors.Join(d.server.Unmount(), d.failed, d.sim.Flush(), d.file.Close())
}

func (d *disk) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = 0o600, uint64(d.file.Size())
	return fs.OK
}

func (d *disk) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, 0, fs.OK
}

func (d *disk) Read(_ context.Context, _ fs.FileHandle, p []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	return fuse.ReadResultFd(d.file.Fd(), off, len(p)), fs.OK
}

func (d *disk) Write(_ context.Context, _ fs.FileHandle, p []byte, off int64) (uint32, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.sim.Write(off, p); err != nil {
		d.failed = errors.Join(d.failed, err)
		return 0, syscall.EIO
	}
	return uint32(len(p)), fs.OK
}

func (d *disk) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno { return fs.OK }
