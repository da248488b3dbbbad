//go:build darwin || freebsd

package mount

import (
	"fmt"
	"os/exec"
	"strings"
)

// Unmount unmounts a snapmount directory from outside its server. With lazy it is forced.
func Unmount(dir string, lazy bool) error {
	args := []string{dir}
	if lazy {
		args = []string{"-f", dir}
	}
	if out, err := exec.Command("umount", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %s", dir, strings.TrimSpace(string(out)))
	}
	return nil
}
