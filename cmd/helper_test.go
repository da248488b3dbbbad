//go:build linux

package cmd

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount"
)

// TestMountProgram lets mount(8) and mount.fuse do it, from the command line and from an fstab.
func TestMountProgram(t *testing.T) {
	needFUSE(t)
	program := testenv.Peer(t, "mount")
	testenv.Peer(t, "mount.fuse3")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mount(8) works for root only")
	}
	binary, dir, tab := build(t), t.TempDir(), filepath.Join(t.TempDir(), "fstab")
	image, log := filepath.Join(t.TempDir(), "a, b.qcow2"), filepath.Join(t.TempDir(), "log")
	if err := os.Symlink(demo(t), image); err != nil {
		t.Fatal(err)
	}
	options := "log=" + log + ",cache=16M,allow_other"
	line := strings.ReplaceAll(image, " ", `\040`) + " " + dir + " fuse." + binary + " defaults,noauto,nofail,_netdev,x-systemd.automount,noatime," + options + " 0 0\n"
	if err := os.WriteFile(tab, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-t", "fuse." + binary, image, dir, "-o", options},
		{"-t", "fuse." + binary, image, dir, "-o", "ro,noexec," + options},
		{"-T", tab, dir},
	} {
		t.Cleanup(func() { _ = mount.Unmount(dir, true) }) // most often it is gone
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("mount %q: %v, %s", args, err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, "p1-Documents/current/Letters")); err != nil || !isMounted(t, dir) {
			t.Error(err)
		}
		if table, err := os.ReadFile("/proc/self/mounts"); !strings.Contains(string(table), dir+" fuse.snapmount ro,nosuid,nodev,noexec,relatime,user_id=0,group_id=0,default_permissions,allow_other") {
			t.Errorf("the mount's options: %v, %s", err, table)
		}
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil { // the system's
			t.Errorf("%v, %s", err, out)
		}
	}
	out, err := exec.Command(program, "-t", "fuse."+binary, image, dir, "-o", "maybe").CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("-o maybe: want")) {
		t.Errorf("an unknown option: %v, %s", err, out)
	}
}

func TestTwoStartsAtOnce(t *testing.T) {
	needFUSE(t)
	binary, dir := build(t), filepath.Join(t.TempDir(), "mnt")
	t.Cleanup(func() { _ = mount.Unmount(dir, true) }) // most often it is gone
	var wg sync.WaitGroup
	codes, outs := make([]int, 6), make([]string, 6)
	for i := range codes {
		wg.Go(func() {
			out, err := exec.Command(binary, "-d", "--log", os.DevNull, demo(t), dir).CombinedOutput()
			codes[i], outs[i] = exitOf(err), string(out)
		})
	}
	wg.Wait()
	won := 0
	for i, code := range codes {
		if code == exitOK {
			won++
		} else if code != exitRefused || !strings.Contains(outs[i], "busy") {
			t.Errorf("exit %d, %s", code, outs[i])
		}
	}
	table, _ := os.ReadFile("/proc/self/mounts")
	if n := strings.Count(string(table), " "+dir+" "); won != 1 || n != 1 {
		t.Errorf("%d starts won, %d mounts", won, n)
	}
	if out, err := exec.Command(binary, "umount", dir).CombinedOutput(); err != nil || isMounted(t, dir) {
		t.Errorf("%v, %s", err, out)
	}
}

// TestDetachedGoesOn ends a mount in use by SIGTERM: what is open stays readable until it is closed.
func TestDetachedGoesOn(t *testing.T) {
	needFUSE(t)
	binary, dir := build(t), t.TempDir()
	c := start(t, binary, dir)
	f, err := os.Open(filepath.Join(dir, "p1-Documents/current/Projects/plan.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mount is detached", func() bool { return !isMounted(t, dir) })
	if b, err := io.ReadAll(f); err != nil || len(b) == 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	f.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// TestLostListeners takes away who reads the output, then the terminal's session: only the second ends a mount, and not
// a daemon's.
func TestLostListeners(t *testing.T) {
	needFUSE(t)
	binary, dir := build(t), t.TempDir()
	c := start(t, binary, dir) // its output is closed by now
	if err := c.Process.Signal(syscall.SIGPIPE); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadDir(filepath.Join(dir, "p1-Documents/vss1")); err != nil {
		t.Error(err)
	}
	if err := c.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || isMounted(t, dir) {
		t.Errorf("after SIGHUP: %v, mounted %v", err, isMounted(t, dir))
	}
}

func TestLogPlaces(t *testing.T) {
	needFUSE(t)
	binary, dir, state := build(t), filepath.Join(t.TempDir(), "mnt"), t.TempDir()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mount.Unmount(dir, true) }) // most often it is gone
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{nil, "log " + state + "/snapmount/"},
		{[]string{"--log", "/dev/full"}, "log /dev/full"},
		{[]string{"--log", "/proc/none/log"}, "no log is kept"},
		{[]string{"--log", fifo}, "no log is kept"},
	} {
		cmd := exec.Command(binary, append(c.flags, "-d", demo(t), dir)...)
		cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+state)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%q: %v, %s, want %s", c.flags, err, out, c.want)
		}
		if _, err := os.ReadDir(filepath.Join(dir, "p1-Documents/vss1")); err != nil {
			t.Error(err)
		}
		if out, err := exec.Command(binary, "umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v, %s", err, out)
		}
	}
}

func TestTellsSystemd(t *testing.T) {
	needFUSE(t)
	binary, dir, socket := build(t), t.TempDir(), filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	start(t, binary, dir)
	b := make([]byte, 100)
	if err := l.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Read(b); err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("%q, %v", b[:n], err)
	}
}

func TestSystemdUnit(t *testing.T) {
	verify := testenv.Peer(t, "systemd-analyze")
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "cmd", "snapmount", "snapmount@.service"))
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "snapmount@mnt-snap.service")
	if err := os.WriteFile(unit, bytes.ReplaceAll(b, []byte("/usr/bin/snapmount"), []byte(build(t))), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(verify, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
