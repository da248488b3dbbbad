//go:build linux

package cmd

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount"
)

// demoSums returns the SHA-256 of every file of the demo image, by path in a mount.
func demoSums(t *testing.T) map[string]string {
	t.Helper()
	volumes := demoFiles(t)
	sums := map[string]string{}
	for i, label := range []string{"Documents", "Archive"} {
		for point, files := range volumes[label] {
			for path, sum := range files {
				if sum != "link" {
					sums[fmt.Sprintf("p%d-%s/%s/%s", i+1, label, point, path)] = sum
				}
			}
		}
	}
	return sums
}

// checkDemo compares all files of a mount of the demo image.
func checkDemo(t *testing.T, dir string) {
	t.Helper()
	for path, sum := range demoSums(t) {
		b, err := os.ReadFile(filepath.Join(dir, path))
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); err != nil || got != sum {
			t.Errorf("%s: SHA-256 %s, want %s, %v", path, got, sum, err)
		}
	}
}

// TestNoWriteOpen serves an image from a folder that is mounted read-only, under strace(1): all works, and nothing in the
// folder is opened or named but for reading.
func TestNoWriteOpen(t *testing.T) {
	needFUSE(t)
	strace := testenv.Peer(t, "strace")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mounting a folder read-only needs root")
	}
	if out, err := exec.Command(strace, "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: strace does not work here: %v, %s", err, out)
	}
	folder, dir, trace := readOnlyFolder(t), filepath.Join(t.TempDir(), "mnt"), filepath.Join(t.TempDir(), "trace")
	image := filepath.Join(folder, "demo.qcow2")
	if err := os.WriteFile(image, nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Fatalf("the folder is not read-only: %v", err)
	}
	c := exec.Command(strace, "-f", "-y", "-o", trace, "-s", "4096", "-e", "trace=%file,ftruncate,fallocate,fchmod,fchown,fsetxattr",
		build(t), "-d", "--log", filepath.Join(t.TempDir(), "log"), image, dir)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mount.Unmount(dir, true) }) // most often it is gone
	eventually(t, "the mount answers", func() bool { return isMounted(t, dir) })
	checkDemo(t, dir)
	if _, err := os.ReadFile(filepath.Join(dir, "raw/p1-Documents/vss1.img")); err != nil {
		t.Error(err)
	}
	if _, err := unix.Getxattr(filepath.Join(dir, "p1-Documents/vss1/Letters/offer.txt"), "user.snapmount.sha256", make([]byte, 64)); err != nil {
		t.Error(err)
	}
	if err := mount.Unmount(dir, false); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err != nil { // strace ends after the last process that it follows
		t.Error(err)
	}
	checkTrace(t, trace, folder, image)
}

// readOnlyFolder returns a read-only mount of a folder with the demo image in it.
func readOnlyFolder(t *testing.T) string {
	t.Helper()
	folder, from := t.TempDir(), t.TempDir()
	b, err := os.ReadFile(demo(t))
	if err = errors.Join(err, os.WriteFile(filepath.Join(from, "demo.qcow2"), b, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(from, folder, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("SKIPPED: folders cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mount("", folder, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	return folder
}

// reads are the system calls that change nothing, if their flags do not say so.
var (
	reads  = regexp.MustCompile(`^\d+ +(open|openat|openat2|stat|lstat|newfstatat|fstatat64|statx|access|faccessat|faccessat2|readlink|readlinkat|statfs|statfs64|getxattr)\(`)
	writes = regexp.MustCompile(`O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE|W_OK`)
)

// checkTrace looks at the lines of a trace that name something in a folder.
func checkTrace(t *testing.T, trace, folder, image string) {
	t.Helper()
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	named, opened := 0, 0
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, folder) || strings.Contains(line, " execve(") || strings.Contains(line, ` mount("`+image+`", `) {
			continue // the image is a word of the command, and the name that the mount has
		}
		named++
		if strings.Contains(line, " openat(") && strings.Contains(line, `"`+image+`"`) {
			opened++
		}
		if !reads.MatchString(line) || writes.MatchString(line) {
			t.Errorf("not just reading: %s", line)
		}
	}
	t.Logf("%d system calls name the folder, %d open the image", named, opened)
	if opened == 0 {
		t.Errorf("the image was never opened:\n%s", text)
	}
}

// readUntilGone starts readers that read files of a mount of the demo image, with no page of theirs in the kernel's
// cache, until that fails. The function returned waits for all of them: they must end, and with an error that says that
// the server is gone.
func readUntilGone(t *testing.T, dir string) (wait func()) {
	t.Helper()
	const readers = 8
	paths := slices.Sorted(maps.Keys(demoSums(t)))
	ended, begun := make(chan error, readers), make(chan bool, readers)
	for i := range readers {
		go func() {
			for n := i; ; n += readers {
				err := readUncached(filepath.Join(dir, paths[n%len(paths)]))
				if n == i {
					begun <- true
				}
				if err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	for range readers {
		<-begun
	}
	return func() {
		for range readers {
			select {
			case err := <-ended:
				if !errors.Is(err, syscall.ENOTCONN) && !errors.Is(err, syscall.ECONNABORTED) && !errors.Is(err, syscall.EIO) {
					t.Errorf("a reader of a mount whose server was killed got %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("a reader of a mount whose server was killed hangs")
			}
		}
	}
}

// readUncached reads a file and drops its pages.
func readUncached(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return errors.Join(err, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
}
