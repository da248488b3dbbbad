//go:build linux

package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// TestNothingOutsideIsOpened watches the system calls: what an image names outside its folder, by a path or through a
// link, is not opened without the flag.
func TestNothingOutsideIsOpened(t *testing.T) {
	strace, qemuImg, binary, root := testenv.Peer(t, "strace"), testenv.Peer(t, "qemu-img"), build(t), t.TempDir()
	if dir, err := filepath.EvalSymlinks(root); err == nil {
		root = dir
	}
	in, out := filepath.Join(root, "in"), filepath.Join(root, "out")
	for _, dir := range []string{in, out} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(out, "base.qcow2")
	testenv.Run(t, qemuImg, "convert", "-O", "qcow2", demo(t), secret)
	for name, backing := range map[string]string{"absolute": secret, "above": "../out/base.qcow2", "file": "file.qcow2", "folder": "folder/base.qcow2"} {
		testenv.Run(t, qemuImg, "create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", "qcow2", filepath.Join(in, name+".img"), "60817408")
	}
	if err := os.Symlink(secret, filepath.Join(in, "file.qcow2")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../out", filepath.Join(in, "folder")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"absolute", "above", "file", "folder"} {
		image, log := filepath.Join(in, name+".img"), filepath.Join(root, "log")
		opened := func(flags ...string) (hits int, text string) {
			args := append([]string{"-f", "-y", "-e", "trace=open,openat,openat2", "-o", log, binary}, flags...)
			code, text := combined(exec.Command(strace, append(args, "info", image)...))
			b, err := os.ReadFile(log)
			if err != nil || !strings.Contains(string(b), image) {
				t.Skipf("SKIPPED: strace does not work here: %v, %s", err, text)
			}
			if (code == 0) != (len(flags) > 0) {
				t.Errorf("%s %q: exit code %d, %s", name, flags, code, text)
			}
			for line := range strings.Lines(string(b)) {
				if _, result, _ := strings.Cut(line, ") = "); strings.Contains(result, "<"+out) {
					hits++
				}
			}
			return hits, text
		}
		if hits, text := opened(); hits > 0 || !strings.Contains(text, "--allow-backing-anywhere") {
			t.Errorf("%s: %d files outside were opened: %s", name, hits, text)
		}
		if hits, _ := opened("--allow-backing-anywhere"); hits == 0 {
			t.Errorf("%s: nothing outside was opened with the flag", name)
		}
	}
}

// combined runs a program and returns its exit code and all that it prints.
func combined(c *exec.Cmd) (code int, text string) {
	out, err := c.CombinedOutput()
	return exitOf(err), string(out)
}
