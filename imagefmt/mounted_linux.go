package imagefmt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// mounted returns where a block device, or a partition of it, is mounted for writing; "" when it is not, or this cannot
// be told.
func mounted(f *os.File) string {
	var st syscall.Stat_t
	if syscall.Fstat(int(f.Fd()), &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFBLK {
		return ""
	}
	device := fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	return writtenAt(string(table), device)
}

// writtenAt looks a device ("major:minor") up in the text of a mountinfo, as proc(5) has it.
func writtenAt(table, device string) string {
	for line := range strings.Lines(table) {
		// ID parent major:minor root place options [tags] - type source options of the file system. One blank parts two
		// fields; any other white space is of a name, and a source may be empty.
		mount, fileSystem, _ := strings.Cut(line, " - ")
		m, s := strings.Split(mount, " "), strings.Split(fileSystem, " ")
		if len(m) < 6 || len(s) < 3 || !strings.HasPrefix(s[2], "rw") {
			continue
		}
		if m[2] == device || partOf(m[2], device) {
			return m[4]
		}
	}
	return ""
}

// partOf reports whether a block device is a partition of another; both are "major:minor".
func partOf(part, disk string) bool {
	dir, err := filepath.EvalSymlinks("/sys/dev/block/" + part)
	if err != nil {
		return false
	}
	number, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "dev"))
	return err == nil && strings.TrimSpace(string(number)) == disk
}
