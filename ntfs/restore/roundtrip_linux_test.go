package restore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// xattrNames are all that ntfs-3g has of a file, but the big-endian copies.
var xattrNames = []string{"system.ntfs_acl", "system.ntfs_attrib", "system.ntfs_times", "system.ntfs_crtime", "system.ntfs_dos_name",
	"system.ntfs_reparse_data", "system.ntfs_object_id", "system.ntfs_ea", "system.ntfs_efsinfo"}

// results collects what Run tells.
type results struct {
	mu   sync.Mutex
	list []restore.Result
}

func (r *results) add(res restore.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, res)
}

// failed lists the errors.
func (r *results) failed() (out []string) {
	for _, res := range r.list {
		if res.Err != nil {
			out = append(out, fmt.Sprintf("%s: %v", res.Path, res.Err))
		}
	}
	return out
}

func all(sources ...restore.Source) iter.Seq2[restore.Source, error] {
	return func(yield func(restore.Source, error) bool) {
		for _, s := range sources {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// restored restores all of a volume to a directory.
func restored(t testing.TB, volume layer.Source, dir string, opts restore.Options) *results {
	t.Helper()
	tree, err := ntfs.Open(volume, ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	top, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	return run(t, dir, opts, restore.Source{Node: top})
}

func run(t testing.TB, dir string, opts restore.Options, sources ...restore.Source) *results {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var r results
	opts.Done = r.add
	if err := restore.Run(context.Background(), root, all(sources...), opts); err != nil {
		t.Fatal(err)
	}
	return &r
}

// freshNTFS makes an empty volume and returns its image.
func freshNTFS(t testing.TB, sector string, size int64) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "target.img")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size)); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-F", "-Q", "-q", "-c", "4096", "-s", sector, "-p", "0", "-H", "255", "-S", "63", "-L", "target", image)
	return image
}

const targetOptions = "streams_interface=windows,big_writes"

// TestRoundTrip restores volumes with every feature to ntfs-3g, and to ext4 or the like and from there with its sidecar to
// ntfs-3g, and compares all that ntfs-3g shows of the original and of the copy.
func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		volume ntfstest.Volume
		way    string
		long   bool
	}{{ntfstest.Feat64K, "direct", false}, {ntfstest.Feat512, "sidecar", false}, {ntfstest.Feat512, "snapshot", true}, {ntfstest.Feat, "direct", true}, {ntfstest.Feat4Kn, "sidecar", true}} {
		v, way := c.volume, c.way
		t.Run(v.Name+" "+way, func(t *testing.T) {
			if (c.long || testenv.Race && way == "direct") && os.Getenv("SNAPMOUNT_LONG") == "" {
				t.Skip("SKIPPED: takes half a minute: set SNAPMOUNT_LONG")
			}
			image := v.Build(t)
			target := freshNTFS(t, map[bool]string{true: "4096", false: "512"}[v.Name == "feat4kn"], 4<<30)
			dir, unmount := ntfstest.MountNTFS3G(t, target, targetOptions)
			volume := testenv.Open(t, image)
			if way == "snapshot" {
				volume = oldest(t, volume)
			}
			if way == "sidecar" {
				viaPOSIX(t, volume, dir)
			} else if failed := restored(t, volume, dir, restore.Options{Verify: true}).failed(); len(failed) > 0 {
				t.Errorf("failed: %q", failed)
			}
			unmount()
			original, _ := ntfstest.MountNTFS3G(t, image, "ro,streams_interface=windows")
			dir, _ = ntfstest.MountNTFS3G(t, target, "ro,streams_interface=windows")
			checkClaims(t, v, image, dir)
			compareTrees(t, original, dir, true)
		})
	}
}

// viaPOSIX restores to a directory of the system's, copies that to dir and applies the sidecar.
func viaPOSIX(t *testing.T, volume layer.Source, dir string) {
	plain := t.TempDir()
	if failed := restored(t, volume, plain, restore.Options{}).failed(); len(failed) > 0 {
		t.Errorf("failed: %q", failed)
	}
	testenv.Run(t, "cp", "-a", "--no-preserve=ownership,xattr,links", plain+"/.", dir)
	applied(t, dir)
}

// apply gives what is in dir the metadata of the sidecar.
func apply(t *testing.T, dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	err = restore.Apply(t.Context(), root, func(path string, lost []string, err error) {
		if err != nil || len(lost) > 0 {
			t.Errorf("apply: %s: %q, %v", path, lost, err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// applied gives what is in dir the metadata of the sidecar, which is removed then.
func applied(t *testing.T, dir string) {
	t.Helper()
	apply(t, dir)
	if err := errors.Join(os.Remove(filepath.Join(dir, restore.SidecarName)), os.RemoveAll(filepath.Join(dir, restore.StreamsName))); err != nil {
		t.Error(err)
	}
}

// checkClaims checks what the volume's builder wrote against the mounted copy.
func checkClaims(t *testing.T, v ntfstest.Volume, image, dir string) {
	n := 0
	for _, c := range ntfstest.Manifest(t, image) {
		if c.Type != "file" && c.Type != "stream" && c.Type != "wof" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, c.Path))
		if sum := fmt.Sprintf("%x", sha256.Sum256(b)); err != nil || sum != c.SHA256 {
			t.Errorf("%s: %d bytes, not what was written, %v", c.Path, len(b), err)
		}
		n++
	}
	if n < 300 {
		t.Errorf("%d claims", n)
	}
}

// compareTrees compares two mounts of ntfs-3g: names, types, times, links, contents, extended attributes and, where that is
// wanted, space.
func compareTrees(t *testing.T, want, got string, space bool) {
	ours, theirs := ntfstest.Walk(t, got), ntfstest.Walk(t, want)
	for path := range ours {
		if theirs[path] == nil {
			t.Errorf("%s: not in the original", path)
		}
	}
	inodes, count := map[uint64]uint64{}, map[string]int{}
	for path := range theirs {
		if path == "/reparse/wof.bin" {
			continue // restored as the file that it is to Windows, which ntfs-3g does not show: checkClaims
		}
		if ours[path] == nil {
			t.Errorf("%s: missing", path)
			continue
		}
		var a, b unix.Stat_t
		if err := errors.Join(unix.Lstat(want+path, &a), unix.Lstat(got+path, &b)); err != nil {
			t.Error(err)
			continue
		}
		if a.Mode&unix.S_IFMT != b.Mode&unix.S_IFMT || a.Size != b.Size && a.Mode&unix.S_IFMT == unix.S_IFREG || a.Mtim != b.Mtim || a.Nlink != b.Nlink {
			t.Errorf("%s: %o of %d bytes, %v, %d links, want %o, %d, %v, %d", path, b.Mode, b.Size, b.Mtim, b.Nlink, a.Mode, a.Size, a.Mtim, a.Nlink)
		}
		if first, ok := inodes[a.Ino]; ok && first != b.Ino {
			t.Errorf("%s: not a hard link", path)
		}
		inodes[a.Ino] = b.Ino
		if space && a.Mode&unix.S_IFMT == unix.S_IFREG && b.Blocks > a.Blocks+8+a.Blocks/8 && xattrOf(want+path, "system.ntfs_attrib")[1]&8 == 0 {
			t.Errorf("%s: %d blocks of 512 bytes, the original has %d", path, b.Blocks, a.Blocks)
		}
		compareXattrs(t, want, got, path, count)
	}
	t.Logf("%d names, extended attributes %v", len(theirs), count)
}

const noValue = "no value: "

// xattrOf returns an extended attribute, or the text of the error.
func xattrOf(path, name string) string {
	b := make([]byte, 64<<10)
	n, err := unix.Lgetxattr(path, name, b)
	if err != nil {
		return noValue + err.Error()
	}
	return string(b[:n])
}

func compareXattrs(t *testing.T, want, got, path string, count map[string]int) {
	for _, name := range append(slices.Clone(xattrNames), "ntfs.streams.list") {
		a, b := xattrOf(want+path, name), xattrOf(got+path, name)
		switch name {
		case "system.ntfs_times": // the fourth, of the change of the record, ntfs-3g always sets to now
			a, b = a[:min(24, len(a))], b[:min(24, len(b))]
		case "system.ntfs_attrib":
			const layout = 0x2 | 0x8 // of the second byte: sparse, compressed
			if len(a) == 4 && len(b) == 4 {
				a, b = a[:1]+string(a[1]&^layout)+a[2:], b[:1]+string(b[1]&^layout)+b[2:]
			}
		case "ntfs.streams.list":
			a, b = sorted(a), sorted(b)
		}
		if a != b {
			t.Errorf("%s: %s is %x, want %x", path, name, b, a)
		} else if a != "" && !strings.HasPrefix(a, noValue) {
			count[name]++
		}
		if name != "ntfs.streams.list" || a == "" || strings.HasPrefix(a, noValue) {
			continue
		}
		for _, stream := range strings.Split(a, "\x00") {
			x, err := os.ReadFile(want + path + ":" + stream)
			y, err2 := os.ReadFile(got + path + ":" + stream)
			if err != nil || err2 != nil || !bytes.Equal(x, y) {
				t.Errorf("%s:%s: %d bytes, want %d, %v", path, stream, len(y), len(x), errors.Join(err, err2))
			}
		}
	}
}

func sorted(list string) string {
	words := strings.Split(strings.TrimSuffix(list, "\x00"), "\x00")
	slices.Sort(words)
	return strings.Join(words, "\x00")
}

// overwritten reads as a volume of which every 8th block of 16 KiB was overwritten, as many times as times says.
type overwritten struct {
	layer.Source
	times int64
}

func (o overwritten) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.Source.ReadAt(p, off)
	for i := int64(0); i < int64(n); {
		block := (off + i) / vsstest.BlockSize
		end := min(int64(n), (block+1)*vsstest.BlockSize-off)
		if block%8 < o.times {
			for j := range p[i:end] {
				p[i:end][j] ^= 0xa5
			}
		}
		i = end
	}
	return n, err
}

// oldest gives a volume as the oldest of three snapshots shows it, since which blocks of it were overwritten three times.
func oldest(t *testing.T, v layer.Source) layer.Source {
	volume, storage := snapshots(t, v)
	return oldestOf(t, volume, storage)
}

// snapshots makes files of a volume with three snapshots, and of its diff area.
func snapshots(t *testing.T, v layer.Source) (volume, storage string) {
	volume, storage = filepath.Join(t.TempDir(), "volume"), filepath.Join(t.TempDir(), "storage")
	var files [2]*vsstest.File
	for i, name := range []string{volume, storage} {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if err := f.Truncate(v.Size() &^ (vsstest.BlockSize - 1)); err != nil {
			t.Fatal(err)
		}
		if files[i], err = vsstest.NewFile(f); err != nil {
			t.Fatal(err)
		}
	}
	blocks := uint32(v.Size() / vsstest.BlockSize)
	cfg := vsstest.Config{Volume: files[0], Storage: files[1], NoTruth: true, Area: []vsstest.Blocks{{First: 1, Count: blocks - 2}}, Catalog: []vsstest.Blocks{{First: blocks - 20, Count: 4}}}
	states := []io.ReaderAt{v, overwritten{v, 1}, overwritten{v, 2}}
	if _, err := vsstest.FromStates(cfg, states, overwritten{v, 3}, nil); err != nil {
		t.Fatal(err)
	}
	return volume, storage
}

func oldestOf(t *testing.T, volume, storage string) layer.Source {
	area := testenv.Open(t, storage)
	opened, err := diffstore.Open(testenv.Open(t, volume), diffstore.Options{Storage: func(wintype.GUID) (layer.Source, error) { return area, nil }})
	if err != nil {
		t.Fatal(err)
	}
	view, err := opened.Snapshots()[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	return view
}
