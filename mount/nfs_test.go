//go:build linux || darwin || freebsd

package mount

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// knownNFS is what mounts by NFS take: mount_nfs(8) of macOS, and the table of the kernel's fs/nfs/fs_context.c.
var knownNFS = map[string]string{
	"darwin": "acdirmax= acdirmin= acregmax= acregmin= actimeo= bg deadtimeout= dsize= dumbtimer fg hard intr inet inet6 locallocks maxgroups= mntudp mountport= mutejukebox " +
		"namedattr nfc noac noacl nocallback noconn nolocks nonegnamecache noquota noresvport nosuid port= proto= rdirplus readahead= realm= resvport retrans= rsize= sec= soft " +
		"tcp timeo= udp vers= wsize= ro nodev noexec",
	"linux": "ac acdirmax= acdirmin= acl acregmax= acregmin= actimeo= addr= bg bsize= clientaddr= cto fg fsc hard intr local_lock= lock lookupcache= migration minorversion= " +
		"mountaddr= mounthost= mountport= mountproto= mountvers= namlen= nconnect= noac noacl nocto nofsc nointr nolock nomigration nordirplus noresvport nosharecache nosoft " +
		"port= posix proto= rdirplus rdma resvport retrans= retry= rsize= sec= sharecache soft softerr softreval tcp timeo= udp v vers= wsize=",
}

func TestNFSOptions(t *testing.T) {
	for system, names := range knownNFS {
		for _, root := range []bool{true, false} {
			c := nfsCall{dir: "/mnt", port: 1234, path: "/snapmount-00/a", root: root}
			list := c.options(system)
			for _, o := range list {
				name, _, valued := strings.Cut(o, "=")
				if valued {
					name += "="
				}
				if !slices.Contains(strings.Fields(names), name) || strings.Contains(o, ",") {
					t.Errorf("%s: %q is not known there", system, o)
				}
			}
			want := []string{"vers=3", "port=1234", "mountport=1234", "soft", "timeo=150", "retrans=3"} // nobody waits for ever
			if system == "linux" {
				want = append(want, "nolock", "proto=tcp", "mountproto=tcp", "addr=127.0.0.1")
			} else {
				want = append(want, "locallocks", "tcp", "deadtimeout=60", map[bool]string{true: "resvport", false: "noresvport"}[root])
			}
			for _, o := range want {
				if !slices.Contains(list, o) {
					t.Errorf("%s: %q without %s", system, list, o)
				}
			}
			if slices.Contains(list, "nolocks") || slices.Contains(list, "noresvport") && root {
				t.Errorf("%s: %q", system, list)
			}
		}
	}
}

func openDemo(t *testing.T) *points.Set {
	t.Helper()
	s, err := points.Open(t.Context(), []string{filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// startFake serves the demo for a mount that how makes.
func startFake(t *testing.T, dir string, how func(*nfsCall) error) (front, error) {
	t.Helper()
	s := openDemo(t)
	files, err := tree.New(s, tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return startNFS(files, dir, s, &Options{mountNFS: how, Warn: func(err error) { t.Log(err) }})
}

// TestMountProgram has a program in the place of macOS's mount_nfs, which tells its words.
func TestMountProgram(t *testing.T) {
	bin := t.TempDir()
	said := filepath.Join(bin, "said")
	script := "#!/bin/sh\nfor word; do echo \"$word\"; done >" + said + "\n[ ! -e " + said + ".fails ] || { echo cannot 1>&2; exit 2; }\n"
	if err := os.WriteFile(filepath.Join(bin, "mount_nfs"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	var call nfsCall
	m, err := startFake(t, "/some where/mnt", func(c *nfsCall) error {
		call = *c
		return mountProgram(c)
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	source := "127.0.0.1:" + call.path
	want := []string{"-o", "ro,nosuid,nodev,noexec," + strings.Join(call.options("darwin"), ","), source, "/some where/mnt", ""}
	if got := strings.Split(string(text), "\n"); !slices.Equal(got, want) || !strings.HasSuffix(source, "/demo.qcow2") || len(source) < 50 {
		t.Errorf("mount_nfs was called with %q, want %q", got, want)
	}
	m.Serve() // no table has the mount, so it is gone
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", call.port)); err == nil {
		c.Close()
		t.Error("the server is still there when its mount is gone")
	}

	if err := os.WriteFile(said+".fails", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = startFake(t, "/mnt", func(c *nfsCall) error { call = *c; return mountProgram(c) })
	if err == nil || !strings.HasSuffix(err.Error(), "mount_nfs: exit status 2: cannot") {
		t.Errorf("a program that fails: %v", err)
	}
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", call.port)); err == nil {
		c.Close()
		t.Error("the server of a mount that was not made is still there")
	}
}

// TestNotMounted makes sure that nothing is left of a mount by NFS that fails, and that its words say what was tried.
func TestNotMounted(t *testing.T) {
	if checkNFS() != nil {
		t.Skipf("SKIPPED: %v", checkNFS())
	}
	dir := filepath.Join(t.TempDir(), "new")
	fails := func(*nfsCall) error { return errors.New("not today") }
	_, err := Mount(dir, openDemo(t), Options{Via: ViaNFS, mountNFS: fails})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not today") {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mount point was left: %v", err)
	}
	_, err = Mount(dir, openDemo(t), Options{Via: ViaNFS, FUSE: []string{"max_read=8192"}, mountNFS: fails})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "max_read=8192: an option of FUSE") {
		t.Errorf("%v", err)
	}
	o := Options{noFUSE: errors.New("none")}
	if err := o.told(errors.New("refused")); err == nil || err.Error() != "no FUSE here (none), and by NFS: refused" {
		t.Errorf("%v", err)
	}
	warned := ""
	o.Warn = func(err error) { warned = err.Error() }
	if err := o.told(nil); err != nil || warned != "no FUSE here (none): mounted by NFS" {
		t.Errorf("%q, %v", warned, err)
	}
}

// TestMountByNFS mounts by this system's kernel, where that has a client.
func TestMountByNFS(t *testing.T) {
	if runtime.GOOS == "linux" {
		list, _ := os.ReadFile("/proc/filesystems")
		if err := checkNFS(); err != nil || !strings.Contains(string(list), "\tnfs\n") {
			t.Skipf("SKIPPED: no NFS client here: %v", err)
		}
	} else if err := checkNFS(); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "mnt")
	m, err := Mount(dir, openDemo(t), Options{Via: ViaNFS})
	if err != nil {
		t.Fatal(err)
	}
	all, err := Mounts()
	i := slices.IndexFunc(all, func(m Mounted) bool { return m.Dir == dir })
	if i < 0 || all[i].Pid != os.Getpid() || err != nil {
		t.Errorf("the mounts are %+v, %v", all, err)
	}
	if err := m.Unmount(); err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mount point was left: %v", err)
	}
}
