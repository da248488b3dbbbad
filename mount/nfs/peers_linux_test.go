package nfs_test

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/tree"
)

// url is the address of a path for libnfs, which mounts the directory above it.
func (v *server) url(path string) string {
	_, port, _ := net.SplitHostPort(v.address)
	return "nfs://127.0.0.1" + path + "?version=3&nfsport=" + port + "&mountport=" + port
}

// TestLibnfs reads all files at all points by nfs-cat and nfs-cp, and lists all of them by nfs-ls.
func TestLibnfs(t *testing.T) {
	ls, cat, cp := testenv.Peer(t, "nfs-ls"), testenv.Peer(t, "nfs-cat"), testenv.Peer(t, "nfs-cp")
	v := start(t, open(t, demo(t)), tree.Options{})
	whole := string(testenv.Run(t, ls, "-R", v.url("/p1-Documents/current/")))
	for name, want := range written(t) {
		point, in, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
		if point == "p1-Documents" && strings.HasPrefix(in, "current/") && !strings.Contains(whole, strings.TrimPrefix(in, "current/")+"\n") {
			t.Errorf("%s is not listed", name)
		}
		if strings.ContainsAny(name, "?#%") {
			continue // which an address of libnfs cannot have
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(testenv.Run(t, cat, v.url(name)))); sum != want {
			t.Errorf("nfs-cat %s: %s, want %s", name, sum, want)
		}
		to := filepath.Join(t.TempDir(), "copy")
		testenv.Run(t, cp, v.url(name), to)
		if b, err := os.ReadFile(to); err != nil || fmt.Sprintf("%x", sha256.Sum256(b)) != want {
			t.Errorf("nfs-cp %s: %d bytes, %v", name, len(b), err)
		}
	}
	c := dial(t, v)
	for _, dir := range []string{"/", "/p1-Documents/snapshots", "/raw/p2-Archive", "/p1-Documents/deleted"} {
		out := string(testenv.Run(t, ls, v.url(dir)))
		all, err := c.entries(c.handle(t, dir), true)
		if err != nil || strings.Count(out, "\n") != len(all)-2 {
			t.Errorf("nfs-ls %s gives %q, want %d lines, %v", dir, out, len(all)-2, err)
		}
		for _, e := range all[2:] {
			if !strings.Contains(out, " "+path.Base(e.name)+"\n") {
				t.Errorf("nfs-ls %s lacks %q: %s", dir, e.name, out)
			}
		}
	}
	if out, err := exec.Command(cp, filepath.Join(testenv.Root(t), "go.mod"), v.url("/p1-Documents/current/new")).CombinedOutput(); !strings.Contains(string(out), "NFS3ERR_ROFS") {
		t.Errorf("writing: %v, %s", err, out)
	}
	if said := v.said(); said != "" {
		t.Errorf("told is %s", said)
	}
}
