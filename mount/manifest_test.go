//go:build linux

package mount_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// TestManifest reads everything that was written to the built volumes through the kernel, and compares all names,
// sizes and times with those of ntfs-3g's mount of the same volume, both ways.
func TestManifest(t *testing.T) {
	for _, v := range ntfstest.Volumes() {
		t.Run(v.Name, func(t *testing.T) {
			v.SkipManyUnderRace(t)
			image := v.Build(t)
			s := openSet(t, image)
			dir := filepath.Join(mounted(t, s), s.Volumes[0].Name, "current")
			files, err := s.Volumes[0].Current().Files()
			if err != nil {
				t.Fatal(err)
			}
			m := manifestMount{dir: dir, files: files, every: 1}
			if v.Name == ntfstest.Files200K.Name {
				m.every = 50 // the content of each was read in process
			}
			peer, _ := ntfstest.MountNTFS3G(t, image, "ro,streams_interface=windows")
			names := m.compare(t, peer)
			counts := map[string]int{}
			for i, c := range ntfstest.Manifest(t, image) {
				if err := m.check(c, i); err != nil {
					t.Errorf("%s %s: %v", c.Type, c.Path, err)
				}
				counts[c.Type]++
			}
			t.Logf("%d names, %d contents read, claims %v", names, m.read, counts)
			if counts["file"] < 3 || m.read < 3 {
				t.Error("next to nothing was compared")
			}
		})
	}
}

// manifestMount is a mounted point of a volume.
type manifestMount struct {
	dir   string
	files *ntfs.Tree
	every int // of so many files the content of one is read
	read  int // contents
}

// compare holds every entry against ntfs-3g's, both ways, and returns how many there are.
func (m *manifestMount) compare(t *testing.T, peer string) int {
	ours, theirs := ntfstest.Walk(t, m.dir), ntfstest.Walk(t, peer)
	for path := range theirs {
		if ours[path] == nil {
			t.Errorf("%s: only ntfs-3g has it", path)
		}
	}
	for path, e := range ours {
		p := theirs[path]
		if p == nil {
			t.Errorf("%s: ntfs-3g does not have it", path)
			continue
		}
		a, err1 := e.Info()
		b, err2 := p.Info()
		if err := errors.Join(err1, err2); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		switch path {
		case "/reparse/posix_symlink": // a file to Windows; ntfs-3g makes a link of it
		case "/reparse/wof.bin": // ntfs-3g, without a plugin, makes a dangling link of it
		default:
			if a.Mode().Type() != b.Mode().Type() || a.Mode().IsRegular() && a.Size() != b.Size() {
				t.Errorf("%s: %v %d, ntfs-3g has %v %d", path, a.Mode(), a.Size(), b.Mode(), b.Size())
			}
		}
		if !a.ModTime().Equal(b.ModTime()) && path != "/times/y1601.txt" { // ntfs-3g rounds what is a fraction of a second before 1970
			t.Errorf("%s: modified %v, ntfs-3g has %v", path, a.ModTime(), b.ModTime())
		}
	}
	return len(ours)
}

// check compares what the mount shows with claim i. What it does not show, such as DOS attributes and descriptors, has
// to be there at least.
func (m *manifestMount) check(c ntfstest.Claim, i int) error {
	path := filepath.Join(m.dir, c.Path)
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_ALL, &st); err != nil {
		return err
	}
	switch c.Type {
	case "file", "stream", "wof":
		if int64(st.Size) != c.Size {
			return fmt.Errorf("size %d, want %d", st.Size, c.Size)
		}
		if i%m.every == 0 {
			return m.checkContent(path, c)
		}
	case "dircount":
		list, err := os.ReadDir(path)
		if err == nil && len(list) != c.Count {
			err = fmt.Errorf("%d entries, want %d", len(list), c.Count)
		}
		return err
	case "reparse":
		if to, err := os.Readlink(path); to != targets[c.Path] {
			return fmt.Errorf("link to %q, want %q, %w", to, targets[c.Path], err)
		}
	case "times":
		for i, got := range []unix.StatxTimestamp{st.Btime, st.Mtime, st.Atime} {
			if want := wintype.Filetime(c.Times[i]).Time(); got.Sec != want.Unix() || int(got.Nsec) != want.Nanosecond() {
				return fmt.Errorf("times %d: %+v, want %v", i, got, want)
			}
		}
	}
	return nil
}

// targets are what the mount makes of the reparse points of the feature volumes. None of these is a system volume.
var targets = map[string]string{
	"/reparse/junction": `not in this image: \??\C:\sizes`, "/reparse/winsymlink": "../sizes/s100.bin",
	"/reparse/winsymlinkd": "../sizes", "/reparse/lxsymlink": "../sizes/s1.bin",
}

func (m *manifestMount) checkContent(path string, c ntfstest.Claim) error {
	m.read++
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if c.DataExtents != nil {
		want := c.Data(int64(m.files.ClusterSize()))
		if got, err := seekAll(f, c.Size); err != nil || !slices.Equal(got, want) {
			return fmt.Errorf("data at %v, want %v, %w", got, want, err)
		}
	}
	if c.Size > 256<<20 {
		return m.samples(f, c)
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if sum := fmt.Sprintf("%x", h.Sum(nil)); err != nil || n != c.Size || sum != c.SHA256 {
		return fmt.Errorf("%d bytes of SHA-256 %s, want %d of %s, %w", n, sum, c.Size, c.SHA256, err)
	}
	return nil
}

// samples compares 1 MiB of every 16 with what package ntfs reads, whose own test reads all of it.
func (m *manifestMount) samples(f *os.File, c ntfstest.Claim) error {
	n, err := m.files.Lookup(c.Path)
	if err != nil {
		return err
	}
	s, err := n.Stream("")
	if err != nil {
		return err
	}
	got, want := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); off < c.Size; off += 16 << 20 {
		at := min(off, c.Size-int64(len(got)))
		_, err := f.ReadAt(got, at)
		if err = errors.Join(err, layer.ReadFull(s, want, at)); err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("other bytes at 0x%x", at)
		}
	}
	return nil
}

// seekAll finds the offsets and lengths of data by SEEK_DATA and SEEK_HOLE, and goes back to the start.
func seekAll(f *os.File, size int64) (out [][2]int64, err error) {
	for off := int64(0); off < size; {
		start, err := f.Seek(off, unix.SEEK_DATA)
		if errors.Is(err, syscall.ENXIO) {
			break
		} else if err != nil {
			return nil, err
		}
		if off, err = f.Seek(start, unix.SEEK_HOLE); err != nil {
			return nil, err
		}
		out = append(out, [2]int64{start, off - start})
	}
	_, err = f.Seek(0, io.SeekStart)
	return out, err
}
