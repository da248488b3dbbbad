//go:build linux || darwin || freebsd

package mount

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// Server is a running mount.
type Server struct {
	dir     string
	fuse    *fuse.Server
	lock    *os.File      // of the mount point, for as long as the mount is served
	created bool          // the mount point was made here, and goes again
	cleanUp func() error  // gives both back
	done    chan struct{} // closed when the mount is gone
}

// Mount serves s at dir and returns when the mount answers. A missing dir is created, and removed after unmounting.
func Mount(dir string, s *points.Set, opts Options) (*Server, error) {
	if err := checkSystem(); err != nil {
		return nil, err
	}
	fuseOpts, err := mountOptions(s, opts)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	files, err := tree.New(s, tree.Options{View: opts.View, System: opts.System, Time: time.Now(), HostBytes: hostBytes})
	if err != nil {
		return nil, err
	}
	m := &Server{dir: abs, done: make(chan struct{})}
	m.cleanUp = sync.OnceValue(m.release)
	if err := m.claim(dir, s, opts); err != nil {
		return nil, errors.Join(err, m.cleanUp())
	}
	if m.fuse, err = fuse.NewServer(newFileSystem(files, opts), abs, fuseOpts); err != nil {
		text := strings.TrimSpace(errors.Join(err, m.cleanUp()).Error())
		return nil, fmt.Errorf("%w: %s: %s (%s)", ErrRefused, dir, text, withoutFUSE)
	}
	go func() {
		m.fuse.Serve()
		if opts.Gone != nil {
			opts.Gone()
		}
		_ = m.cleanUp() // Wait tells
		close(m.done)
	}()
	if err := m.fuse.WaitMount(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRefused, dir, errors.Join(err, m.Unmount()))
	}
	raiseReadAhead(abs)
	return m, nil
}

func newFileSystem(files *tree.FS, opts Options) *fileSystem {
	return &fileSystem{RawFileSystem: fuse.NewDefaultRawFileSystem(), tree: files, opts: opts, owner: opts.Owner.fuse()}
}

func mountOptions(s *points.Set, opts Options) (*fuse.MountOptions, error) {
	o := &fuse.MountOptions{
		FsName:                   plain(runtime.GOOS, s.Images[0].Path),
		Name:                     "snapmount",
		AllowOther:               opts.AllowOther,
		Options:                  systemOptions(runtime.GOOS, s.Images[0].Path),
		DirectMount:              runtime.GOOS == "linux" && os.Geteuid() == 0,
		MaxWrite:                 requestSize,
		MaxBackground:            64,
		IgnoreSecurityLabels:     true,
		EnableSymlinkCaching:     true,
		ExplicitDataCacheControl: true,
		Logger:                   log.New(os.Stderr, "snapmount: ", 0),
	}
	err := applyFUSE(o, opts.FUSE)
	if err == nil && slices.Contains(o.Options, hideApple) {
		opts.warn(errors.New("macFUSE hides .DS_Store and names that start with ._, the image's own ones too: -o appledouble shows them"))
	}
	return o, err
}

// requestSize is how much the kernel asks for at once, in bytes: a pipe of 1 MiB, the most that there is, holds no request
// of 1 MiB with its header, so that could not be spliced.
const requestSize = 512 << 10

const withoutFUSE = "info, ls, stat and cat work without FUSE"

// checkSystem says what this system lacks, where that can be seen beforehand.
func checkSystem() error {
	if runtime.GOOS != "linux" {
		return nil
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return fmt.Errorf("%w: /dev/fuse is missing: load the kernel module fuse (%s)", ErrRefused, withoutFUSE)
	}
	if _, err := exec.LookPath("fusermount3"); err != nil && os.Geteuid() != 0 {
		return fmt.Errorf("%w: fusermount3 is missing: install the package fuse3, or run as root (%s)", ErrRefused, withoutFUSE)
	}
	return nil
}

// Wait returns when the mount is gone, by whatever way, and removes the mount point if Mount made it.
func (m *Server) Wait() error {
	<-m.done
	return m.cleanUp()
}

// Unmount ends the mount; an error says that something still uses it.
func (m *Server) Unmount() error {
	if err := m.fuse.Unmount(); err != nil {
		return busyOr(m.dir, fmt.Errorf("unmount %s: %w", m.dir, err))
	}
	return nil
}

// Detach takes the mount out of the directory tree although it is in use; its users can go on while this process lives.
func (m *Server) Detach() error { return errors.Join(Unmount(m.dir, true), m.cleanUp()) }

// isMountPoint tells from a directory and its parent: they are on different devices, or one and the same.
func isMountPoint(dir, parent os.FileInfo) bool {
	d, ok1 := dir.Sys().(*syscall.Stat_t)
	p, ok2 := parent.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && (d.Dev != p.Dev || d.Ino == p.Ino)
}
