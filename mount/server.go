//go:build linux || darwin || freebsd

package mount

import (
	"errors"
	"fmt"
	"log"
	"os"
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
	front   front
	lock    *os.File      // of the mount point, for as long as the mount is served
	created bool          // the mount point was made here, and goes again
	cleanUp func() error  // gives both back
	done    chan struct{} // closed when the mount is gone
}

// A front is what serves a mount: FUSE's server, or that of NFS.
type front interface {
	Serve()           // until the mount is gone
	WaitMount() error // until it answers
	Unmount() error
}

// Mount serves s at dir and returns when the mount answers. A missing dir is created, and removed after unmounting.
func Mount(dir string, s *points.Set, opts Options) (*Server, error) {
	fuseOpts, err := mountOptions(s, &opts)
	if err == nil {
		err = opts.choose()
	}
	if err == nil {
		opts.about, err = about(s)
	}
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	shown := tree.Options{View: opts.View, System: opts.System, Time: time.Now(), HostBytes: hostBytes}
	if opts.Via == ViaNFS {
		shown.Server = string(opts.about)
	}
	files, err := tree.New(s, shown)
	if err != nil {
		return nil, err
	}
	for _, note := range files.Notes() {
		opts.warn(errors.New(note))
	}
	m := &Server{dir: abs, done: make(chan struct{})}
	m.cleanUp = sync.OnceValue(m.release)
	err = m.claim(dir, s, opts)
	if err == nil {
		err = mayCover(abs)
	}
	if err != nil {
		return nil, errors.Join(err, m.cleanUp())
	}
	if m.front, err = start(files, abs, s, &opts, fuseOpts); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s: %w (%s)", ErrRefused, dir, err, withoutFUSE), m.cleanUp())
	}
	go func() {
		m.front.Serve()
		if opts.Gone != nil {
			opts.Gone()
		}
		_ = m.cleanUp() // Wait tells
		close(m.done)
	}()
	if err := m.front.WaitMount(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRefused, dir, errors.Join(err, m.Unmount()))
	}
	raiseReadAhead(abs)
	return m, nil
}

// start mounts a tree at dir.
func start(files *tree.FS, dir string, s *points.Set, opts *Options, how *fuse.MountOptions) (front, error) {
	if opts.Via == ViaNFS {
		f, err := startNFS(files, dir, s, opts)
		return f, opts.told(err)
	}
	if slices.Contains(how.Options, hideApple) {
		opts.warn(errors.New("macFUSE hides .DS_Store and names that start with ._, the image's own ones too: -o appledouble shows them"))
	}
	return startFUSE(func() (*fuse.Server, error) { return fuse.NewServer(newFileSystem(files, *opts), dir, how) })
}

func newFileSystem(files *tree.FS, opts Options) fuse.RawFileSystem {
	f := &fileSystem{RawFileSystem: fuse.NewDefaultRawFileSystem(), tree: files, opts: opts, owner: opts.Owner.fuse(), guarded: guards(opts)}
	if f.guarded || opts.AllowOther {
		return gate{f}
	}
	return f
}

// mountOptions tells the FUSE library what opts say, and opts what options of FUSE among them do.
func mountOptions(s *points.Set, opts *Options) (*fuse.MountOptions, error) {
	direct := runtime.GOOS == "linux" && os.Geteuid() == 0
	o := &fuse.MountOptions{
		FsName:                   plain(runtime.GOOS, s.Images[0].Path),
		Name:                     "snapmount",
		AllowOther:               opts.AllowOther,
		Options:                  systemOptions(runtime.GOOS, s.Images[0].Path),
		DirectMount:              direct,
		DirectMountStrict:        direct, // what the helper says of root is not why it failed
		MaxWrite:                 requestSize,
		MaxBackground:            64,
		IgnoreSecurityLabels:     true,
		EnableSymlinkCaching:     true,
		ExplicitDataCacheControl: true,
		Logger:                   log.New(warner{opts}, "", 0),
	}
	err := applyFUSE(o, opts.FUSE)
	opts.AllowOther = o.AllowOther
	if o.AllowOther = o.AllowOther || guards(*opts); o.AllowOther && !slices.Contains(o.Options, checkModes) {
		o.Options = append(o.Options, checkModes)
	}
	return o, err
}

// checkModes has the kernel hold everybody to what stat shows.
const checkModes = "default_permissions"

// warner makes warnings of the lines of a log.
type warner struct{ opts *Options }

func (w warner) Write(line []byte) (int, error) {
	w.opts.warn(errors.New(strings.TrimSpace(string(line))))
	return len(line), nil
}

// requestSize is how much the kernel asks for at once, in bytes: a pipe of 1 MiB, the most that there is, holds no request
// of 1 MiB with its header, so that could not be spliced.
const requestSize = 512 << 10

const withoutFUSE = "all commands but mount work without FUSE: ls, find, history, restore"

// Wait returns when the mount is gone, by whatever way, and removes the mount point if Mount made it.
func (m *Server) Wait() error {
	<-m.done
	return m.cleanUp()
}

// Unmount ends the mount; an error says that something still uses it.
func (m *Server) Unmount() error {
	if err := m.front.Unmount(); err != nil {
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
