package ntfstest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
)

// Build returns the path of the volume's image, made once per user and kept in the cache folder. It skips the test,
// loudly, where the scripts, python3, mkntfs, ntfs-3g, root or /dev/fuse are missing.
func (v Volume) Build(t testing.TB) string {
	t.Helper()
	sources := []string{filepath.Join(testenv.Root(t), "ntfs", "ntfstest", "big2m.go")}
	if v.fill == nil {
		sources = []string{testenv.Shared(t, "tools", "ntfs-volumes", v.script), testenv.Shared(t, "tools", "ntfs-volumes", "common.py")}
	}
	h := sha256.New()
	for _, path := range sources {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
	}
	fmt.Fprintf(h, "%q %q", v.args, v.env)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("SKIPPED: no cache folder: %v", err)
	}
	dir := filepath.Join(cache, "snapmount-test", fmt.Sprintf("%s-%.8x", v.Name, h.Sum(nil)))
	image := filepath.Join(dir, "img", v.Name+".img")
	if _, err := os.Stat(image + ".done"); err == nil {
		return image
	}
	for _, tool := range []string{"python3", "mkntfs", "ntfs-3g", "fuser", "ntfsfallocate"} {
		testenv.Peer(t, tool)
	}
	needMounts(t)
	if err := os.MkdirAll(filepath.Dir(image), 0o700); err != nil {
		t.Fatal(err)
	}
	defer lock(t, filepath.Join(dir, "lock"))() // tests of several packages run at once
	if _, err := os.Stat(image + ".done"); err == nil {
		return image
	}
	if v.fill != nil {
		writeManifest(t, image, v.fill(t, image))
	} else {
		v.run(t, sources[0], dir)
	}
	if err := os.WriteFile(image+".done", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return image
}

func (v Volume) run(t testing.TB, script, dir string) {
	cmd := exec.Command("python3", append([]string{script}, v.args...)...)
	cmd.Dir = filepath.Dir(script)
	cmd.Env = append(os.Environ(), append([]string{"VOLUMES=" + dir, "PYTHONDONTWRITEBYTECODE=1"}, v.env...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", v.script, strings.Join(v.args, " "), err, out)
	}
}

func writeManifest(t testing.TB, image string, claims []Claim) {
	f, err := os.Create(image + ".manifest.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for enc := json.NewEncoder(f); len(claims) > 0; claims = claims[1:] {
		if err := enc.Encode(claims[0]); err != nil {
			t.Fatal(err)
		}
	}
}

func needMounts(t testing.TB) {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil || os.Geteuid() != 0 {
		t.Skipf("SKIPPED: mounting with ntfs-3g needs root and /dev/fuse: %v", err)
	}
	f.Close()
}

// MountNTFS3G mounts an image with ntfs-3g, until the end of the test or a call of unmount, which returns when ntfs-3g
// has let go of the image.
func MountNTFS3G(t testing.TB, image, options string) (dir string, unmount func()) {
	t.Helper()
	program := testenv.Peer(t, "ntfs-3g")
	needMounts(t)
	dir = t.TempDir()
	before, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(program, image, dir, "-o", options+",no_detach")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for now := before; os.SameFile(now, before); {
		select {
		case err := <-ended:
			t.Fatalf("%v: %v\n%s", cmd, err, said.Bytes())
		case <-time.After(10 * time.Millisecond):
		}
		if now, err = os.Stat(dir); err != nil {
			t.Fatal(err)
		}
	}
	unmount = sync.OnceFunc(func() {
		for range 100 { // a program that is just started elsewhere may hold what was open here
			if exec.Command("umount", dir).Run() == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if now, err := os.Stat(dir); err != nil || !os.SameFile(now, before) {
			testenv.Run(t, "umount", dir)
		}
		if err := <-ended; err != nil {
			t.Errorf("%v: %v\n%s", cmd, err, said.Bytes())
		}
	})
	t.Cleanup(unmount)
	return dir, unmount
}
