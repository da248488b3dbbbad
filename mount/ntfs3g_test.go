//go:build linux

package mount_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
)

// newVolume returns the path of an empty NTFS volume.
func newVolume(t *testing.T) string {
	t.Helper()
	testenv.Peer(t, "ntfs-3g")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mounting with ntfs-3g needs root")
	}
	image := filepath.Join(t.TempDir(), "volume")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 64<<20); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-q", "-F", "-Q", image)
	return image
}

// within mounts a volume with ntfs-3g, calls do with the mount point, and unmounts it.
func within(t *testing.T, image, opts string, do func(dir string)) {
	t.Helper()
	dir := t.TempDir()
	testenv.Run(t, "ntfs-3g", "-o", opts, image, dir)
	defer func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v\n%s", err, out)
		}
		if !strings.HasPrefix(opts, "ro,") {
			awaitRelease(t, image)
		}
	}()
	do(dir)
}

// awaitRelease returns when the program that had an image mounted has written it and ended.
func awaitRelease(t *testing.T, image string) {
	for range 100 {
		if exec.Command("fuser", "-s", image).Run() != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%s is still in use", image)
}

// fill writes files with every kind of metadata below dir, a mount of ntfs-3g.
func fill(t *testing.T, dir string) {
	t.Helper()
	set := func(path, name, value string) {
		t.Helper()
		if err := unix.Lsetxattr(filepath.Join(dir, path), name, []byte(value), 0); err != nil {
			t.Fatalf("%s: %s: %v", path, name, err)
		}
	}
	for _, d := range []string{"streams", "plain/A long directory", "links"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, size := range map[string]int{"streams/file.txt": 100, "plain/A long name.document": 5000, "plain/ea": 0, "plain/object": 7,
		"plain/hidden": 70000, "plain/descriptor": 3, "plain/zero": 1, "plain/y1950": 2, "plain/y9999": 3, "links/one": 3000} {
		if err := os.WriteFile(filepath.Join(dir, path), bytes.Repeat([]byte("0123456789"), size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for stream, size := range map[string]int{"small": 10, "Ünï 名": 700, "limit": 64 << 10, "big": 64<<10 + 1, "empty": 0, "snapmount.mft": 5, "snapmount.other": 6} {
		for _, path := range []string{"streams/file.txt", "streams"} {
			if err := os.WriteFile(filepath.Join(dir, path)+":"+stream, bytes.Repeat([]byte("s"), size), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	set("plain/A long directory", "system.ntfs_attrib", "\x10\x08\x00\x00") // files in it are compressed
	if err := os.WriteFile(filepath.Join(dir, "plain/A long directory/compressed"), bytes.Repeat([]byte("again"), 50000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "links/one"), 3<<20); err != nil { // the rest is a hole
		t.Fatal(err)
	}
	set("plain/A long name.document", "system.ntfs_dos_name", "ALONGN~1.DOC")
	set("plain/A long directory", "system.ntfs_dos_name", "ALONGD~1")
	set("plain/ea", "system.ntfs_ea", "\x14\x00\x00\x00\x00\x06\x05\x00MYNAME\x00value")
	set("plain/object", "system.ntfs_object_id", "0123456789abcdefBIRTHVOLUME.....BIRTHOBJECT.....DOMAIN..........")
	set("plain/hidden", "system.ntfs_attrib", "\x06\x00\x00\x00")
	set("plain/descriptor", "system.ntfs_acl", everyone)
	set("plain", "system.ntfs_acl", everyone)
	for path, ticks := range oddTimes {
		le := binary.LittleEndian
		set(path, "system.ntfs_times", string(le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, ticks), ticks+1), ticks+2)))
	}
	if err := os.Link(filepath.Join(dir, "links/one"), filepath.Join(dir, "links/two")); err != nil {
		t.Fatal(err)
	}
	for path, reparse := range map[string]string{"links/symlink": "\x0c\x00\x00\xa0\x18\x00\x00\x00\x06\x00\x06\x00\x00\x00\x06\x00\x01\x00\x00\x00o\x00n\x00e\x00o\x00n\x00e\x00",
		"links/linux": "\x1d\x00\x00\xa0\x07\x00\x00\x00\x02\x00\x00\x00one"} {
		if err := os.WriteFile(filepath.Join(dir, path), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		set(path, "system.ntfs_reparse_data", reparse)
	}
}

// everyone is a descriptor: owner and group administrators, everyone may read.
const everyone = "\x01\x00\x04\x80\x14\x00\x00\x00\x24\x00\x00\x00\x00\x00\x00\x00\x34\x00\x00\x00" +
	"\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x20\x02\x00\x00" + "\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x20\x02\x00\x00" +
	"\x02\x00\x1c\x00\x01\x00\x00\x00" + "\x00\x00\x14\x00\x89\x00\x12\x00\x01\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"

// oddTimes are creation times in ticks of Windows; the content's time is a tick later, and access another one.
var oddTimes = map[string]uint64{"plain/zero": 0, "plain/y1950": 110133216000000007, "plain/y9999": 2650467743999999990}

// edit rewrites the file records and index blocks of a volume.
func edit(t *testing.T, image string, change func(block []byte)) {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at+4096 <= len(b); at += 1024 {
		block := b[at:][:4096]
		switch string(block[:4]) {
		case "FILE":
			block = block[:1024]
		case "INDX":
		default:
			continue
		}
		swapFixups(block)
		change(block)
		swapFixups(block)
	}
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// swapFixups exchanges the last two bytes of each sector with those in the update sequence array.
func swapFixups(block []byte) {
	array := block[binary.LittleEndian.Uint16(block[4:])+2:]
	for i := range len(block) / 512 {
		for k := range 2 {
			array[2*i+k], block[512*i+510+k] = block[512*i+510+k], array[2*i+k]
		}
	}
}

func wide(s string) []byte {
	var out []byte
	for _, c := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, c)
	}
	return out
}

// xattrs reads the extended attributes of those names, and of those listed. One that cannot be had is the error.
func xattrs(t *testing.T, path string, names ...string) (got map[string]string, listed []string) {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:max(n, 0)]), "\x00"), "\x00") {
		if name != "" {
			listed = append(listed, name)
		}
	}
	got = map[string]string{}
	for _, name := range append(names, listed...) {
		if n, err = unix.Lgetxattr(path, name, buf); err != nil {
			got[name] = err.Error()
		} else {
			got[name] = string(buf[:n])
		}
	}
	return got, listed
}
