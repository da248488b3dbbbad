//go:build darwin || freebsd

package mount

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// errStale is what the kernels of macFUSE and FreeBSD answer for a mount whose server is gone.
const errStale = syscall.ENXIO

// Unmount unmounts a snapmount directory from outside its server. With lazy it is forced.
func Unmount(dir string, lazy bool) error {
	if err := unmount(dir, lazy); err != nil || lazy {
		return err
	}
	return waitEnded(dir)
}

func unmount(dir string, lazy bool) error {
	args := []string{dir}
	if lazy {
		args = []string{"-f", dir}
	}
	if out, err := exec.Command("umount", args...).CombinedOutput(); err != nil {
		return busyOr(dir, fmt.Errorf("%s: %s", dir, strings.TrimSpace(string(out))))
	}
	return nil
}

// busyOr adds to an error of unmounting who may be its cause: this system tells only through another program.
func busyOr(dir string, err error) error {
	return fmt.Errorf("%w: lsof %q tells who uses it; --lazy unmounts it all the same", err, dir)
}
