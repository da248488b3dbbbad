//go:build linux

// Command onefile serves one plain file through FUSE: "onefile FILE MOUNTPOINT/NAME" shows it there until the mount is
// gone. It does nothing but splice, with the mount options of package mount, so that its rate is what a server
// built like that one can reach at best.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	fileID  = fuse.FUSE_ROOT_ID + 1
	forever = 365 * 24 * time.Hour
)

type server struct {
	fuse.RawFileSystem // ENOSYS to all else
	name               string
	file               *os.File
	size               uint64
}

func (s *server) attr(id uint64) fuse.Attr {
	if id == fuse.FUSE_ROOT_ID {
		return fuse.Attr{Ino: id, Mode: syscall.S_IFDIR | 0o555, Nlink: 2}
	}
	return fuse.Attr{Ino: id, Mode: syscall.S_IFREG | 0o444, Nlink: 1, Size: s.size, Blocks: (s.size + 511) / 512}
}

func (s *server) Lookup(_ <-chan struct{}, _ *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if name != s.name {
		return fuse.ENOENT
	}
	out.NodeId, out.Attr = fileID, s.attr(fileID)
	out.SetEntryTimeout(forever)
	out.SetAttrTimeout(forever)
	return fuse.OK
}

func (s *server) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	out.Attr = s.attr(in.NodeId)
	out.SetTimeout(forever)
	return fuse.OK
}

func (s *server) Open(_ <-chan struct{}, _ *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

func (s *server) Read(_ <-chan struct{}, in *fuse.ReadIn, _ []byte) (fuse.ReadResult, fuse.Status) {
	n := min(uint64(in.Size), s.size-min(s.size, in.Offset))
	return fuse.ReadResultFd(s.file.Fd(), int64(in.Offset), int(n)), fuse.OK
}

func (s *server) Forget(_, _ uint64) {}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "onefile:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%d arguments, want FILE MOUNTPOINT/NAME", len(args))
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	dir, name := filepath.Split(args[1])
	s := &server{fuse.NewDefaultRawFileSystem(), name, f, uint64(info.Size())}
	m, err := fuse.NewServer(s, dir, &fuse.MountOptions{
		FsName: args[0], Name: "onefile", DirectMount: true, Options: []string{"ro", "nosuid", "nodev", "noexec"},
		MaxWrite: 512 << 10, MaxBackground: 64,
		IgnoreSecurityLabels: true, EnableSymlinkCaching: true, ExplicitDataCacheControl: true,
	})
	if err != nil {
		return err
	}
	m.Serve()
	return nil
}
