package locate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const tableOfMounts = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:50 / /mnt/snap ro,nosuid,nodev - fuse.snapmount /images/disk.vhdx ro,user_id=1000,group_id=1000,default_permissions
41 22 0:51 / /mnt/other rw - fuse.sshfs user@host: rw,user_id=1000,group_id=1000
42 22 0:52 / /mnt/a\040b ro master:3 propagate_from:2 - fuse.snapmount /images/a\040-\040b ro,user_id=0,group_id=0,allow_other
43 22 0:53 / /mnt/fuse.snapmount rw - tmpfs fuse.snapmount rw,user_id=1000
44 22 0:54 / /mnt/x ro - fuse.snapmount - ro,user_id=10001,group_id=1000
45 22 0:55 / /mnt/y ro - fuse.snapmount
46 22
` + "47 22 0:56 / /mnt/no\u00a0source ro - fuse.snapmount  ro,user_id=0\n" +
	"48 22 0:57 / /mnt/a\r0:58\r-\rb ro - tmpfs \rfuse.snapmount\rx rw,user_id=0\n" +
	"49 22 0:58 / /mnt/c ro - \r fuse.snapmount x ro,user_id=0\n"

func TestOurs(t *testing.T) {
	for _, c := range []struct {
		device string
		owners []string
		want   bool
	}{
		{"0:50", []string{"0", "1000"}, true},
		{"0:50", []string{"0", "1001"}, false}, // another user's may tell what it likes
		{"0:50", []string{"100"}, false},
		{"0:51", []string{"0", "1000"}, false},
		{"0:52", []string{"0"}, true},
		{"0:53", []string{"0", "1000"}, false}, // the type counts, not the source
		{"0:54", []string{"1000"}, false},
		{"0:55", []string{"0"}, false},
		{"8:1", []string{"0"}, false},
		{"0:5", []string{"0", "1000"}, false},
		{"", []string{"0"}, false},
		{"0:56", []string{"0"}, true},
		{"0:57", []string{"0"}, false}, // white space that the kernel leaves in names parts nothing
		{"0:58", []string{"0"}, false},
	} {
		if got := ours(tableOfMounts, c.device, c.owners); got != c.want {
			t.Errorf("%s of %q: %v", c.device, c.owners, got)
		}
	}
}

// FuzzOurs holds that no table makes a mount one of ours that has not our type, the device and the owner in one line.
func FuzzOurs(f *testing.F) {
	f.Add(tableOfMounts, "0:50", "1000")
	f.Add(" - fuse.snapmount  ", "-", "")
	f.Add("a b 0:1 - - fuse.snapmount x user_id=0", "0:1", "0")
	f.Add("a b 0:1 - \r fuse.snapmount x user_id=0", "0:1", "0")
	f.Fuzz(func(t *testing.T, table, device, owner string) {
		if !ours(table, device, []string{owner}) {
			return
		}
		for line := range strings.Lines(table) {
			if strings.Contains(line, " - fuse.snapmount ") && strings.Contains(line, "user_id="+owner) && strings.Contains(line, device) {
				return
			}
		}
		t.Errorf("%q has no mount %q of %q", table, device, owner)
	})
}

func TestOwners(t *testing.T) {
	t.Setenv("SUDO_UID", "1234")
	if got := owners(); (len(got) == 3 && got[2] == "1234") != (os.Geteuid() == 0) {
		t.Errorf("%q", got)
	}
	for _, odd := range []string{"", "-1", "0,1", "ann", "99999999999"} {
		t.Setenv("SUDO_UID", odd)
		if got := owners(); len(got) != 2 {
			t.Errorf("SUDO_UID=%q: %q", odd, got)
		}
	}
}

// TestOthersAreNotBelieved gives files of another file system the attributes that a mount of this program has.
func TestOthersAreNotBelieved(t *testing.T) {
	made := 0
	for _, place := range []string{t.TempDir(), "/dev/shm"} {
		dir, err := os.MkdirTemp(place, "snapmount")
		if err != nil {
			continue
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		file := filepath.Join(dir, "file")
		err = os.WriteFile(file, nil, 0o600)
		for _, name := range []string{dir, file} {
			err = errors.Join(err, unix.Setxattr(name, locationXattr, []byte("/etc/shadow"), 0), unix.Setxattr(name, recordXattr, []byte("5"), 0))
		}
		if err != nil {
			t.Logf("%s: %v", place, err)
			continue
		}
		made++
		for _, name := range []string{dir, file, filepath.Join(dir, "none"), filepath.Join(file, "none")} {
			if at, ok := Path(name); ok || at != "" || Inside(name) {
				t.Errorf("%s is taken for %q", name, at)
			}
		}
	}
	if made == 0 {
		t.Skip("SKIPPED: no directory here keeps user attributes")
	}
}

// TestNoMount asks of paths that are in no mount, or can be in none.
func TestNoMount(t *testing.T) {
	for _, name := range []string{"", "/", ".", "/proc/self", "/none/at/all", "a\x00b", strings.Repeat("x/", 3000)} {
		if at, ok := Path(name); ok {
			t.Errorf("%q is taken for %q", name, at)
		}
	}
}
