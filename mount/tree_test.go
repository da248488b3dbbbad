//go:build linux

package mount_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/mount"
	"snapmount/mount/points"
	"snapmount/mount/tree"
	"snapmount/mount/tree/treetest"
)

func TestTree(t *testing.T) {
	treetest.Run(t, treetest.Front{
		Serve: func(t *testing.T, s *points.Set) treetest.Client {
			m, dir := served(t, s, mount.Options{})
			return kernel{dir, m}
		},
		IDs: true, Links: true, LinkCount: true, Allocated: true, Times: true, Created: true, Xattrs: true, Kinds: true,
	})
}

// kernel asks through the mount at dir.
type kernel struct {
	dir    string
	server *mount.Server
}

// Forget has the kernel drop every name below the top, and with them the inodes.
func (k kernel) Forget(t *testing.T) {
	list, err := os.ReadDir(k.dir)
	if err != nil {
		t.Error(err)
	}
	for _, e := range list {
		if !k.server.Drop(e.Name()) {
			t.Errorf("the kernel did not know %s", e.Name())
		}
	}
}

// told gives an error as the tree has it.
func told(err error) error {
	for no, as := range map[syscall.Errno]error{syscall.ENOTDIR: tree.ErrNotDir, syscall.EISDIR: tree.ErrIsDir, syscall.EINVAL: tree.ErrNotLink, syscall.ENODATA: tree.ErrNoXattr} {
		if errors.Is(err, no) {
			return fmt.Errorf("%w (%w)", as, err)
		}
	}
	return err
}

func (k kernel) Stat(path string) (treetest.Info, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, filepath.Join(k.dir, path), unix.AT_SYMLINK_NOFOLLOW, unix.STATX_ALL, &st); err != nil {
		return treetest.Info{}, told(err)
	}
	at := func(t unix.StatxTimestamp) time.Time { return time.Unix(t.Sec, int64(t.Nsec)) }
	kind := map[uint16]tree.Kind{unix.S_IFDIR: tree.KindDir, unix.S_IFREG: tree.KindFile, unix.S_IFLNK: tree.KindLink}[st.Mode&unix.S_IFMT]
	return treetest.Info{ID: st.Ino, Kind: kind, Attr: tree.Attr{Size: int64(st.Size), Allocated: int64(st.Blocks) * 512, Links: int(st.Nlink),
		Created: at(st.Btime), Modified: at(st.Mtime), Accessed: at(st.Atime), Changed: at(st.Ctime)}}, nil
}

func (k kernel) List(path string) (out []treetest.Info, err error) {
	list, err := os.ReadDir(filepath.Join(k.dir, path))
	for _, e := range list {
		i := treetest.Info{Name: e.Name(), Kind: map[fs.FileMode]tree.Kind{fs.ModeDir: tree.KindDir, 0: tree.KindFile, fs.ModeSymlink: tree.KindLink}[e.Type()]}
		if info, err := e.Info(); err == nil { // damage is told by Stat
			i.ID = info.Sys().(*syscall.Stat_t).Ino
		}
		out = append(out, i)
	}
	return out, told(err)
}

func (k kernel) Read(path string) ([]byte, error) {
	b, err := os.ReadFile(k.dir + path)
	return b, told(err)
}

func (k kernel) Link(path string) (string, error) {
	to, err := os.Readlink(k.dir + path)
	return to, told(err)
}

func (k kernel) Xattr(path, name string) ([]byte, error) {
	b := make([]byte, tree.MaxXattr)
	n, err := unix.Lgetxattr(k.dir+path, name, b)
	return b[:max(n, 0)], told(err)
}

func (k kernel) Xattrs(path string) ([]string, error) {
	b := make([]byte, tree.MaxXattr)
	n, err := unix.Llistxattr(k.dir+path, b)
	return strings.FieldsFunc(string(b[:max(n, 0)]), func(r rune) bool { return r == 0 }), told(err)
}
