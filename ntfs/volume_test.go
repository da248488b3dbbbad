package ntfs_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/layertest"
)

// volume is one generated NTFS volume: a builder script, its arguments and what shrinks it.
type volume struct {
	name   string // of the image the script makes
	script string
	args   []string
	env    []string
}

var (
	feat4K  = volume{"feat", "build_feat.py", []string{"feat", "4096", "512"}, []string{"N_FRAGDIR=1500"}}
	feat512 = volume{"feat512", "build_feat.py", []string{"feat512", "512", "512"}, []string{"N_FRAGDIR=300"}}
	feat64K = volume{"feat64k", "build_feat.py", []string{"feat64k", "65536", "512"}, []string{"N_FRAGDIR=300"}}
	feat4Kn = volume{"feat4kn", "build_feat.py", []string{"feat4kn", "4096", "4096"}, []string{"N_FRAGDIR=1500"}}
	frag    = volume{"frag", "build_frag.py", nil, nil}
	big     = volume{"big", "build_big.py", nil, nil}
	files   = volume{"files200k", "build_files200k.py", nil, nil}
)

// build returns the path of the volume's image, made once per user and kept in the cache folder. It skips the test,
// loudly, where the scripts, python3, mkntfs, ntfs-3g, root or /dev/fuse are missing.
func (v volume) build(t testing.TB) string {
	t.Helper()
	script := layertest.Shared(t, "tools", "ntfs-volumes", v.script)
	common := layertest.Shared(t, "tools", "ntfs-volumes", "common.py")
	h := sha256.New()
	for _, path := range []string{script, common} {
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
	dir := filepath.Join(cache, "snapmount-test", fmt.Sprintf("%s-%.8x", v.name, h.Sum(nil)))
	image := filepath.Join(dir, "img", v.name+".img")
	if _, err := os.Stat(image + ".done"); err == nil {
		return image
	}
	python := layertest.Peer(t, "python3")
	for _, tool := range []string{"mkntfs", "ntfs-3g", "fuser", "ntfsfallocate"} {
		layertest.Peer(t, tool)
	}
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil || os.Geteuid() != 0 {
		t.Skipf("SKIPPED: building a volume needs root and /dev/fuse: %v", err)
	}
	fuse.Close()
	cmd := exec.Command(python, append([]string{script}, v.args...)...)
	cmd.Dir = filepath.Dir(script)
	cmd.Env = append(os.Environ(), append([]string{"VOLUMES=" + dir, "PYTHONDONTWRITEBYTECODE=1"}, v.env...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", v.script, strings.Join(v.args, " "), err, out)
	}
	if err := os.WriteFile(image+".done", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return image
}
