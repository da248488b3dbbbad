package mount

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// nfsLingers tells that a mount can be detached while it is used.
const nfsLingers = true

// checkNFS says why this user cannot mount by NFS.
func checkNFS() error {
	if os.Geteuid() != 0 {
		return errors.New("that wants root")
	}
	return nil
}

// mountNFS asks the kernel for a mount by NFS. It needs no program for that: it speaks the MOUNT protocol too.
func mountNFS(c *nfsCall) error {
	err := unix.Mount(c.source(), c.dir, nfsKind, unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, strings.Join(c.options("linux"), ","))
	switch {
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: this kernel has no NFS client (its module is called nfs)", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: root may not mount here: a container wants CAP_SYS_ADMIN", err)
	}
	return err
}
