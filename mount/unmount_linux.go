package mount

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

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
	if err := unmount(dir, lazy); err != nil || lazy {
		return err
	}
	return waitEnded(dir)
}

// realPoint resolves links. A mount whose server is gone cannot be looked at, and is no link: only what is above it is.
func realPoint(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	up, err := filepath.EvalSymlinks(filepath.Dir(abs))
	return filepath.Join(up, filepath.Base(abs)), err
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
			return fmt.Errorf("%s: nothing is mounted there", dir)
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

// checkOurs makes sure that the mount on dir is one of this program. Without /proc it cannot tell, and allows it.
func checkOurs(dir string) error {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil
	}
	kind := ""
	for _, line := range strings.Split(string(table), "\n") {
		if f := strings.Fields(line); len(f) > 2 && unescapeMount.Replace(f[1]) == dir {
			kind = f[2] // the last one is on top
		}
	}
	switch kind {
	case "fuse.snapmount":
		return nil
	case "":
		return fmt.Errorf("%s: nothing is mounted there", dir)
	}
	return fmt.Errorf("%s: a mount of type %s, not one of snapmount", dir, kind)
}

// unescapeMount undoes what the kernel escapes in its table of mounts.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
