//go:build linux

package mount_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/mount"
)

func TestParseOwner(t *testing.T) {
	for text, want := range map[string]mount.Owner{
		"caller": {}, "root": {Fixed: true}, "1000:100": {Fixed: true, UID: 1000, GID: 100}, "0:4294967294": {Fixed: true, GID: 4294967294},
	} {
		if got, err := mount.ParseOwner(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if back, err := mount.ParseOwner(want.String()); err != nil || back != want {
			t.Errorf("%s: %s, %v", text, want, err)
		}
	}
	for _, text := range []string{"", "me", "1000", "1000:", ":1", "-1:0", "4294967295:0", "1:2:3", "0x1:1"} {
		if got, err := mount.ParseOwner(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestMountOptions(t *testing.T) {
	dir := mountedWith(t, openDemo(t), mount.Options{Owner: mount.Owner{Fixed: true, UID: 1234, GID: 56},
		FUSE: []string{"allow_other,default_permissions", "max_read=65536", "fsname=evidence", "ro"}})
	for _, path := range []string{"", "p1-Documents/vss1/Letters", "p1-Documents/vss1/Letters/offer.txt", "README.txt"} {
		if st := stat(t, filepath.Join(dir, path)); st.Uid != 1234 || st.Gid != 56 {
			t.Errorf("%s: belongs to %d:%d", path, st.Uid, st.Gid)
		}
	}
	b, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[1] == dir {
			for _, want := range []string{"ro", "nosuid", "nodev", "noexec", "allow_other", "default_permissions", "max_read=65536"} {
				if f[0] != "evidence" || !strings.Contains(","+f[3]+",", ","+want+",") {
					t.Errorf("%q, want %s", line, want)
				}
			}
		}
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || st.Flags&(unix.ST_RDONLY|unix.ST_NOSUID|unix.ST_NODEV|unix.ST_NOEXEC) != unix.ST_RDONLY|unix.ST_NOSUID|unix.ST_NODEV|unix.ST_NOEXEC {
		t.Errorf("flags 0x%x, %v", st.Flags, err)
	}
	for _, option := range []string{"rw", "suid", "exec", "allow_root", "max_read=0", "max_read=9999999", "max_read", "fsname=", "allow_other=1", "uid=0"} {
		at := filepath.Join(t.TempDir(), "mnt")
		m, err := mount.Mount(at, openDemo(t), mount.Options{FUSE: []string{option}})
		if err == nil {
			m.Detach()
		}
		if !errors.Is(err, mount.ErrRefused) || !strings.Contains(err.Error(), "-o "+option+":") {
			t.Errorf("-o %s: %v", option, err)
		}
		if _, err := os.Stat(at); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("-o %s: the mount point was made: %v", option, err)
		}
	}
}
