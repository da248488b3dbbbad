package tree

import "strings"

// A Windows name in the POSIX namespace may hold what no POSIX directory entry can: a slash, a NUL, or be "." or
// "..". Such characters are shown percent-escaped; a percent sign that could be mistaken for an escape is escaped too,
// so that every shown name stands for exactly one real name.
var (
	escaper   = strings.NewReplacer("/", "%2F", "\x00", "%00", "%2F", "%252F", "%00", "%2500", "%2E", "%252E", "%25", "%2525")
	unescaper = strings.NewReplacer("%2F", "/", "%00", "\x00", "%2E", ".", "%25", "%")
)

// EscapeName gives the directory entry under which an NTFS name is shown.
func EscapeName(name string) string {
	switch name {
	case ".":
		return "%2E"
	case "..":
		return "%2E%2E"
	}
	if !strings.ContainsAny(name, "/\x00%") {
		return name
	}
	return escaper.Replace(name)
}

// UnescapeName is the reverse of EscapeName.
func UnescapeName(shown string) string {
	if !strings.Contains(shown, "%") {
		return shown
	}
	return unescaper.Replace(shown)
}
