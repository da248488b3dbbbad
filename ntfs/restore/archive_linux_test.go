package restore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/ntfstest"
)

// TestTarToNTFS unpacks a tar of a volume with every feature on an empty volume of ntfs-3g by GNU tar, and compares all
// that ntfs-3g shows of both. What cannot be given back: the time of the last change of the record, links as Windows has
// them, and that something was compressed or needs no backup.
func TestTarToNTFS(t *testing.T) {
	image := ntfstest.Feat512.Build(t)
	gnu := testenv.Peer(t, "tar")
	name, _ := archived(t, testenv.Open(t, image), "", Tar, Options{})
	target := filepath.Join(t.TempDir(), "target.img")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Truncate(target, 1<<30)); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-F", "-Q", "-q", "-c", "512", "-s", "512", "-p", "0", "-H", "255", "-S", "63", target)
	from, unmount := ntfstest.MountNTFS3G(t, image, "ro,streams_interface=xattr")
	defer unmount()
	to, unmount := ntfstest.MountNTFS3G(t, target, "streams_interface=xattr,big_writes")
	defer unmount()
	out, err := exec.Command(gnu, "--xattrs", "--xattrs-include=*", "--warning=no-timestamp", "-C", to, "-xpf", name).CombinedOutput()
	if err != nil {
		t.Logf("%v, %.2000s", err, out)
	}
	want, got := shownOf(t, from), shownOf(t, to)
	differences := map[string][]string{}
	for p, attrs := range want {
		if strings.HasPrefix(p, "reparse/") {
			continue
		}
		for k, v := range attrs {
			if got[p][k] != v {
				differences[k] = append(differences[k], fmt.Sprintf("%s: %.80q, want %.80q", p, got[p][k], v))
			}
		}
	}
	t.Logf("%d files and directories", len(want))
	for k, list := range differences {
		sort.Strings(list)
		t.Errorf("%s: %d differ: %s", k, len(list), strings.Join(list[:min(len(list), 5)], "\n\t"))
	}
}

// shownOf gives all that ntfs-3g shows of the files below a directory: content and extended attributes.
func shownOf(t *testing.T, dir string) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		attrs := map[string]string{"type": d.Type().String()}
		out[rel] = attrs
		list := make([]byte, 1<<16)
		n, err := unix.Llistxattr(p, list)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		names := append(strings.Split(string(bytes.TrimRight(list[:n], "\x00")), "\x00"), "system.ntfs_acl", "system.ntfs_attrib", "system.ntfs_times",
			"system.ntfs_dos_name", "system.ntfs_reparse_data", "system.ntfs_object_id", "system.ntfs_ea")
		for _, name := range names {
			b := make([]byte, 1<<16)
			if n, err := unix.Lgetxattr(p, name, b); err == nil && name != "" {
				attrs[name] = string(b[:n])
			}
		}
		attrs["system.ntfs_times"] = attrs["system.ntfs_times"][:24] // created, modified, accessed
		const archive, compressed, sparse = 0x20, 0x800, 0x200
		attrib := binary.LittleEndian.Uint32([]byte(attrs["system.ntfs_attrib"]))
		attrs["system.ntfs_attrib"] = fmt.Sprintf("%#x", attrib&^(archive|compressed|sparse))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for rel, attrs := range out { // reading sets times
		if attrs["type"] != fs.FileMode(0).String() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, rel))
		attrs["content"] = fmt.Sprintf("%x, %v", sha256.Sum256(b), err != nil)
	}
	return out
}
