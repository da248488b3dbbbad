//go:build linux

package mount_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
)

var ntfs3gNames = []string{"system.ntfs_acl", "system.ntfs_attrib", "system.ntfs_attrib_be", "system.ntfs_times", "system.ntfs_times_be", "system.ntfs_crtime",
	"system.ntfs_crtime_be", "system.ntfs_dos_name", "system.ntfs_reparse_data", "system.ntfs_object_id", "system.ntfs_ea"}

// TestXattrsEqualNTFS3G compares attributes and stat of every file with ntfs-3g's.
func TestXattrsEqualNTFS3G(t *testing.T) {
	for name, volume := range map[string]func(t *testing.T) string{
		"written": func(t *testing.T) string {
			image := newVolume(t)
			within(t, image, "compression,streams_interface=windows", func(dir string) { fill(t, dir) })
			return image
		},
		"vsstest.qcow2":        func(t *testing.T) string { return rawImage(t, "vsstest.qcow2") },
		"windows_volume.qcow2": func(t *testing.T) string { return rawImage(t, "windows_volume.qcow2") },
	} {
		t.Run(name, func(t *testing.T) {
			image := volume(t)
			point := onlyPoint(t, mounted(t, openSet(t, image)))
			count := map[string]int{}
			within(t, image, "ro,streams_interface=xattr", func(dir string) {
				err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
					if err == nil {
						compareXattrs(t, filepath.Join(point, strings.TrimPrefix(path, dir)), path, path == dir, count)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
			if count["system.ntfs_acl"] < 5 || name == "written" && (count["user."] < 8 || count["system.ntfs_ea"] != 1 || count["system.ntfs_object_id"] != 1 || count["system.ntfs_reparse_data"] != 2 ||
				count["holes or compressed"] != 3) {
				t.Error("too little compared")
			}
			t.Log(count)
		})
	}
}

// inventedACL starts what ntfs-3g says of a file without a descriptor: its SACL has no ACL, which no real one has.
const inventedACL = "\x01\x00\x04\x90\x8c\x00\x00\x00\x9c\x00\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00\x02\x00\x78\x00\x05"

func compareXattrs(t *testing.T, ours, theirs string, root bool, count map[string]int) {
	t.Helper()
	got, list := xattrs(t, ours, ntfs3gNames...)
	want, streams := xattrs(t, theirs, ntfs3gNames...)
	for name, w := range want {
		if name == "user.big" || name == "user.snapmount.mft" {
			continue // too big for an attribute, and hidden by another one
		}
		g := got[name]
		invented := name == "system.ntfs_acl" && strings.HasPrefix(w, inventedACL) && g == unix.ENODATA.Error()
		if g != w && !invented && !(root && name == "system.ntfs_dos_name") { // the root is its own parent, which ntfs-3g does not look up
			t.Errorf("%s: %s: %x, ntfs-3g has %x", ours, name, g, w)
		}
		if g == w && w != unix.ENODATA.Error() {
			count[name]++
		}
	}
	for _, name := range append(list, streams...) {
		if strings.HasPrefix(name, "user.") && name != "user.snapmount.mft" && name != "user.big" {
			count["user."]++
			if !slices.Contains(list, name) || !slices.Contains(streams, name) {
				t.Errorf("%s: %s is listed by one only", ours, name)
			}
		}
	}
	if !root {
		compareStat(t, stat(t, ours), stat(t, theirs), ours, count)
	}
}

// compareStat allows for directories, whose size is arbitrary, and the links that ntfs-3g counts for 8.3 names.
func compareStat(t *testing.T, got, want unix.Statx_t, path string, count map[string]int) {
	t.Helper()
	isDir := want.Mode&unix.S_IFMT == unix.S_IFDIR
	if got.Blocks*512 < got.Size && got.Size > 1<<16 {
		count["holes or compressed"]++
	}
	switch {
	case got.Mode&unix.S_IFMT != want.Mode&unix.S_IFMT, got.Blocks != want.Blocks, got.Size != want.Size && !isDir, got.Nlink > want.Nlink:
		t.Errorf("%s: %+v, ntfs-3g has %+v", path, got, want)
	case (got.Mtime != want.Mtime || got.Atime != want.Atime || got.Ctime != want.Ctime) && want.Mtime.Sec >= 0: // it gets fractions before 1970 wrong
		t.Errorf("%s: times %+v, ntfs-3g has %+v", path, got, want)
	}
}

// onlyPoint returns the current files of a mount of one volume.
func onlyPoint(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "p*", "current"))
	if err != nil || len(found) != 1 {
		t.Fatalf("points %q, %v", found, err)
	}
	return found[0]
}

func rawImage(t *testing.T, name string) string {
	t.Helper()
	raw := filepath.Join(t.TempDir(), "raw")
	testenv.Run(t, testenv.Peer(t, "qemu-img"), "convert", "-O", "raw", testenv.Shared(t, "data", name), raw)
	return raw
}

func TestOwnXattrs(t *testing.T) {
	image := newVolume(t)
	within(t, image, "compression,streams_interface=windows", func(dir string) { fill(t, dir) })
	point := onlyPoint(t, mounted(t, openSet(t, image)))
	file := filepath.Join(point, "streams/file.txt")
	content, err := os.ReadFile(file)
	if err != nil || len(content) != 1000 {
		t.Fatal(err)
	}
	ino := stat(t, file).Ino & (1<<40 - 1)
	acl, missing := filepath.Join(point, "plain/descriptor"), unix.ENODATA.Error()
	for _, c := range [][3]string{
		{file, "sha256", fmt.Sprintf("%x", sha256.Sum256(content))}, {file + ":small", "sha256", fmt.Sprintf("%x", sha256.Sum256([]byte("ssssssssss")))},
		{file, "point", "p0@current"}, {file, "mft", fmt.Sprintf("%d-1", ino)}, {file, "verdict", "intact"}, {file + ":small", "mft", fmt.Sprintf("%d-1", ino)},
		{acl, "owner", "S-1-5-32-544"}, {acl, "sddl", "O:BAG:BAD:(A;;FR;;;WD)"}, {file, "other", "ssssss"}, {file, "none", missing},
		{point, "mft", "5-5"}, {point, "sha256", missing}, {point, "verdict", missing}, {filepath.Dir(filepath.Dir(point)) + "/README.txt", "mft", missing},
	} {
		name := "user.snapmount." + c[1]
		got, listed := xattrs(t, c[0], name)
		if got[name] != c[2] || c[1] != "other" && slices.Contains(listed, name) {
			t.Errorf("%s: %s: %q, want %q; listed %q", c[0], c[1], got[name], c[2], listed)
		}
		if n, err := unix.Getxattr(c[0], name, nil); err == nil && n != len(c[2]) {
			t.Errorf("%s: %s has %d bytes, want %d", c[0], name, n, len(c[2]))
		}
	}
	if _, err := unix.Getxattr(file, "user.snapmount.sha256", make([]byte, 63)); !errors.Is(err, unix.ERANGE) {
		t.Errorf("too small a buffer: %v", err)
	}
	if _, err := unix.Getxattr(file, "user.big", make([]byte, 64<<10)); !errors.Is(err, unix.E2BIG) {
		t.Errorf("a stream that is too big: %v", err)
	}
	if b, err := os.ReadFile(file + ":snapmount.mft"); string(b) != "sssss" {
		t.Errorf("a stream named like an attribute: %q, %v", b, err)
	}
}

// TestOddTimes expects the first time of Windows, one before 1970 and one after 2262 to pass through the kernel.
func TestOddTimes(t *testing.T) {
	image := newVolume(t)
	within(t, image, "compression,streams_interface=windows", func(dir string) { fill(t, dir) })
	point := onlyPoint(t, mounted(t, openSet(t, image)))
	for path, ticks := range oddTimes {
		st := stat(t, filepath.Join(point, path))
		for i, got := range []unix.StatxTimestamp{st.Btime, st.Mtime, st.Atime} {
			want := unix.StatxTimestamp{Sec: int64((ticks+uint64(i))/1e7) - 11644473600, Nsec: uint32((ticks + uint64(i)) % 1e7 * 100)}
			if got != want {
				t.Errorf("%s: time %d is %v, want %v", path, i, got, want)
			}
		}
	}
}

// TestDamagedMetadata gives a file a security descriptor that is not there: all else of it stays.
func TestDamagedMetadata(t *testing.T) {
	image := newVolume(t)
	within(t, image, "compression,streams_interface=windows", func(dir string) { fill(t, dir) })
	le, edited := binary.LittleEndian, 0
	edit(t, image, func(b []byte) {
		if string(b[:4]) == "FILE" && b[22]&2 == 0 && strings.Contains(string(b), string(wide("descriptor"))) {
			le.PutUint32(b[le.Uint16(b[20:])+24+52:], 0xdddd)
			edited++
		}
	})
	if edited != 1 {
		t.Fatalf("%d records edited", edited)
	}
	file := filepath.Join(onlyPoint(t, mounted(t, openSet(t, image))), "plain/descriptor")
	got, listed := xattrs(t, file, "user.snapmount.sddl", "user.snapmount.verdict")
	for name, value := range got {
		if wantErr := name == "system.ntfs_acl" || name == "user.snapmount.sddl"; wantErr != (value == unix.EIO.Error()) {
			t.Errorf("%s: %q", name, value)
		}
	}
	if want := []string{"system.ntfs_acl", "system.ntfs_attrib", "system.ntfs_times"}; !slices.Equal(listed, want) {
		t.Errorf("listed %q, want %q", listed, want)
	}
	if b, err := os.ReadFile(file); len(b) != 30 || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
