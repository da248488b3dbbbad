package ntfs_test

import (
	"crypto/sha256"
	"encoding/hex"
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
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// peerVolumes are the volumes to compare with peers: those of realVolumes, and built ones.
func peerVolumes(built ...ntfstest.Volume) map[string]func(*testing.T) string {
	out := map[string]func(*testing.T) string{}
	for _, name := range realVolumes {
		out[name] = func(t *testing.T) string { return realVolume(t, name) }
	}
	for _, v := range built {
		out[v.Name] = func(t *testing.T) string { v.SkipManyUnderRace(t); return v.Build(t) }
	}
	return out
}

// otherInNTFS3G are the paths whose content cannot be read through ntfs-3g as it is.
var otherInNTFS3G = map[string]string{
	"reparse/posix_symlink":             "an Interix link, a file to Windows, which ntfs-3g makes a link of",
	"reparse/wof.bin":                   "a link that says that the plugin for WOF is missing",
	"reparse/wof.bin:WofCompressedData": "not opened without that plugin; TestSleuthkitBuilt compares it",
	"reparse/winsymlink":                "a link: reading goes to where it leads",
	"reparse/winsymlinkd":               "a link to a directory",
	"reparse/lxsymlink":                 "a link: reading goes to where it leads",
}

// TestNTFS3G compares the whole of each volume with ntfs-3g's read-only mount of it: all names and named streams both
// ways, and the contents of up to 64 MiB, but of the small files of files200k and frag, which are many, of every tenth.
func TestNTFS3G(t *testing.T) {
	for name, image := range peerVolumes(ntfstest.Volumes()...) {
		t.Run(name, func(t *testing.T) {
			raw := image(t)
			dir, _ := ntfstest.MountNTFS3G(t, raw, "ro,show_sys_files,streams_interface=windows")
			tree := openTree(t, testenv.Open(t, raw))
			ours := paths(t, tree)
			sampled := name == ntfstest.Files200K.Name || name == ntfstest.Frag.Name
			hashed, streams, used := 0, map[string][]string{}, 0
			for path, n := range ours {
				file, stream, _ := strings.Cut(path, ":")
				if stream != "" {
					streams[file] = append(streams[file], stream)
				}
				if other := otherInNTFS3G[path]; other != "" {
					used++
					if info, err := os.Lstat(filepath.Join(dir, file)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
						t.Errorf("%s: not %s: %v, %v", path, other, info, err)
					}
				} else if n.Ref.Record%10 == 0 || !sampled || n.Size > 4096 {
					hashed += compareMounted(t, filepath.Join(dir, path), path, n)
				}
			}
			if used != 0 && used != len(otherInNTFS3G) {
				t.Errorf("%d of the %d exceptions are there", used, len(otherInNTFS3G))
			}
			theirs := ntfstest.Walk(t, dir)
			for path := range theirs {
				if path = path[1:]; ours[path] == nil {
					t.Errorf("%s: only ntfs-3g has it", path)
				}
				compareStreams(t, filepath.Join(dir, path), path, streams[path])
			}
			for path := range ours {
				if theirs["/"+path] == nil && !strings.Contains(path, ":") {
					t.Errorf("%s: ntfs-3g does not have it", path)
				}
			}
			free, err := tree.FreeClusters()
			out := testenv.Run(t, "stat", "-f", "-c", "%f", dir)
			if want := strings.TrimSpace(string(out)); err != nil || fmt.Sprint(free) != want {
				t.Errorf("%d free clusters, %v, statfs says %s", free, err, want)
			}
			t.Logf("%d names, %d named streams, %d contents", len(theirs), len(ours)-len(theirs), hashed)
		})
	}
}

// compareStreams compares the names of named streams.
func compareStreams(t *testing.T, mounted, path string, ours []string) {
	var theirs []string
	b := make([]byte, 64<<10)
	n, err := unix.Lgetxattr(mounted, "ntfs.streams.list", b)
	if err != nil && !errors.Is(err, unix.ENODATA) {
		t.Errorf("%s: %v", path, err)
	}
	if n > 0 {
		theirs = strings.Split(strings.TrimSuffix(string(b[:n]), "\x00"), "\x00")
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	if !slices.Equal(ours, theirs) {
		t.Errorf("%s: streams %q, ntfs-3g has %q", path, ours, theirs)
	}
}

func compareMounted(t *testing.T, mounted, path string, n *ntfs.Node) int {
	_, stream, _ := strings.Cut(path, ":")
	s, err := n.Stream(stream)
	if err != nil || s.Size() > 64<<20 {
		return 0
	}
	ours, err := sum(s)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	b, err := os.ReadFile(mounted)
	if theirs := sha256.Sum256(b); err != nil || hex.EncodeToString(theirs[:]) != ours {
		t.Errorf("%s: not what ntfs-3g gives (%d bytes, %v)", path, len(b), err)
	}
	return 1
}
