//go:build linux

package mount_test

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
)

// TestRoundTrip copies a volume from the mount to a fresh one of ntfs-3g by the commands that README names. All that
// ntfs-3g shows of the copies must be as it was, but for what is listed as lost.
func TestRoundTrip(t *testing.T) {
	image := newVolume(t)
	within(t, image, "compression,streams_interface=windows", func(dir string) { fill(t, dir) })
	point := onlyPoint(t, mounted(t, openSet(t, image)))
	archived := []string{"plain/hidden system.ntfs_attrib"} // writing sets the archive attribute
	for name, c := range map[string]struct {
		tool, command string
		lost          []string
	}{
		"cp":    {"cp", `cp -a "$1"/. "$2"`, nil},
		"rsync": {"rsync", `rsync -aHX --inplace --filter='+x *' "$1"/ "$2"`, nil},
		"tar":   {"tar", `tar -C "$1" --xattrs -cf - . | tar -C "$2" --xattrs --xattrs-include='*' -xpf -`, archived},
		"setfattr": {"getfattr", `cp -r --preserve=links "$1"/. "$2" && cd "$1" && getfattr -R -P -h -d -m - -e base64 . | (cd "$2" && setfattr -h --restore=-)`,
			nil},
	} {
		t.Run(name, func(t *testing.T) {
			testenv.Peer(t, c.tool)
			copied := newVolume(t)
			within(t, copied, "streams_interface=xattr", func(to string) {
				if out, err := exec.Command("sh", "-c", c.command, "sh", point, to).CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", c.command, err, out)
				}
			})
			var lost []string
			within(t, copied, "ro,streams_interface=xattr", func(to string) { lost = compareCopies(t, point, to) })
			slices.Sort(lost)
			if !slices.Equal(lost, c.lost) {
				t.Errorf("lost %q, want %q", lost, c.lost)
			}
		})
	}
}

// compareCopies names what copies in a volume of ntfs-3g have not as the originals have.
func compareCopies(t *testing.T, from, to string) (lost []string) {
	t.Helper()
	compared, inodes := map[string]int{}, map[string]uint64{}
	err := filepath.WalkDir(from, func(path string, _ fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		copied := filepath.Join(to, rel)
		inodes[rel] = stat(t, copied).Ino
		want, listed := xattrs(t, path, ntfs3gNames...)
		got, _ := xattrs(t, copied, append(ntfs3gNames, listed...)...)
		for name, w := range want {
			g := got[name]
			if strings.HasPrefix(name, "system.ntfs_times") && len(g) == 32 && len(w) == 32 {
				g, w = g[:24], w[:24] // the change time is that of the copy
			}
			if name == "system.ntfs_acl" && w == unix.ENODATA.Error() {
				continue // ntfs-3g gives each new file one
			}
			if name == "system.ntfs_attrib" {
				g, w = withoutStorage(g), withoutStorage(w)
			}
			if g != w && !strings.HasSuffix(name, "_be") {
				lost = append(lost, rel+" "+name)
			}
			if w != unix.ENODATA.Error() {
				compared[name]++
			}
		}
		return nil
	})
	if err != nil || compared["system.ntfs_ea"] != 1 || compared["system.ntfs_object_id"] != 1 || compared["system.ntfs_reparse_data"] != 2 ||
		compared["system.ntfs_dos_name"] != 2 || compared["user.limit"] != 2 || compared["system.ntfs_acl"] < 2 {
		t.Errorf("compared %v, %v", compared, err)
	}
	if inodes["links/one"] != inodes["links/two"] {
		t.Error("a hard link became a file of its own")
	}
	return lost
}

// withoutStorage takes out of attributes how the content is stored, which is the new volume's business: sparse and compressed.
func withoutStorage(attrib string) string {
	b := []byte(attrib)
	if len(b) == 4 {
		b[1] &^= 0x0a
	}
	return string(b)
}
