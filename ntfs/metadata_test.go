//go:build linux

package ntfs_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/security"
)

// xattr reads an extended attribute that ntfs-3g makes of metadata; nil when there is none.
func xattr(t *testing.T, path, name string) []byte {
	t.Helper()
	b := make([]byte, 64<<10)
	n, err := unix.Lgetxattr(path, name, b)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	if err != nil {
		t.Errorf("%s: %s: %v", path, name, err)
	}
	return b[:max(n, 0)]
}

// TestNTFS3GMetadata compares the metadata of every file with what ntfs-3g has of it, byte by byte.
func TestNTFS3GMetadata(t *testing.T) {
	mount := testenv.Peer(t, "ntfs-3g")
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("SKIPPED: no /dev/fuse: %v", err)
	} else {
		f.Close()
	}
	images := map[string]func(t *testing.T) string{
		"feat":    func(t *testing.T) string { return ntfstest.Feat.Build(t) },
		"feat64k": func(t *testing.T) string { return ntfstest.Feat64K.Build(t) },
		"feat4kn": func(t *testing.T) string { return ntfstest.Feat4Kn.Build(t) },
	}
	for _, name := range realVolumes {
		images[name] = func(t *testing.T) string { return realVolume(t, name) }
	}
	for name, image := range images {
		t.Run(name, func(t *testing.T) {
			raw, dir := image(t), t.TempDir()
			testenv.Run(t, mount, raw, dir, "-o", "ro,show_sys_files,streams_interface=windows")
			defer func() {
				if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
					t.Errorf("umount: %v\n%s", err, out)
				}
			}()
			seen, count := map[uint64]bool{}, map[string]int{}
			for path, n := range paths(t, openTree(t, testenv.Open(t, raw))) {
				if strings.Contains(path, ":") || seen[n.Ref.Record] || strings.HasPrefix(path, "fragdir") && n.Ref.Record%16 != 0 {
					continue
				}
				seen[n.Ref.Record] = true
				compareMetadata(t, filepath.Join(dir, path), n, count)
			}
			if count["system.ntfs_acl"] < 10 {
				t.Error("too few descriptors")
			}
			t.Log(count)
		})
	}
}

// inventedACL starts what ntfs-3g says of a file without a descriptor: its SACL has no ACL, which no real one has.
var inventedACL = []byte{1, 0, 0x04, 0x90, 0x8c, 0, 0, 0, 0x9c, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 2, 0, 0x78, 0, 5, 0, 0, 0, 0, 4, 0x18, 0, 0x98, 1, 0x1f}

func compareMetadata(t *testing.T, mounted string, n *ntfs.Node, count map[string]int) {
	t.Helper()
	for name, get := range map[string]func() ([]byte, error){
		"system.ntfs_acl":          n.Security,
		"system.ntfs_ea":           n.RawEA,
		"system.ntfs_object_id":    func() ([]byte, error) { o, err := n.ObjectID(); return o.Raw, err },
		"system.ntfs_reparse_data": n.RawReparse,
		"system.ntfs_dos_name":     func() ([]byte, error) { s, err := n.DOSName(); return []byte(s), err },
	} {
		ours, err := get()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %s: %v", mounted, name, err)
		}
		theirs := xattr(t, mounted, name)
		if name == "system.ntfs_acl" && ours == nil && bytes.HasPrefix(theirs, inventedACL) {
			theirs = nil
		}
		if !bytes.Equal(ours, theirs) {
			t.Errorf("%s: %s: %x, ntfs-3g has %x", mounted, name, ours, theirs)
		}
		if len(theirs) > 0 {
			count[name]++
		}
	}
	b, err := n.Security()
	if err != nil {
		return
	}
	if d, err := security.Decode(b); err != nil || strings.Contains(d.SDDL(), "?") {
		t.Errorf("%s: %v, %s", mounted, err, d.SDDL())
	}
}

func reparseData(n *ntfs.Node) ([]byte, error) {
	r, err := n.Reparse()
	if err != nil {
		return nil, err
	}
	head := binary.LittleEndian.AppendUint32(nil, r.Tag)
	return append(binary.LittleEndian.AppendUint32(head, uint32(len(r.Data))), r.Data...), nil
}

// TestNTFS3GWritten reads back what ntfs-3g writes: extended attributes, whole object ids and reparse points.
func TestNTFS3GWritten(t *testing.T) {
	mkfs, mount := testenv.Peer(t, "mkntfs"), testenv.Peer(t, "ntfs-3g")
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil || os.Geteuid() != 0 {
		t.Skipf("SKIPPED: needs root and /dev/fuse: %v", err)
	} else {
		f.Close()
	}
	raw, dir := filepath.Join(t.TempDir(), "volume"), t.TempDir()
	if err := os.WriteFile(raw, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(raw, 16<<20); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, mkfs, "-q", "-F", "-Q", raw)
	testenv.Run(t, mount, raw, dir, "-o", "streams_interface=windows")
	big := bytes.Repeat([]byte("much"), 4000)
	object := make([]byte, 64)
	for i := range object {
		object[i] = byte(i + 1)
	}
	written := []struct {
		file, name string
		value      []byte
	}{
		{"lx", "system.ntfs_ea", bytes.Join([][]byte{ea("$LXUID", "\xe8\x03\x00\x00"), ea("$LXGID", "\x64\x00\x00\x00"), ea("$LXMOD", "\xa4\x81\x00\x00")}, nil)},
		{"big", "system.ntfs_ea", ea("BIG", string(big))},
		{"object", "system.ntfs_object_id", object},
		{"alias", "system.ntfs_reparse_data", []byte("\x1b\x00\x00\x80\x16\x00\x00\x00\x03\x00\x00\x00p\x00\x00\x00a\x00\x00\x00x\x00e\x00\x00\x000\x00\x00\x00")},
	}
	for _, w := range written {
		if err := os.WriteFile(filepath.Join(dir, w.file), nil, 0o600); err != nil {
			t.Error(err)
		}
		if err := unix.Setxattr(filepath.Join(dir, w.file), w.name, w.value, 0); err != nil {
			t.Errorf("%s: %v", w.file, err)
		}
	}
	testenv.Run(t, "umount", dir)
	nodes := paths(t, openTree(t, testenv.Open(t, raw)))
	for _, w := range written {
		n := nodes[w.file]
		if n == nil {
			t.Fatalf("%s: missing", w.file)
		}
		o, _ := n.ObjectID()
		reparse, _ := reparseData(n)
		eas, _ := n.RawEA()
		if got := bytes.Join([][]byte{o.Raw, reparse, eas}, nil); !bytes.Equal(got, w.value) {
			t.Errorf("%s: %x, want %x", w.file, got, w.value)
		}
	}
	if x, ok, err := nodes["lx"].LX(); !ok || err != nil || x != (ntfs.LX{Fields: ntfs.LXUID | ntfs.LXGID | ntfs.LXMode, UID: 1000, GID: 100, Mode: 0o100644}) {
		t.Errorf("%+v, %v", x, err)
	}
	if list, err := nodes["big"].EAs(); err != nil || len(list) != 1 || list[0].Name != "BIG" || !bytes.Equal(list[0].Value, big) {
		t.Errorf("%d, %v", len(list), err)
	}
	if r, err := nodes["alias"].Reparse(); err != nil || *r.AppExec != (ntfs.AppExecLink{PackageID: "p", AppID: "a", Executable: "xe", Type: "0"}) {
		t.Errorf("%+v, %v", r, err)
	}
}

func ea(name, value string) []byte {
	le := binary.LittleEndian
	b := append([]byte{0, 0, 0, 0, 0, byte(len(name)), 0, 0}, name+"\x00"+value...)
	le.PutUint16(b[6:], uint16(len(value)))
	b = append(b, make([]byte, -len(b)&3)...)
	le.PutUint32(b, uint32(len(b)))
	return b
}
