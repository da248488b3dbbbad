package cmd

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount"
	"snapmount/mount/report"
)

// TestMountsOfUsers has an ordinary user mount twice and root once: each sees all, and the user's "umount --all" ends the
// user's own.
func TestMountsOfUsers(t *testing.T) {
	needFUSE(t)
	testenv.Peer(t, "fusermount3")
	device, err := os.Stat("/dev/fuse")
	if os.Geteuid() != 0 || err != nil || device.Mode().Perm()&6 != 6 {
		t.Skipf("SKIPPED: wants root, and a /dev/fuse for all: %v", err)
	}
	const user = 65534
	place, err := os.MkdirTemp("", "snapmount-user") // t.TempDir is below one that is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(place) })
	binary, image := filepath.Join(place, "snapmount"), filepath.Join(place, "demo.qcow2")
	one, two, roots := filepath.Join(place, "one mount"), filepath.Join(place, "two"), filepath.Join(place, "root's")
	for to, from := range map[string]string{binary: build(t), image: demo(t)} {
		b, err := os.ReadFile(from)
		if err = errors.Join(err, os.WriteFile(to, b, 0o755), os.Chmod(place, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	as := func(uid uint32, want int, args ...string) string {
		t.Helper()
		c := exec.Command(binary, args...)
		c.Dir, c.SysProcAttr = "/", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := c.CombinedOutput()
		if code := exitOf(err); code != want {
			t.Fatalf("%d: %q: exit %d, %s", uid, args, code, out)
		}
		return string(out)
	}
	for _, dir := range []string{one, two, roots} {
		t.Cleanup(func() { _ = mount.Unmount(dir, true) }) // most often it is gone
		uid := map[bool]int{true: 0, false: user}[dir == roots]
		if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, uid, uid)); err != nil {
			t.Fatal(err)
		}
		as(uint32(uid), 0, "-d", "--log", os.DevNull, image, dir)
	}
	for _, uid := range []uint32{0, user} {
		seen := 0
		for line := range strings.Lines(as(uid, 0, "mounts", "--json")) {
			var m report.Mount
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains([]string{one, two, roots}, m.Mountpoint) {
				continue // of other tests
			}
			seen++
			owner := map[bool]int{true: 0, false: user}[m.Mountpoint == roots]
			if m.UID == nil || *m.UID != owner || len(m.Images) != 1 || m.Images[0] != image {
				t.Errorf("as %d: %s", uid, line)
			}
			if own := owner == int(uid); own && (m.Pid == nil || m.Since == nil || m.Error != "") || m.Error == "" && m.Pid == nil {
				t.Errorf("as %d: %s", uid, line)
			}
		}
		if seen != 3 {
			t.Errorf("as %d: %d mounts", uid, seen)
		}
	}
	if out := as(user, 0, "__complete", "umount", ""); !strings.Contains(out, one+"\tsince ") || !strings.HasSuffix(out, "ShellCompDirectiveNoFileComp\n") {
		t.Error(out)
	}
	user1 := exec.Command("sleep", "100")
	user1.Dir, user1.SysProcAttr = filepath.Join(one, "p1-Documents"), &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	if err := user1.Start(); err != nil {
		t.Fatal(err)
	}
	out := as(user, exitPartial, "umount", "--all")
	_ = user1.Process.Kill()
	_ = user1.Wait()
	if !strings.Contains(out, "unmounted "+two+"\n") || !strings.Contains(out, "snapmount: "+one) || isMounted(t, two) {
		t.Error(out)
	}
	if out := as(user, 0, "umount", "--all"); out != "unmounted "+one+"\n" || !isMounted(t, roots) {
		t.Errorf("%s; root's is mounted: %v", out, isMounted(t, roots))
	}
	as(0, 0, "umount", roots)
	as(user, exitUsage, "umount", "--all", roots)
}

// TestCalledByMount gives what mount(8) would, and takes its codes. It has the program itself: in the background it starts
// what it was started from, which here would be all tests.
func TestCalledByMount(t *testing.T) {
	binary := build(t)
	for _, c := range []struct {
		words []string
		code  int
		said  string
	}{
		{[]string{"/sbin/mount.snapmount", "image"}, mountUsage, "accepts 2 arg(s), received 1"},
		{[]string{"mount.snapmount", "none.vhd", "mnt", "-o", "rw"}, mountFailed, "none.vhd: no such file"},
		{[]string{"mount.snapmount", "none.vhd", "mnt", "-sfnv", "-t", "fuse.snapmount", "-o", "rw"}, 0, ""},
		{[]string{"mount.snapmount", "none.vhd", "mnt", "-o", "rw,remount"}, mountUsage, "unmount it first"},
		{[]string{"mount.snapmount", "none.vhd", "mnt", "-N", "/proc/1/ns/mnt"}, mountFailed, "nsenter --mount=/proc/1/ns/mnt "},
		{[]string{"mount.snapmount", "none.vhd", "mnt", "-o", "cache=maybe"}, mountUsage, "-o cache=maybe"},
		{[]string{"snapmount", "version", "x"}, exitUsage, "usage: snapmount version"},
	} {
		code, said := combined(&exec.Cmd{Path: binary, Args: c.words, Dir: t.TempDir()})
		if code != c.code || !strings.Contains(said, c.said) {
			t.Errorf("%q: %d, %s", c.words, code, said)
		}
	}
}
