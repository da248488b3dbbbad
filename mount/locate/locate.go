// Package locate turns paths inside a mount of this program into LOCATIONs: the mount tells them itself, as an extended
// attribute. That is believed of a mount of this program only, by the system's own word, which the caller or root serves:
// a file of any other file system may have an attribute of the name.
package locate

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Attributes that mount/tree gives.
const (
	locationXattr = "user.snapmount.location" // of what is in the tree
	recordXattr   = "user.snapmount.mft"      // of what is a file or directory of a point
)

// longest is the most bytes of a location that is believed.
const longest = 1 << 15

// Path gives the LOCATION of what a path of this machine names, where that is inside a mount; else ok is false. It need not
// be there, as long as the directories of the mount lead to where it would be.
func Path(name string) (location string, ok bool) {
	full, err := filepath.Abs(name)
	if err != nil {
		return "", false
	}
	at, rest := full, ""
	for {
		if _, err := os.Lstat(at); err == nil {
			break
		}
		up := filepath.Dir(at)
		if up == at {
			return "", false
		}
		rest, at = path.Join(filepath.Base(at), rest), up
	}
	if rest != "" {
		return below(at, rest)
	}
	if location, ok = below(filepath.Dir(at), filepath.Base(at)); ok { // by the name that was given, and not through a link
		return location, true
	}
	real, err := filepath.EvalSymlinks(at)
	if err != nil || !served(real) {
		return "", false
	}
	if location, ok = below(filepath.Dir(real), filepath.Base(real)); ok {
		return location, true
	}
	return told(real)
}

// Inside reports whether a path is in a mount of this program, whether that tells a LOCATION for it or not.
func Inside(name string) bool {
	real, err := filepath.EvalSymlinks(name)
	return err == nil && served(real)
}

// below gives the location of a name in a directory of a point.
func below(dir, name string) (string, bool) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || !served(real) {
		return "", false
	}
	if _, err := xattr(real, recordXattr); err != nil {
		return "", false
	}
	location, ok := told(real)
	return strings.TrimSuffix(location, "/") + "/" + name, ok
}

// told asks the mount.
func told(name string) (string, bool) {
	value, err := xattr(name, locationXattr)
	ok := err == nil && len(value) < longest && filepath.IsAbs(value) && !strings.Contains(value, "\x00")
	return value, ok
}
