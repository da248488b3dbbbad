package process

import (
	"os"
	"os/user"
	"strconv"
)

// A User is one of this computer's.
type User struct {
	Name     string // or the number, where the system knows no name
	UID, GID uint32
	Home     string // may be empty
}

// Invoker returns who runs this program as root, as sudo, pkexec and doas tell; nobody where that is root too.
func Invoker() (User, bool) {
	if os.Geteuid() != 0 {
		return User{}, false
	}
	return invoker(os.Getenv)
}

func invoker(env func(string) string) (User, bool) {
	for _, by := range []struct{ user, group string }{{"SUDO_UID", "SUDO_GID"}, {"PKEXEC_UID", ""}, {"DOAS_USER", ""}} {
		name := env(by.user)
		if name == "" {
			continue
		}
		known, err := user.LookupId(name)
		if by.user == "DOAS_USER" {
			known, err = user.Lookup(name)
		}
		if err != nil { // of a directory service that is not asked here
			known = &user.User{Uid: name, Gid: name, Username: name}
		}
		if g := env(by.group); by.group != "" && g != "" {
			known.Gid = g
		}
		uid, err := strconv.ParseUint(known.Uid, 10, 31)
		gid, err2 := strconv.ParseUint(known.Gid, 10, 31)
		if err != nil || err2 != nil || uid == 0 {
			return User{}, false
		}
		return User{Name: known.Username, UID: uint32(uid), GID: uint32(gid), Home: known.HomeDir}, true
	}
	return User{}, false
}
