package device

import (
	"regexp"
	"strings"
)

// windowsName is the device that a path names, without what such paths begin with: "PhysicalDrive0" of \\.\PhysicalDrive0,
// "C:" of \\.\C:, "Volume{...}" of \\?\Volume{...}, "GLOBALROOT\Device\HarddiskVolumeShadowCopy1". With anything behind it
// the path is one of a file, and \\server\share is none of a device either.
func windowsName(path string) (name string, ok bool) {
	path = strings.ReplaceAll(path, "/", `\`)
	name, ok = strings.CutPrefix(path, `\\.\`)
	if !ok {
		name, ok = strings.CutPrefix(path, `\\?\`)
	}
	if !ok || name == "" || strings.ContainsRune(name, 0) {
		return "", false
	}
	if rooted.MatchString(name) {
		return name, true
	}
	return name, !strings.Contains(name, `\`) && !strings.EqualFold(name, "UNC") && !strings.EqualFold(name, "GLOBALROOT")
}

// rooted is a device by its name in the kernel: one element, or the partition of a disk.
var rooted = regexp.MustCompile(`(?i)^GLOBALROOT\\Device\\([^\\]+|Harddisk\d+\\[^\\]+)$`)

// isShadow reports whether a device is a shadow copy, which nothing changes.
func isShadow(name string) bool {
	last := name[strings.LastIndexByte(name, '\\')+1:]
	const start = "HarddiskVolumeShadowCopy"
	return len(last) > len(start) && strings.EqualFold(last[:len(start)], start)
}

// volumeOf is the device of the volume that is a drive: \\.\C: of C: or C:\, and "" of all else.
func volumeOf(path string) string {
	if !drive.MatchString(path) {
		return ""
	}
	return `\\.\` + path[:2]
}

var drive = regexp.MustCompile(`^[A-Za-z]:[\\/.]*$`)
