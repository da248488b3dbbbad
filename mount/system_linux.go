package mount

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const device = "/dev/fuse"

// checkSystem says what this system lacks, where that can be seen beforehand: what to do about it is known here, and not to
// the helper that mounts for ordinary users.
func checkSystem(opts Options) error {
	if _, err := os.Stat(device); err != nil {
		return fmt.Errorf("%s is missing: load the kernel module fuse", device)
	}
	if os.Geteuid() == 0 {
		return nil
	}
	helper, err := exec.LookPath("fusermount3")
	if err != nil {
		helper, err = exec.LookPath("fusermount")
	}
	if err != nil {
		return fmt.Errorf("fusermount3 is missing: install the package fuse3, or run as root")
	}
	if info, err := os.Stat(helper); err == nil && info.Mode()&fs.ModeSetuid == 0 && !hasCapabilities(helper) {
		return fmt.Errorf("%s has not the rights of root that it needs: as root, chmod u+s %[1]s", helper)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil && n == 1 {
		return fmt.Errorf("%s may not take the rights of root here (no_new_privs, as containers and some services set it)", helper)
	}
	if err := unix.Access(device, unix.R_OK|unix.W_OK); err != nil {
		return fmt.Errorf("%s: %w: as root, chmod 666 %[1]s (a rule of udev keeps it so), or run as root", device, err)
	}
	if opts.AllowOther && !confAllows("/etc/fuse.conf") {
		return fmt.Errorf("--allow-other: root has to write a line user_allow_other into /etc/fuse.conf first; without the flag the mount is yours alone")
	}
	return nil
}

// hasCapabilities reports whether a program has rights of its own in place of root's.
func hasCapabilities(file string) bool {
	n, err := unix.Getxattr(file, "security.capability", nil)
	return err == nil && n > 0
}

// confAllows reports whether the configuration of FUSE lets users use allow_other. One that cannot be read may.
func confAllows(conf string) bool {
	b, err := os.ReadFile(conf)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	for line := range strings.Lines(string(b)) {
		if strings.TrimSpace(line) == "user_allow_other" {
			return true
		}
	}
	return false
}

// mayCover says why an ordinary user may not mount on a directory.
func mayCover(dir string) error {
	var st unix.Stat_t
	if os.Geteuid() == 0 || unix.Stat(dir, &st) != nil {
		return nil // or mounting tells
	}
	if unix.Access(dir, unix.W_OK) == nil && (st.Mode&unix.S_ISVTX == 0 || st.Uid == uint32(os.Geteuid())) {
		return nil
	}
	return fmt.Errorf("%w: %s belongs to %s, and users mount on what they may write to only: give a directory of your own, or a new name in one", ErrRefused, dir, UserName(st.Uid))
}

// startFUSE starts a server, and says why it does not mount. The helper that mounts for users tells that on standard error,
// which it gets from this process: for that time it is a pipe.
func startFUSE(start func() (*fuse.Server, error)) (*fuse.Server, error) {
	if os.Geteuid() == 0 {
		s, err := start()
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w: root may not mount here: a container wants CAP_SYS_ADMIN and the device %s", err, device)
		}
		return s, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	said := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(io.LimitReader(r, 4<<10)) // what the helper can say is short
		said <- bytes.TrimSpace(b)
	}()
	old := os.Stderr
	os.Stderr = w
	s, err := start()
	os.Stderr = old
	w.Close()
	if text := <-said; err != nil && len(text) > 0 {
		return s, errors.New(string(text)) // that it ended with a code says no more
	}
	return s, err
}
