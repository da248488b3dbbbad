//go:build linux || darwin || freebsd

package mount

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	minRead = 4 << 10
	maxRead = 1 << 20
)

func (o Owner) fuse() fuse.Owner {
	if o.Fixed {
		return fuse.Owner{Uid: o.UID, Gid: o.GID}
	}
	return fuse.Owner{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}
}

// applyFUSE takes options as they follow -o, each one word or several with commas between them.
func applyFUSE(o *fuse.MountOptions, list []string) error {
	want := fmt.Sprintf("allow_other, default_permissions, max_read=%d..%d or fsname=NAME", minRead, maxRead)
	if runtime.GOOS == "darwin" {
		want = "local, appledouble, volname=NAME, " + want
	}
	for option := range strings.SplitSeq(strings.Join(list, ","), ",") {
		name, value, _ := strings.Cut(option, "=")
		ok := true
		switch name {
		case "", "ro", "nosuid", "nodev", "noexec": // so it is anyway
			ok = value == ""
		case "allow_other":
			ok, o.AllowOther = value == "", true
		case "default_permissions":
			ok, o.Options = value == "", append(o.Options, name)
		case "max_read":
			n, err := strconv.Atoi(value)
			ok, o.MaxWrite = err == nil && n >= minRead && n <= maxRead, n
		case "fsname":
			ok, o.FsName = value != "", value
		default:
			o.Options, ok = macOption(o.Options, option)
			ok = ok && runtime.GOOS == "darwin"
		}
		if !ok {
			return fmt.Errorf("%w: -o %s: want %s; ro, nosuid, nodev and noexec always hold", ErrRefused, option, want)
		}
	}
	return nil
}
