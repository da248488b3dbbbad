package mount

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// errStale is what the kernel answers for a mount whose server is gone.
const errStale = unix.ENOTCONN

// Unmount unmounts a snapmount directory from outside its server. With lazy it is detached at once and ends when the
// last user leaves it; else Unmount returns when its program has ended too.
func Unmount(dir string, lazy bool) error {
	dir, err := realPoint(dir)
	if err != nil {
		return err
	}
	if err := checkOurs(dir); err != nil {
		return err
	}
	err = unmount(dir, lazy)
	for range 20 { // who has just ended, or is in the middle of a call, is no process that can be seen, and soon gone
		if !errors.Is(err, errUnseen) {
			break
		}
		time.Sleep(100 * time.Millisecond)
		err = unmount(dir, lazy)
	}
	if err != nil || lazy {
		return err
	}
	return waitEnded(dir)
}

// realPoint resolves links. A mount is none, and where its server is gone, it cannot be looked at: only what is above it is.
func realPoint(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	up, err := filepath.EvalSymlinks(filepath.Dir(abs))
	at := filepath.Join(up, filepath.Base(abs))
	if err == nil && onTop(at).ours() {
		return at, nil
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	return at, err
}

func unmount(dir string, lazy bool) error {
	flags, args := 0, []string{"-u"}
	if lazy {
		flags, args = unix.MNT_DETACH, []string{"-u", "-z"}
	}
	if os.Geteuid() == 0 {
		err := unix.Unmount(dir, flags|unix.UMOUNT_NOFOLLOW)
		switch {
		case errors.Is(err, unix.EINVAL):
			return fmt.Errorf("%s: nothing is mounted there; \"snapmount mounts\" lists what is", dir)
		case errors.Is(err, unix.EBUSY):
			return busy(dir)
		case err != nil:
			return fmt.Errorf("%s: %w", dir, err)
		}
		return nil
	}
	for _, helper := range []string{"fusermount3", "fusermount"} {
		out, err := exec.Command(helper, append(args, "--", dir)...).CombinedOutput()
		if errors.Is(err, exec.ErrNotFound) {
			continue
		}
		if err != nil && strings.Contains(string(out), "busy") {
			return busy(dir)
		}
		if err != nil {
			return fmt.Errorf("%s: %s", dir, strings.TrimSpace(string(out)))
		}
		return nil
	}
	return fmt.Errorf("%s: neither fusermount3 nor root rights to unmount with", dir)
}

// onTop is what the system's table has of the mount that is seen at dir; without one, and where there is no table, nothing.
func onTop(dir string) (e entry) {
	all, _ := mountTable()
	for _, m := range all {
		if m.dir == dir {
			e = m // the last one is on top
		}
	}
	return e
}

// checkOurs makes sure that the mount on dir is one of this program. Without /proc it cannot tell, and allows it.
func checkOurs(dir string) error {
	if _, err := mountTable(); err != nil {
		return nil
	}
	switch e := onTop(dir); {
	case e.byNFS() && os.Geteuid() != 0:
		return fmt.Errorf("%s: mounted by NFS, which only root unmounts", dir)
	case e.ours():
		return nil
	case e.kind == "":
		return fmt.Errorf("%s: nothing is mounted there; \"snapmount mounts\" lists what is", dir)
	default:
		return fmt.Errorf("%s: a mount of type %s, not one of snapmount", dir, e.kind)
	}
}
