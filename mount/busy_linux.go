package mount

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// busyOr turns an error of unmounting that says no more than "busy" into one that names who keeps it so.
func busyOr(dir string, err error) error {
	if errors.Is(err, unix.EBUSY) || strings.Contains(err.Error(), "busy") { // of fusermount only the text remains
		return busy(dir)
	}
	return err
}

var errUnseen = errors.New("used by processes that cannot be seen from here")

// busy is the error for a mount in use.
func busy(dir string) error {
	who := users(dir)
	if len(who) == 0 {
		return fmt.Errorf("%s: busy: %w; --lazy detaches it all the same", dir, errUnseen)
	}
	const most = 10
	more := ""
	if n := len(who) - most; n > 0 {
		who, more = who[:most], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%s: busy: used by %s%s; --lazy detaches it all the same", dir, strings.Join(who, ", "), more)
}

// users returns "command (pid)" of each process with a file or directory of the mount on dir open, as /proc shows it.
func users(dir string) (who []string) {
	var mounted syscall.Stat_t
	if syscall.Stat(dir, &mounted) != nil {
		return nil
	}
	processes, _ := filepath.Glob("/proc/[0-9]*") // the pattern is a good one
	for _, p := range processes {
		if filepath.Base(p) != strconv.Itoa(os.Getpid()) && uses(p, dir, mounted.Dev) {
			name, _ := os.ReadFile(p + "/comm") // a process that just ended has none
			who = append(who, fmt.Sprintf("%s (%s)", strconv.QuoteToGraphic(strings.TrimSpace(string(name))), filepath.Base(p)))
		}
	}
	return who
}

// uses tells by names first: looking at what lies elsewhere could hang.
func uses(process, dir string, dev uint64) bool {
	links, _ := filepath.Glob(process + "/fd/*")
	for _, link := range append(links, process+"/cwd", process+"/root", process+"/exe") {
		var st syscall.Stat_t
		// A directory that was entered before the mount hid it has the same name.
		if target, err := os.Readlink(link); err == nil && within(target, dir) && (syscall.Stat(link, &st) != nil || st.Dev == dev) {
			return true
		}
	}
	maps, _ := os.ReadFile(process + "/maps")
	return strings.Contains(string(maps), " "+strings.ReplaceAll(dir, "\n", `\012`)+"/")
}

func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
