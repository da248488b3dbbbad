package points

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"snapmount/ntfs"
)

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

// A name of up to 255 UTF-16 units may take 765 bytes, and a directory entry has 255 at most. A longer name is shown as
// its start, "~", 20 hexadecimal digits that depend on all of it, and its extension where that is short. The same name
// is shown so in every directory and at every point, unless an entry really has that name: then with other digits.
const (
	maxShown     = 255
	MaxExtension = 16
)

// ShownName gives the directory entry under which an entry of dir is shown.
func ShownName(dir *ntfs.Node, name string) string {
	shown := EscapeName(name)
	if len(shown) <= maxShown {
		return shown
	}
	for try := 0; ; try++ {
		short := Shorten(shown, try)
		if _, err := dir.Child(UnescapeName(short)); err != nil {
			return short
		}
	}
}

// Child finds the entry of dir that is shown under a name. It wraps fs.ErrNotExist when there is none; a small $MFT is read
// before that is said.
func Child(dir *ntfs.Node, shown string) (*ntfs.Node, error) {
	n, err := dir.Child(UnescapeName(shown))
	if errors.Is(err, fs.ErrNotExist) && dir.Tree().QuickCensus(context.Background()) == nil {
		n, err = dir.Child(UnescapeName(shown))
	}
	start, _, cut := cutLast(shown, "~")
	if !errors.Is(err, fs.ErrNotExist) || !cut || len(shown) <= maxShown-utf8.UTFMax {
		return n, err
	}
	for e, damage := range dir.Entries() {
		if damage != nil {
			return nil, damage
		}
		if len(EscapeName(e.Name)) > maxShown && strings.HasPrefix(EscapeName(e.Name), start) && ShownName(dir, e.Name) == shown {
			return e.Node()
		}
	}
	return n, err
}

// Shorten makes a directory entry of a name that is too long for one.
func Shorten(name string, try int) string {
	end := fmt.Sprintf("~%.10x", sha256.Sum256(fmt.Append(nil, name, "/", try)))
	if _, extension, ok := cutLast(name, "."); ok && len(extension) < MaxExtension && !strings.Contains(extension, "~") {
		end += "." + extension
	}
	cut := maxShown - len(end)
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + end
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// ShownPath gives a path of NTFS as directory entries have it.
func ShownPath(name string) string {
	words := strings.Split(name, "/")
	for i, w := range words {
		if words[i] = EscapeName(w); len(words[i]) > maxShown {
			words[i] = Shorten(words[i], 0)
		}
	}
	return strings.Join(words, "/")
}
