//go:build linux

package cmd

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestHung mounts over a program that is stopped: the start says so and ends.
func TestHung(t *testing.T) {
	needFUSE(t)
	binary, dir := build(t), filepath.Join(t.TempDir(), "mnt")
	c := start(t, binary, dir)
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, "-d", "--log", os.DevNull, demo(t), dir).CombinedOutput()
	if cont := c.Process.Signal(syscall.SIGCONT); cont != nil {
		t.Fatal(cont)
	}
	if exitOf(err) != exitRefused || !bytes.Contains(out, []byte("does not answer")) {
		t.Errorf("%v, %s", err, out)
	}
	for range 100 { // what was refused may look at the mount for a moment still
		if out, err = exec.Command(binary, "umount", dir).CombinedOutput(); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil || isMounted(t, dir) {
		_ = c.Process.Kill() // it would not end
		t.Errorf("umount: %v, %s", err, out)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}
