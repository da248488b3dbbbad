//go:build linux || darwin || freebsd

package mount

import (
	"path/filepath"
	"slices"
	"strings"
)

// systemOptions are what a mount asks a system for, by its name in Go, beside what the FUSE library adds there. volume
// is the path that gives a Mac's volume its name.
//
// FreeBSD's mount_fusefs knows no nodev, and ends at what it does not know: devices work in its devfs only. The macFUSE
// wiki's "Mount Options" tells what its options do. Noapplexattr is not for looks: macOS reads com.apple.ResourceFork
// from an offset on, which the library does not pass on, so such a read has to fail. The rest of what macFUSE has is left
// out: "local" is experimental, and "defer_permissions" is for file systems that cannot tell who may do what.
func systemOptions(system, volume string) []string {
	switch system {
	case "darwin":
		return []string{"ro", "nosuid", "nodev", "noexec", "noapplexattr", hideApple, volumeName + plain(system, filepath.Base(volume))}
	case "freebsd":
		return []string{"ro", "nosuid", "noexec"}
	}
	return []string{"ro", "nosuid", "nodev", "noexec"}
}

// hideApple makes macFUSE hide names that Finder strews over disks. An image's own ones are hidden too.
const hideApple = "noappledouble"

// volumeName starts the option for a volume's name in Finder.
const volumeName = "volname="

// macOption takes an option that macFUSE alone has, and reports whether it is one.
func macOption(options []string, option string) ([]string, bool) {
	switch name, value, _ := strings.Cut(option, "="); {
	case option == "appledouble":
		return slices.DeleteFunc(options, func(o string) bool { return o == hideApple }), true
	case option == "local":
		return append(options, option), true
	case name+"=" == volumeName && value != "":
		options = slices.DeleteFunc(options, func(o string) bool { return strings.HasPrefix(o, volumeName) })
		return append(options, volumeName+plain("darwin", value)), true
	}
	return options, false
}

// plain gives text as the value of an option can have it: a comma ends one. Mount programs other than Linux's undo no
// escapes, and find an option by the first place where its name and "=" are.
func plain(system, text string) string {
	if system == "linux" {
		return strings.ReplaceAll(text, ",", "_")
	}
	return strings.NewReplacer(",", "_", "=", "_", `\`, "_").Replace(text)
}
