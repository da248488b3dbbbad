//go:build linux

package mount_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
)

// TestWalk has find(1) walk whole mounts, as any recursive program does, and again with links followed.
func TestWalk(t *testing.T) {
	for _, c := range []struct {
		name        string
		image       func(t *testing.T) string
		dirs, links int  // that there are at least
		loops       bool // links lead up
	}{
		{"demo", func(t *testing.T) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") }, 30, 20, false},
		{"vsstest", func(t *testing.T) string { return testenv.Shared(t, "data", "vsstest.qcow2") }, 10, 5, false},
		{"windows_volume", func(t *testing.T) string { return testenv.Shared(t, "data", "windows_volume.qcow2") }, 5, 0, false},
		{"evil", evilLinks, 5, len(evil), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := mounted(t, openSet(t, c.image(t)))
			all, told := find(t, "-P", dir)
			dirs, links := map[string]string{}, 0
			for _, f := range all {
				if f.kind == "d" && dirs[f.inode] != "" {
					t.Errorf("%s is the directory %s too", f.path, dirs[f.inode])
				}
				switch f.kind {
				case "d":
					dirs[f.inode] = f.path
				case "l":
					links++
					staysInside(t, dir, f)
				}
			}
			if told != "" || len(dirs) < c.dirs || links < c.links {
				t.Errorf("%d directories, %d links, %s", len(dirs), links, told)
			}
			followed, told := find(t, "-L", dir)
			if len(followed) > 10*len(all) || links > 0 && !c.loops && len(followed) <= len(all) {
				t.Errorf("%d entries, with links followed %d", len(all), len(followed))
			}
			for line := range strings.Lines(told) {
				if !c.loops || !strings.Contains(line, "loop detected") && !strings.Contains(line, "Too many levels") {
					t.Error(line)
				}
			}
			if c.loops && told == "" {
				t.Error("no loop was met")
			}
			t.Logf("%d entries, %d directories, %d links; %d with links followed", len(all), len(dirs), links, len(followed))
		})
	}
}

// found is what find tells of an entry.
type found struct{ kind, inode, path, target string }

// find runs find(1) and returns what it found, and what it complained of. It must end, and never meet .snapshots.
func find(t *testing.T, links, dir string) (all []found, told string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, testenv.Peer(t, "find"), links, dir, "-printf", `%y\0%D:%i\0%p\0%l\0`)
	c.Env = append(os.Environ(), "LC_ALL=C")
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if ctx.Err() != nil || err != nil && errs.Len() == 0 {
		t.Fatalf("find %s: %v, %v", links, err, ctx.Err())
	}
	for f := strings.Split(string(out), "\x00"); len(f) >= 4; f = f[4:] {
		all = append(all, found{f[0], f[1], f[2], f[3]})
		if strings.Contains(f[2], "/.snapshots") {
			t.Errorf("find met %s", f[2])
		}
	}
	return all, errs.String()
}

// staysInside follows a link by its text and by the kernel: one in a point must not leave it, others not the mount. One
// that leads to nothing is as good.
func staysInside(t *testing.T, mnt string, f found) {
	t.Helper()
	limit := mnt
	rel, _ := filepath.Rel(mnt, f.path) // both are absolute
	if p := strings.Split(rel, "/"); len(p) > 2 && p[1] == "current" {
		limit = filepath.Join(mnt, p[0], p[1])
	} else if len(p) > 3 && p[1] == "snapshots" {
		limit = filepath.Join(mnt, p[0], p[1], p[2])
	}
	byText := filepath.Join(filepath.Dir(f.path), f.target)
	if filepath.IsAbs(f.target) || !inside(byText, limit) {
		t.Errorf("%s -> %q leaves %s", f.path, f.target, limit)
	}
	real, err := filepath.EvalSymlinks(f.path)
	if err == nil && !inside(real, limit) {
		t.Errorf("%s -> %q is %s", f.path, f.target, real)
	}
}

func inside(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// evil are reparse points: of Windows, absolute and relative, junctions, and of Linux (WSL) ones.
var evil = map[string][]byte{
	"up": windowsLink("..", 1), "self": windowsLink("self", 1), "far": windowsLink(strings.Repeat(`..\`, 20)+`etc\passwd`, 1),
	"rooted": windowsLink(`\etc\passwd`, 1), "slashes": windowsLink("/etc/passwd", 1), "server": windowsLink(`\\host\etc`, 1),
	"absolute": windowsLink(`\??\C:\etc\passwd`, 0), "absolute up": windowsLink(`\??\C:\..\..\..\..\..\..\..\..\etc\passwd`, 0),
	"unix": windowsLink("/etc/passwd", 0), "here": windowsLink(`\??\D:\`, 0), "mixed": windowsLink(`x\../..\../..\../..\../..\../..\../etc/passwd`, 1),
	"wsl": linuxLink("/etc/passwd"), "wsl far": linuxLink(strings.Repeat("../", 20) + "etc/passwd"), "wsl up": linuxLink("../../a"),
}

// windowsLink is a symbolic link's reparse point ([MS-FSCC] 2.1.2.4); flag 1 makes its target relative.
func windowsLink(target string, flag byte) []byte {
	le, name := binary.LittleEndian, wide(target)
	n := uint16(len(name))
	b := le.AppendUint32(nil, 0xa000000c)
	for _, v := range []uint16{12 + 2*n, 0, n, n, 0, n} { // length, reserved, where the target and the name to show are
		b = le.AppendUint16(b, v)
	}
	return append(append(append(b, flag, 0, 0, 0), name...), name...)
}

// linuxLink is a reparse point of WSL: version 2 and the target in UTF-8.
func linuxLink(target string) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(le.AppendUint32(nil, 0xa000001d), uint32(4+len(target)))
	return append(le.AppendUint32(b, 2), target...)
}

func evilLinks(t *testing.T) string {
	image := newVolume(t)
	within(t, image, "streams_interface=windows", func(dir string) {
		deep := filepath.Join(dir, "a", "b")
		for _, d := range []string{deep, filepath.Join(dir, "Windows", "System32")} { // which makes it C:
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for name, reparse := range evil {
			path := filepath.Join(deep, name)
			err := os.WriteFile(path, nil, 0o600)
			if err = errors.Join(err, unix.Lsetxattr(path, "system.ntfs_reparse_data", reparse, 0)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
	return image
}
