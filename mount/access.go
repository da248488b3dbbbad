package mount

import (
	"fmt"
	"io/fs"
	"os/user"
	"strconv"
)

// Modes are the permissions that stat shows, and that the kernel holds others to where Options.AllowOther lets them in. A
// mount is read-only, whatever they are: those to write are for its copies.
type Modes struct {
	// Dirs and Files are the most that is shown of directories and of all else; zero is 0700 and 0600.
	Dirs, Files fs.FileMode
	// Faithful shows of that what the volume says: no permission to write what is marked read-only, and WSL's modes.
	Faithful bool
}

// The permissions of Modes that say nothing.
const (
	ownDirs  fs.FileMode = 0o700
	ownFiles fs.FileMode = 0o600
)

func (m Modes) dirs() fs.FileMode {
	if m.Dirs == 0 {
		return ownDirs
	}
	return m.Dirs
}

func (m Modes) files() fs.FileMode {
	switch {
	case m.Files != 0:
		return m.Files
	case m.Faithful: // which knows programs
		return ownDirs
	}
	return ownFiles
}

// Alone reports whether nobody but the owner is shown anything.
func (m Modes) Alone() bool { return (m.dirs()|m.files())&0o077 == 0 }

// ParseMode reads permissions in octal digits, as 0750, and refuses those that leave the owner nothing to read.
func ParseMode(text string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n > 0o777 || n&0o400 == 0 {
		return 0, fmt.Errorf("mode %q, want octal digits with the owner's right to read, as 0750", text)
	}
	return fs.FileMode(n), nil
}

// ParseMask is ParseMode for what a umask takes away.
func ParseMask(text string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n > 0o777 || n&0o400 != 0 {
		return 0, fmt.Errorf("mask %q, want octal digits that leave the owner the right to read, as 022 or 0077", text)
	}
	return fs.FileMode(0o777 &^ n), nil
}

// UserName gives the name of a user for messages, or the number where the system knows none.
func UserName(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return "user " + number
}
