package mount

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// Unmount unmounts a snapmount directory from outside its server. With lazy it is detached at once and ends when the
// last user leaves it.
func Unmount(dir string, lazy bool) error {
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
			return fmt.Errorf("%s: busy: close the files and leave the directories in it, or use --lazy", dir)
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
		if err != nil {
			return fmt.Errorf("%s: %s", dir, strings.TrimSpace(string(out)))
		}
		return nil
	}
	return fmt.Errorf("%s: neither fusermount3 nor root rights to unmount with", dir)
}
