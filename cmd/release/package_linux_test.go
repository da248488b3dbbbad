package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// TestRelease makes the release of this system's kind twice, from two directories, compares all bytes, installs the
// packages in clean roots, mounts there, and removes them.
func TestRelease(t *testing.T) {
	testenv.NotUnderRace(t)
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: packages are installed by root only")
	}
	dpkg := testenv.Peer(t, "dpkg")
	if _, err := run(t.Context(), t.TempDir(), []string{"GOFLAGS="}, "go", "run", nfpm, "--version"); err != nil {
		t.Skipf("SKIPPED: packages cannot be made without nfpm: %v", err)
	}
	targets, err := parseTargets("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	var made [2]string
	for i, root := range []string{testenv.Root(t), copied(t, testenv.Root(t))} {
		made[i] = filepath.Join(t.TempDir(), "dist")
		r := &release{root: root, out: made[i], targets: targets, about: someday}
		if err := r.make(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	same(t, made[0], made[1])
	base := filepath.Join(made[0], "snapmount_1.2.3_linux_amd64")
	checkList(t, base+".cdx.json")
	if out, err := run(t.Context(), made[0], nil, "sha256sum", "-c", "--strict", "SHA256SUMS"); err != nil || strings.Count(out, ": OK\n") != 4 {
		t.Errorf("%v: %s", err, out)
	}
	t.Run("deb", func(t *testing.T) { installDeb(t, dpkg, base+".deb") })
	t.Run("rpm", func(t *testing.T) { installRPM(t, base+".rpm") })
}

// copied is the work tree as it is, in another place.
func copied(t *testing.T, root string) string {
	out, err := run(t.Context(), root, nil, "git", "ls-files", "-coz", "--exclude-standard")
	if err != nil {
		t.Skipf("SKIPPED: the second build wants a work tree of git: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "another place")
	for name := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			continue // it was removed and not yet committed
		}
		if err := place(filepath.Join(dir, name), filepath.Join(root, name), info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func checkList(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list bom
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, c := range list.Components {
		has[c.Name] = c.Version != "" && strings.HasPrefix(c.Purl, "pkg:golang/"+c.Name+"@") && (c.Name == "std" || len(c.Properties) == 1)
	}
	if !has["std"] || !has["github.com/hanwen/go-fuse/v2"] || !has["github.com/spf13/cobra"] || list.Metadata.Component.Version != "1.2.3" {
		t.Errorf("%s", b)
	}
	for _, name := range []string{"github.com/cpuguy83/go-md2man/v2", "github.com/rogpeppe/go-internal"} { // of making it, and of tests
		if _, in := has[name]; in {
			t.Errorf("%s is in the binary", name)
		}
	}
}

// installDeb installs the package with dpkg where nothing else is but mount(8), uses it, and purges it.
func installDeb(t *testing.T, dpkg, deb string) {
	root := cleanRoot(t)
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		mustDo(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	mustDo(t, os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o600))
	before := listed(t, root)
	do(t, dpkg, "--root="+root, "--install", deb)
	for _, name := range []string{"usr/bin/snapmount", "usr/sbin/mount.snapmount", "usr/lib/systemd/system/snapmount@.service",
		"usr/share/man/man1/snapmount.1.gz", "usr/share/man/man8/mount.snapmount.8.gz", "usr/share/bash-completion/completions/snapmount",
		"usr/share/zsh/vendor-completions/_snapmount", "usr/share/fish/vendor_completions.d/snapmount.fish", "usr/share/doc/snapmount/copyright", "etc/snapmount"} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
		} else if want := map[bool]fs.FileMode{true: 0o755, false: 0o644}[info.IsDir() || strings.Contains(name, "bin/")]; info.Mode().Perm() != want {
			t.Errorf("%s: %v", name, info.Mode())
		}
	}
	t.Run("mount", func(t *testing.T) { useHelper(t, root) })
	do(t, dpkg, "--root="+root, "--purge", "snapmount")
	after := listed(t, root)
	for name := range strings.Lines(after + before) {
		if !strings.Contains(after, name) || !strings.Contains(before, name) {
			t.Errorf("before the package came or after it is gone, not both: %s", name)
		}
	}
}

func installRPM(t *testing.T, rpm string) {
	program := testenv.Peer(t, "rpm")
	names := do(t, program, "-qlp", rpm)
	for _, name := range []string{"/usr/bin/snapmount", "/usr/sbin/mount.snapmount", "/usr/share/zsh/site-functions/_snapmount", "/usr/share/licenses/snapmount/LICENSE"} {
		if !strings.Contains(names, name+"\n") {
			t.Errorf("%s is not in it: %s", name, names)
		}
	}
	if weak := do(t, program, "-qp", "--recommends", rpm); !strings.Contains(weak, "fuse3") {
		t.Errorf("recommends %q", weak)
	}
	root := cleanRoot(t)
	const db = "--dbpath=/var/lib/rpm"
	before := listed(t, root)
	do(t, program, "--root="+root, db, "--force-debian", "--nodeps", "-i", rpm)
	if out := do(t, "chroot", root, "/usr/bin/snapmount", "--version"); !strings.HasPrefix(out, "snapmount 1.2.3 (commit 0123456789ab of 2026-03-02, go") {
		t.Error(out)
	}
	do(t, program, "--root="+root, db, "--force-debian", "-e", "snapmount")
	for name := range strings.Lines(listed(t, root)) { // directories that many packages have stay: rpm never removes them
		if info, err := os.Lstat(filepath.Join(root, strings.TrimSpace(name))); err != nil || !strings.Contains(before, name) && (!info.IsDir() || strings.Contains(name, "snapmount")) {
			t.Errorf("after the package is gone: %s %v", name, err)
		}
	}
}

// useHelper mounts the demo image below root as its users would: with mount(8), by hand and by a line of fstab. All of it
// happens in a mount namespace of its own.
func useHelper(t *testing.T, root string) {
	unshare := testenv.Peer(t, "unshare")
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("SKIPPED: no FUSE here: %v", err)
	} else {
		f.Close()
	}
	mustDo(t, place(filepath.Join(root, "demo.qcow2"), filepath.Join(testenv.Root(t), "testdata", "demo.qcow2"), 0o644))
	mustDo(t, os.WriteFile(filepath.Join(root, "etc/fstab"), []byte("/demo.qcow2 /mnt snapmount noauto,allow_other,log=/tmp/log 0 0\n"), 0o600))
	script := `set -eu
cd "$1"
trap 'umount -l mnt proc dev 2>/dev/null || true' EXIT
mount -t proc proc proc
mount --bind /dev dev
there() { chroot . "$@"; }
for how in "-t snapmount /demo.qcow2 /mnt -o ro,log=/tmp/log" "/mnt"; do
	there mount $how
	echo "$(ls mnt)"
	grep ' fuse.snapmount ro,' proc/self/mounts >/dev/null
	there snapmount mounts --json
	there snapmount __complete umount "" 2>/dev/null
	there umount /mnt
	[ -z "$(ls -A mnt)" ]
done
code=0; there mount -t snapmount /demo.qcow2 /mnt -o maybe 2>&1 || code=$?
echo "code $code"
code=0; there mount -t snapmount /etc/fstab /mnt 2>&1 || code=$?
echo "code $code"
code=0; there mount.snapmount /demo.qcow2 2>/dev/null || code=$?
echo "code $code"
there mount.snapmount /demo.qcow2 /mnt -sfnv -t fuse.snapmount -o rw
`
	out, err := exec.Command(unshare, "--mount", "--propagation", "private", "sh", "-c", script, "sh", root).CombinedOutput()
	said := string(out)
	if err != nil || strings.Count(said, "p1-Documents\n") != 2 || strings.Count(said, `"mountpoint":"/mnt","images":["/demo.qcow2"],"uid":0,"pid":`) != 2 ||
		strings.Count(said, "/mnt\tsince 20") != 2 || !strings.Contains(said, "-o maybe: want") || !strings.Contains(said, "code 32\n") || !strings.HasSuffix(said, "code 32\ncode 1\n") {
		t.Errorf("%v: %s", err, said)
	}
	for _, name := range []string{"demo.qcow2", "etc/fstab", "tmp/log", "run/mount"} { // those of this test, and mount's own
		mustDo(t, os.RemoveAll(filepath.Join(root, name)))
	}
}

// cleanRoot makes a root with mount(8), umount(8), and what these need.
func cleanRoot(t *testing.T) string {
	root := t.TempDir()
	for _, dir := range []string{"usr/bin", "usr/sbin", "etc", "mnt", "proc", "dev", "tmp", "run", "var/log"} {
		mustDo(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for _, name := range []string{"etc/hostname", "usr/sbin/other"} { // dpkg removes directories that a package leaves empty
		mustDo(t, os.WriteFile(filepath.Join(root, name), nil, 0o600))
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} { // as all of Debian has it since bookworm
		mustDo(t, os.Symlink("usr/"+name, filepath.Join(root, name)))
	}
	for _, name := range []string{"mount", "umount"} {
		program := testenv.Peer(t, name)
		mustDo(t, place(filepath.Join(root, "usr/bin", name), program, 0o755))
		for word := range strings.FieldsSeq(do(t, "ldd", program)) {
			if strings.HasPrefix(word, "/") {
				to := filepath.Join(root, "usr", strings.TrimPrefix(word, "/usr"))
				mustDo(t, place(to, word, 0o755))
			}
		}
	}
	return root
}

// listed names all below a root, but what dpkg and a server that was used keep beside it.
func listed(t *testing.T, root string) string {
	var out bytes.Buffer
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, root)
		if err == nil && !strings.HasPrefix(name, "/var/") {
			out.WriteString(name + "\n")
		}
		return err
	})
	mustDo(t, err)
	return out.String()
}

func do(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := run(t.Context(), t.TempDir(), nil, name, args...)
	mustDo(t, err)
	return out
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
