// Package mount serves a mount/tree as a read-only file system of this machine: through FUSE, or where there is none, as an
// NFS server that the kernel is the only client of.
//
// It translates: what is where, and what it is, mount/tree knows. The tree is immutable and finds every node again from
// its number, so nothing is kept per inode, the kernel may cache everything for ever, and FORGET does nothing.
package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// ErrRefused says that nothing was mounted: the mount point or the system does not allow it.
var ErrRefused = errors.New("mount refused")

// Options of Mount; the zero value works.
type Options struct {
	View       tree.View // which points are shown, and under which names
	AllowOther bool      // let other users of this computer in, as far as Modes do
	Modes      Modes     // permissions
	System     bool      // list NTFS metafiles such as $MFT
	Owner      Owner     // of all files; zero is the caller. One that root gives it to, and root, are let in
	FUSE       []string  // more options, as after -o of mount(8)
	NonEmpty   bool      // hide what the mount point holds already
	Via        string    // what mounts, of Vias; empty is ViaAuto
	// Warn is told why a read failed and what was mended, from any goroutine; nil drops it.
	Warn func(error)
	// Gone is called when the mount is gone and nothing is read any more, before the mount point is given back.
	Gone func()

	about    []byte               // what the mount tells of its server
	noFUSE   error                // why it is made by NFS, where nobody asked for that
	mountNFS func(*nfsCall) error // of tests; nil is the system's
}

// What Options.Via may be. Auto is FUSE, and NFS where there is none.
const (
	ViaAuto = "auto"
	ViaFUSE = "fuse"
	ViaNFS  = "nfs"
)

// Vias are all that Options.Via may be.
var Vias = []string{ViaAuto, ViaFUSE, ViaNFS}

func (o *Options) warn(err error) {
	if o.Warn != nil {
		o.Warn(err)
	}
}

// CheckPoint says whether dir can be mounted on: an empty directory, unless Options.NonEmpty, or a name that does not
// exist yet, which holds no image of s. Serving an image from below its own mount would block for ever.
func CheckPoint(dir string, s *points.Set, opts Options) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if up, err := os.Stat(filepath.Dir(filepath.Clean(dir))); err != nil || !up.IsDir() {
			return fmt.Errorf("%w: %s: its parent directory does not exist", ErrRefused, dir)
		}
		return nil
	case errors.Is(err, errStale):
		return fmt.Errorf("%w: %s is a mount whose program has ended: run: snapmount umount %s", ErrRefused, dir, dir)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory", ErrRefused, dir)
	}
	if err := checkFree(dir, info, opts); err != nil {
		return err
	}
	return checkImages(dir, s)
}

func checkFree(dir string, info fs.FileInfo, opts Options) error {
	if up, err := os.Stat(filepath.Join(dir, "..")); err == nil && isMountPoint(info, up) {
		return fmt.Errorf("%w: %s is busy: something is mounted there", ErrRefused, dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if len(entries) > 0 && !opts.NonEmpty {
		return fmt.Errorf("%w: %s is not empty: give an empty directory, a new name, or --nonempty", ErrRefused, dir)
	}
	return nil
}

func checkImages(dir string, s *points.Set) error {
	point, err := realPath(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	for _, f := range s.HostFiles() {
		file, err := realPath(f)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		if strings.HasPrefix(file, strings.TrimSuffix(point, string(filepath.Separator))+string(filepath.Separator)) {
			return fmt.Errorf("%w: %s holds the image %s: mount elsewhere", ErrRefused, dir, f)
		}
	}
	return nil
}

func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}
