package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount"
	"snapmount/ntfs/ntfstest"
)

// Users of the tests, who need no accounts. The first is who ran sudo.
const invokerID, otherID = 4001, 4002

// as runs do with the rights of a user to files, on a thread that ends with it.
func as(t *testing.T, uid int, do func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := syscall.Setfsgid(uid)
		if err == nil {
			err = syscall.Setfsuid(uid) // which takes root's rights to files, too
		}
		if err == nil {
			do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// userDir makes a directory that all may enter, with the program and the demo image in it.
func userDir(t *testing.T) (home, binary, image string) {
	t.Helper()
	needFUSE(t)
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can be several users")
	}
	top, err := os.MkdirTemp("", "snapmount-users")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	home, binary, image = filepath.Join(top, "home"), filepath.Join(top, "snapmount"), filepath.Join(top, "demo.qcow2")
	program, err := os.ReadFile(build(t))
	disk, err2 := os.ReadFile(demo(t))
	err = errors.Join(err, err2, os.WriteFile(binary, program, 0o755), os.WriteFile(image, disk, 0o644), os.Mkdir(home, 0o755))
	if err = errors.Join(err, os.Chmod(top, 0o755), os.Chown(home, invokerID, invokerID)); err != nil {
		t.Fatal(err)
	}
	return home, binary, image
}

// asUser is a command of a user.
func asUser(uid uint32, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: false}}
	return c
}

// sudo is a command of root, as sudo runs it.
func sudo(home, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir, c.Env = "/", append(os.Environ(), "SUDO_UID=4001", "SUDO_GID=4001", "SUDO_USER=u4001", "XDG_STATE_HOME="+filepath.Join(home, "state"))
	return c
}

// refused tries all that a path can be asked, and returns what is not EACCES.
func refused(dir string) (got []string) {
	b := make([]byte, 4096)
	for _, path := range []string{"README.txt", "p1-Documents", "p1-Documents/current/Letters/offer.txt", "p1-Documents/vss1/Letters", "raw", "raw/p1-Documents/current.img", "p1-Documents/snapshots/latest"} {
		path = filepath.Join(dir, path)
		for what, try := range map[string]func() error{
			"stat":     func() error { return unix.Lstat(path, new(unix.Stat_t)) },
			"open":     func() error { _, err := os.ReadFile(path); return err },
			"list":     func() error { _, err := os.ReadDir(path); return err },
			"xattr":    func() error { _, err := unix.Lgetxattr(path, "user.snapmount.point", b); return err },
			"xattrs":   func() error { _, err := unix.Llistxattr(path, b); return err },
			"readlink": func() error { _, err := unix.Readlink(path, b); return err },
			"access":   func() error { return unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK, unix.AT_EACCESS) },
		} {
			if err := try(); !errors.Is(err, unix.EACCES) {
				got = append(got, what+" "+path+": "+errText(err))
			}
		}
	}
	if _, err := os.ReadDir(dir); !errors.Is(err, unix.EACCES) {
		got = append(got, "list: "+errText(err))
	}
	return got
}

func errText(err error) string {
	if err == nil {
		return "allowed"
	}
	return err.Error()
}

func TestSudoMount(t *testing.T) {
	home, binary, image := userDir(t)
	dir := filepath.Join(home, "mnt")
	t.Cleanup(func() { _ = mount.Unmount(dir, true) }) // most often it is gone
	_, out := combined(sudo(home, binary, "-d", image, dir))
	if !strings.Contains(out, "\nvisible to "+mount.UserName(invokerID)+" and root alone\n") {
		t.Fatalf("%s", out)
	}
	if st := lstat(t, dir); st.Mode&0o777 != 0o700 || st.Uid != invokerID || st.Gid != invokerID {
		t.Errorf("the root directory: 0%o, %d:%d", st.Mode, st.Uid, st.Gid)
	}
	letter := filepath.Join(dir, "p1-Documents/vss1/Letters/thanks.txt")
	for _, uid := range []int{0, invokerID} {
		as(t, uid, func() {
			if b, err := os.ReadFile(letter); err != nil || len(b) == 0 {
				t.Errorf("user %d: %q, %v", uid, b, err)
			}
		})
	}
	as(t, otherID, func() {
		if got := refused(dir); len(got) > 0 {
			t.Errorf("another user: %q", got)
		}
	})
	copied := filepath.Join(home, "copy")
	for _, args := range [][]string{{"cp", "-a", filepath.Join(dir, "p1-Documents/current"), copied}, {"sh", "-c", "echo more >> '" + copied + "/Letters/offer.txt'"}, {"rm", "-r", copied}} {
		if out, err := asUser(invokerID, args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
	if out, err := sudo(home, binary, "umount", dir).CombinedOutput(); err != nil || !gone(dir) {
		t.Errorf("%v, %s", err, out)
	}
	allOf(t, home)
}

// allOf makes sure that everything in a directory belongs to who ran sudo.
func allOf(t *testing.T, dir string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if st := lstat(t, path); st.Uid != invokerID || st.Gid != invokerID {
			t.Errorf("%s belongs to %d:%d", path, st.Uid, st.Gid)
		}
		n++
		return nil
	})
	if err != nil || n < 2 {
		t.Errorf("%d files, %v", n, err)
	}
}

func lstat(t *testing.T, path string) (st unix.Stat_t) {
	t.Helper()
	if err := unix.Lstat(path, &st); err != nil {
		t.Error(err)
	}
	return st
}

func TestSudoWrites(t *testing.T) {
	home, binary, image := userDir(t)
	at := func(name string) string { return filepath.Join(home, name) }
	if err := os.Mkdir(at("closed"), 0o700); err != nil { // root's: its rights stay
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"restore", image + "@latest", at("all/of/it"), "--receipt", at("receipt")}, {"restore", image + ":p1@latest:/Letters", at("closed")},
		{"restore", image + "@latest", at("tar"), "--to", "tar"}, {"restore", image + "@latest", at("zip"), "--to", "zip"},
		{"timeline", image, "--format", "csv", "-o", at("csv")}, {"restore", "--deleted", image, at("gone")},
	} {
		if out, err := sudo(home, binary, args...).CombinedOutput(); err != nil {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
	if err := os.Chown(at("closed"), invokerID, invokerID); err != nil {
		t.Fatal(err)
	}
	allOf(t, home)
	if sudoProgram, err := exec.LookPath("sudo"); err == nil {
		c := exec.Command(sudoProgram, "-n", binary, "restore", image+"@latest", at("by-root")) // root behind sudo is root
		out, err := c.CombinedOutput()
		if st := lstat(t, at("by-root")); err != nil || st.Uid != 0 {
			t.Errorf("%v, %s; belongs to %d", err, out, st.Uid)
		}
	}
}

// TestServerRefuses lets another user in by a directory that is open, past the root directory, where modes permit all: the
// server itself does not answer.
func TestServerRefuses(t *testing.T) {
	home, binary, image := userDir(t)
	dir := filepath.Join(home, "mnt")
	t.Cleanup(func() { _ = mount.Unmount(dir, true) }) // the end
	if code, out := combined(sudo(home, binary, "-d", "--umask", "022", image, dir)); code != exitOK {
		t.Fatal(out)
	}
	in, err := os.OpenFile(filepath.Join(dir, "p1-Documents/current"), unix.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	as(t, otherID, func() {
		fd, err := unix.Openat(int(in.Fd()), "Letters/offer.txt", unix.O_RDONLY, 0)
		var st unix.Stat_t
		err2 := unix.Fstatat(int(in.Fd()), "Projects", &st, 0)
		if !errors.Is(err, unix.EACCES) || !errors.Is(err2, unix.EACCES) {
			t.Errorf("%d, %v; %v", fd, err, err2)
		}
	})
}

func TestAllowOther(t *testing.T) {
	home, binary, image := userDir(t)
	dir := filepath.Join(home, "mnt")
	t.Cleanup(func() { _ = mount.Unmount(dir, true) }) // most often it is gone
	letter, block := filepath.Join(dir, "p1-Documents/current/Letters/offer.txt"), filepath.Join(dir, "raw/p1-Documents/current.img")
	for _, c := range []struct {
		flags      []string
		said       string
		other      bool // may read
		dirs, file uint32
	}{
		{[]string{"--allow-other"}, "--umask 022", false, 0o700, 0o600},
		{[]string{"--allow-other", "--umask", "022"}, "", true, 0o755, 0o644},
		{[]string{"-o", "allow_other,uid=4001,fmask=0133,dmask=022"}, "", true, 0o755, 0o644},
		{[]string{"--allow-other", "--group", "4002"}, "", true, 0o750, 0o640},
		{[]string{"--allow-other", "--group", "4003"}, "", false, 0o750, 0o640},
		{[]string{"--allow-other", "--mode", "0700"}, "--umask 022", false, 0o700, 0o600},
		{[]string{"--umask", "0", "--uid", "4001"}, "visible to " + mount.UserName(invokerID) + " and root alone", false, 0o700, 0o666},
	} {
		code, out := combined(exec.Command(binary, append(c.flags, "-d", "--log", os.DevNull, image, dir)...))
		if code != exitOK || !strings.Contains(out, c.said) || c.said == "" && strings.Contains(out, "visible") {
			t.Fatalf("%q: exit %d, %s", c.flags, code, out)
		}
		root, file, raw, img := lstat(t, dir), lstat(t, letter), lstat(t, filepath.Dir(block)), lstat(t, block)
		if root.Mode&0o777 != c.dirs || file.Mode&0o777 != c.file || raw.Mode&0o777 != 0o500 || img.Mode&0o777 != 0o400 {
			t.Errorf("%q: 0%o, 0%o, 0%o, 0%o", c.flags, root.Mode, file.Mode, raw.Mode, img.Mode)
		}
		as(t, otherID, func() {
			if _, err := os.ReadFile(letter); (err == nil) != c.other || err != nil && !errors.Is(err, unix.EACCES) {
				t.Errorf("%q: a file: %v", c.flags, err)
			}
			if _, err := os.Open(block); !errors.Is(err, unix.EACCES) {
				t.Errorf("%q: a block image: %v", c.flags, err)
			}
			if got := refused(dir); !c.other && len(got) > 0 {
				t.Errorf("%q: %q", c.flags, got)
			}
		})
		if out, err := exec.Command(binary, "umount", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v, %s", err, out)
		}
	}
}

// TestUserRefusals has an ordinary user mount where that cannot be: the cause comes first, in one line.
func TestUserRefusals(t *testing.T) {
	unshare, setpriv := testenv.Peer(t, "unshare"), testenv.Peer(t, "setpriv")
	testenv.Peer(t, "fusermount3")
	home, binary, image := userDir(t)
	conf := filepath.Join(filepath.Dir(home), "fuse.conf")
	users := filepath.Join(filepath.Dir(home), "passwd") // fusermount3 wants a name
	if err := errors.Join(os.WriteFile(conf, []byte("# user_allow_other\n"), 0o644),
		os.WriteFile(users, []byte("root:x:0:0::/:/bin/sh\nann:x:4001:4001::/:/bin/sh\n"), 0o644), os.Mkdir(filepath.Join(home, "roots"), 0o755)); err != nil {
		t.Fatal(err)
	}
	const script = `set -e; mount -t tmpfs -o dev,mode=755 none /mnt; mknod /mnt/fuse c 10 229; chmod "$MODE" /mnt/fuse; mount --bind /mnt/fuse /dev/fuse
touch /etc/fuse.conf; mount --bind "$CONF" /etc/fuse.conf; mount --bind "$USERS" /etc/passwd; exec "$SETPRIV" --reuid 4001 --regid 4001 --clear-groups /bin/sh -c "$DO"`
	for _, c := range []struct {
		mode, do string
		code     int
		want     string
	}{
		{"600", `exec $S -d $I $H/mnt`, exitRefused, "snapmount: mount refused: /dev/fuse: permission denied: as root, chmod 666 /dev/fuse"},
		{"666", `PATH=/nowhere exec $S $I $H/mnt`, exitRefused, "snapmount: mount refused: fusermount3 is missing: install the package fuse3"},
		{"666", `exec $S --allow-other -d $I $H/mnt`, exitRefused, "snapmount: mount refused: --allow-other: root has to write a line user_allow_other into /etc/fuse.conf"},
		{"666", `exec $S -d $I $H/roots`, exitRefused, "snapmount: mount refused: " + home + "/roots belongs to root"},
		{"666", `exec $S -d $I /roots`, exitRefused, "snapmount: mount refused: mkdir /roots: permission denied"},
		{"666", `exec setpriv --no-new-privs $S -d $I $H/mnt`, exitRefused, "no_new_privs"},
		{"666", `$S -d $I $H/mnt >/dev/null && cat $H/mnt/p1-Documents/vss1/Letters/thanks.txt && stat -c %a $H/mnt/raw $H/mnt && $S umount $H/mnt`, exitOK, "crates.\n500\n700\n"},
	} {
		cmd := exec.Command(unshare, "-m", "/bin/sh", "-c", script)
		cmd.Dir, cmd.Env = "/", append(os.Environ(), "MODE="+c.mode, "CONF="+conf, "USERS="+users, "SETPRIV="+setpriv, "DO="+c.do, "S="+binary, "I="+image, "H="+home, "HOME="+home, "XDG_STATE_HOME=")
		code, out := combined(cmd)
		if code != c.code || !strings.Contains(out, c.want) || c.code != exitOK && (strings.Count(out, "\n") != 1 || strings.Contains(out, "256")) {
			t.Errorf("%s: exit %d, want %d and %q\n%s", c.do, code, c.code, c.want, out)
		}
	}
}

// TestFaithfulModes has a file and a directory that are marked read-only, and one of WSL.
func TestFaithfulModes(t *testing.T) {
	needFUSE(t)
	image, dir := filepath.Join(t.TempDir(), "modes.img"), filepath.Join(t.TempDir(), "mnt")
	testenv.Peer(t, "mkntfs")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 16<<20)); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, "mkntfs", "-F", "-Q", "-q", "-L", "modes", image)
	at, unmount := ntfstest.MountNTFS3G(t, image, "")
	var err error
	for _, name := range []string{"plain", "marked", "wsl"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(at, name), []byte(name), 0o600))
	}
	mode := append([]byte{20, 0, 0, 0, 0, 6, 4, 0}, "$LXMOD\x00\xc8\x81\x00\x00\x00"...) // 0100710, and to a multiple of 4
	err = errors.Join(err, os.Mkdir(filepath.Join(at, "folder"), 0o700), unix.Setxattr(filepath.Join(at, "wsl"), "system.ntfs_ea", mode, 0),
		unix.Setxattr(filepath.Join(at, "marked"), "system.ntfs_attrib", []byte{1, 0, 0, 0}, 0), unix.Setxattr(filepath.Join(at, "folder"), "system.ntfs_attrib", []byte{1, 0, 0, 0}, 0))
	if unmount(); err != nil {
		t.Fatal(err)
	}
	binary := build(t)
	t.Cleanup(func() { _ = mount.Unmount(dir, true) }) // most often it is gone
	for _, c := range []struct{ modes, umask, want string }{
		{"usable", "022", "folder 755, marked 644, plain 644, wsl 644"}, {"faithful", "022", "folder 755, marked 444, plain 644, wsl 710"},
		{"faithful", "0", "folder 777, marked 444, plain 666, wsl 710"},
	} {
		if code, out := combined(exec.Command(binary, "-d", "--log", os.DevNull, "--modes", c.modes, "--umask", c.umask, image, dir)); code != exitOK {
			t.Fatal(out)
		}
		var got []string
		for _, name := range []string{"folder", "marked", "plain", "wsl"} {
			found, err := filepath.Glob(filepath.Join(dir, "*", "current", name))
			if err != nil || len(found) != 1 {
				t.Fatalf("%s: %q, %v", name, found, err)
			}
			got = append(got, fmt.Sprintf("%s %o", name, lstat(t, found[0]).Mode&0o777))
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %s, want %s", c.modes, text, c.want)
		}
		if out, err := exec.Command(binary, "umount", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v, %s", err, out)
		}
	}
}
