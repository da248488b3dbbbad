//go:build darwin || freebsd

package mount

import (
	"errors"
	"runtime"
)

// nfsLingers tells that a mount can be detached while it is used: here its users are cut off.
const nfsLingers = false

// checkNFS says why this system cannot mount by NFS: mount_nfs of FreeBSD asks a port mapper where MOUNT is answered, and a
// server of one mount has none.
func checkNFS() error {
	if runtime.GOOS != "darwin" {
		return errors.New("not on " + runtime.GOOS)
	}
	return nil
}

// mountNFS has the system's program mount.
func mountNFS(c *nfsCall) error { return mountProgram(c) }
