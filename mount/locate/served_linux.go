package locate

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// served reports whether a path is on a mount of this program that the caller serves, or root, or under sudo the user who
// called that: by the kernel's table of mounts.
func served(name string) bool {
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Statfs(name, &fs) != nil || fs.Type != unix.FUSE_SUPER_MAGIC || unix.Stat(name, &st) != nil {
		return false
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	return ours(string(table), fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)), owners())
}

// ours looks a device up in the text of a mountinfo, as proc(5) has it: a line ends with "-", the type, the source and the
// options of the file system. One blank parts two fields; any other white space is of a name, and a source may be empty.
func ours(table, device string, owners []string) bool {
	for line := range strings.Lines(table) {
		own, super, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		words, options := strings.Split(own, " "), strings.Split(super, " ")
		if !ok || len(words) < 3 || words[2] != device || len(options) < 3 || options[0] != "fuse.snapmount" {
			continue
		}
		for _, o := range strings.Split(options[len(options)-1], ",") {
			for _, owner := range owners {
				if o == "user_id="+owner {
					return true
				}
			}
		}
	}
	return false
}

// owners are the users whose mounts are believed.
func owners() []string {
	list := []string{"0", strconv.Itoa(os.Geteuid())}
	if sudo, err := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32); err == nil && os.Geteuid() == 0 {
		list = append(list, strconv.FormatUint(sudo, 10))
	}
	return list
}

func xattr(name, attribute string) (string, error) {
	b := make([]byte, longest)
	n, err := unix.Getxattr(name, attribute, b)
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}
