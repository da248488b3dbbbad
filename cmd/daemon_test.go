//go:build linux

package cmd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"snapmount/mount"
)

func needFUSE(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: mounts do not work here: %v", err)
	}
	f.Close()
}

func isMounted(t *testing.T, dir string) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(b), " "+dir+" ")
}

// eventually waits for what other processes do.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 200 {
		if done() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Errorf("%s: not within 5 s", what)
}

func gone(path string) bool { _, err := os.Lstat(path); return os.IsNotExist(err) }

func TestDaemon(t *testing.T) {
	needFUSE(t)
	binary, dir, log := build(t), filepath.Join(t.TempDir(), "mnt"), filepath.Join(t.TempDir(), "log")
	out, err := exec.Command(binary, "--daemon=1", "--log", log, demo(t), dir).CombinedOutput() // hangs if the daemon keeps our pipe open
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = mount.Unmount(dir, true) }) // most often it is gone
	if b, err := os.ReadFile(filepath.Join(dir, "p1-Documents/vss1/Letters/thanks.txt")); err != nil || len(b) == 0 {
		t.Errorf("%q, %v", b, err)
	}
	m := regexp.MustCompile(`serving in process (\d+)`).FindSubmatch(out)
	if m == nil || !bytes.Contains(out, []byte("current and 3 snapshots")) {
		t.Fatalf("output %s", out)
	}
	if out, err := exec.Command(binary, "-d", "--log", log, demo(t), dir).CombinedOutput(); exitOf(err) != exitRefused || !bytes.Contains(out, []byte("busy")) {
		t.Errorf("a second mount: %v, %s", err, out)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "umount", link).CombinedOutput(); err != nil {
		t.Errorf("umount through a link: %v, %s", err, out)
	}
	pid, _ := strconv.Atoi(string(m[1]))
	if !gone(dir) {
		t.Error("umount came back before the mount point was removed")
	}
	eventually(t, "the daemon ends", func() bool { return !alive(pid) })
	info, err := os.Stat(log)
	if b, _ := os.ReadFile(log); err != nil || info.Mode().Perm() != 0o600 || !bytes.Contains(b, []byte("msg=mounted")) || !bytes.Contains(b, []byte("msg=ended")) {
		t.Errorf("the log: %v, %s", err, b)
	}
	if out, err := exec.Command(binary, "umount", filepath.Dir(dir)).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("nothing is mounted")) {
		t.Errorf("umount of nothing: %v, %s", err, out)
	}
	if out, err := exec.Command(binary, "umount", "/proc").CombinedOutput(); err == nil || !bytes.Contains(out, []byte("not one of snapmount")) {
		t.Errorf("umount of another's mount: %v, %s", err, out)
	}
}

// alive reports whether a process runs; one that nobody waits for counts as ended.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(b, []byte(") Z "))
}

func exitOf(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return 0
}

// start mounts in the foreground and returns when that answers.
func start(t *testing.T, binary, dir string, flags ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(binary, append(flags, demo(t), dir)...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // most have ended
		_ = mount.Unmount(dir, true)
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "mounted on ") {
			return c
		}
	}
	t.Fatalf("ended: %v", c.Wait())
	return nil
}

func TestSignalsUnmount(t *testing.T) {
	needFUSE(t)
	binary := build(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		dir := filepath.Join(t.TempDir(), "mnt")
		c := start(t, binary, dir)
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil || isMounted(t, dir) || !gone(dir) {
			t.Errorf("%v: %v, mounted %v, removed %v", sig, err, isMounted(t, dir), gone(dir))
		}
	}
}

func TestSignalsWhileInUse(t *testing.T) {
	needFUSE(t)
	binary, dir := build(t), filepath.Join(t.TempDir(), "mnt")
	log := filepath.Join(t.TempDir(), "log")
	c := start(t, binary, dir, "--log", log)
	f, err := os.Open(filepath.Join(dir, "README.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("(%d)", os.Getpid())
	eventually(t, "the log names who uses it", func() bool { b, _ := os.ReadFile(log); return bytes.Contains(b, []byte(want)) })
	if !isMounted(t, dir) {
		t.Error("the first Ctrl-C took the mount from under its user")
	}
	if out, err := exec.Command(binary, "umount", dir).CombinedOutput(); exitOf(err) != exitError || !bytes.Contains(out, []byte(want)) {
		t.Errorf("umount while in use: %v, %s, want %s", err, out, want)
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || isMounted(t, dir) || !gone(dir) {
		t.Errorf("after the second Ctrl-C: %v, mounted %v", err, isMounted(t, dir))
	}
}

// TestKilled kills a server under eight readers. That leaves a stale mount behind, which umount ends and the next start
// mends.
func TestKilled(t *testing.T) {
	needFUSE(t)
	binary, dir := build(t), filepath.Join(t.TempDir(), "mnt")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(dir), link); err != nil {
		t.Fatal(err)
	}
	kill := func(c *exec.Cmd) {
		if list, err := os.ReadDir(dir); err != nil || len(list) == 0 { // the kernel remembers it
			t.Fatalf("%v, %v", list, err)
		}
		wait := readUntilGone(t, dir)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // killed
		wait()
		if _, err := os.Stat(filepath.Join(dir, "never looked at")); !errors.Is(err, syscall.ENOTCONN) {
			t.Fatalf("a stale mount gives %v", err)
		}
	}
	kill(start(t, binary, dir))
	if out, err := exec.Command(binary, "umount", filepath.Join(link, "mnt")).CombinedOutput(); err != nil || isMounted(t, dir) {
		t.Errorf("umount: %v, %s", err, out)
	}
	kill(start(t, binary, dir))
	out, err := exec.Command(binary, "-d", "--log", os.DevNull, demo(t), dir).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("is unmounted now")) {
		t.Errorf("mounting over a stale mount: %v, %s", err, out)
	}
	if table, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Count(string(table), " "+dir+" ") != 1 {
		t.Errorf("the stale mount is still below, %v", err)
	}
	checkDemo(t, dir)
	if out, err := exec.Command(binary, "umount", dir).CombinedOutput(); err != nil || isMounted(t, dir) {
		t.Errorf("umount: %v, %s", err, out)
	}
}
