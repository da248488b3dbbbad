//go:build darwin || freebsd

package mount

import (
	"strings"

	"golang.org/x/sys/unix"
)

// ourKind is empty: these systems do not tell whose a FUSE mount is, but the mount itself does.
const ourKind = ""

func mayBeOurs(kind string) bool { return strings.Contains(kind, "fuse") }

// mountTable reads the mounts of this system.
func mountTable() ([]entry, error) {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return nil, err
	}
	list := make([]unix.Statfs_t, n+8) // some may be made meanwhile
	if n, err = unix.Getfsstat(list, unix.MNT_NOWAIT); err != nil {
		return nil, err
	}
	var all []entry
	for _, s := range list[:n] {
		all = append(all, entry{dir: unix.ByteSliceToString(s.Mntonname[:]), kind: unix.ByteSliceToString(s.Fstypename[:]),
			source: unix.ByteSliceToString(s.Mntfromname[:]), uid: int(s.Owner)})
	}
	return all, nil
}
