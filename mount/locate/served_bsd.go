//go:build darwin || freebsd

package locate

import (
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// served reports whether a path is on a FUSE mount of the caller or of root: these systems do not tell of which program.
func served(name string) bool {
	var fs unix.Statfs_t
	if unix.Statfs(name, &fs) != nil || fs.Owner != 0 && int(fs.Owner) != os.Geteuid() {
		return false
	}
	return strings.Contains(unix.ByteSliceToString(fs.Fstypename[:]), "fuse")
}

// xattr reads an attribute. MacOS has no namespaces.
func xattr(name, attribute string) (string, error) {
	if runtime.GOOS == "darwin" {
		attribute = strings.TrimPrefix(attribute, "user.")
	}
	b := make([]byte, longest)
	n, err := unix.Getxattr(name, attribute, b)
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}
