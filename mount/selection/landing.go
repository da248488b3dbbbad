package selection

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// A Landing is where a restore goes.
type Landing struct {
	To   string // dir, tar or zip
	Path string // of the directory, or of the archive
	Note string // a line of what may have been meant otherwise, with names as they are
}

// packed are the endings of archives that DEST may have and that are not written.
var packed = []string{".tgz", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2", ".7z", ".rar"}

// Land says what dest is, as cp has it. A directory that is there, and what has a slash at its end, is a directory. One
// file is called dest where that has its extension: so the sources have another name then. Else .tar and .zip are an
// archive, and what is left is a directory to be made.
func (s *Selection) Land(dest string) (Landing, error) {
	dir := Landing{To: "dir", Path: dest}
	info, err := os.Stat(dest)
	if there := err == nil; there && info.IsDir() || dest == "" || os.IsPathSeparator(dest[len(dest)-1]) {
		return dir, nil
	}
	one, base := s.single(), filepath.Base(dest)
	ext := strings.ToLower(filepath.Ext(base))
	if one != nil && len(ext) > 1 && strings.EqualFold(ext, filepath.Ext(one.name)) {
		one.as, dir.Path = base, filepath.Dir(dest)
		return dir, nil
	}
	if ext == ".tar" || ext == ".zip" {
		to := ext[1:]
		return Landing{to, dest, fmt.Sprintf("%s: written as a %s archive, for its name (a directory: --to dir)", dest, to)}, nil
	}
	for _, end := range packed {
		if strings.HasSuffix(strings.ToLower(base), end) {
			return dir, usagef("%s: archives are .tar or .zip, want one of these (or --to dir, for a directory of that name)", dest)
		}
	}
	switch {
	case err == nil || len(ext) <= 1:
	case one != nil:
		dir.Note = fmt.Sprintf("%s: made as a directory, as it does not end like %s", dest, one.name)
	default:
		dir.Note = fmt.Sprintf("%s: made as a directory, for all that was named before it", dest)
	}
	return dir, nil
}

// single is the one file, link or stream that is named, and nothing else, or nil.
func (s *Selection) single() *chosen {
	if len(s.chosen) != 1 {
		return nil
	}
	c := s.chosen[0]
	if c.pattern != nil || c.name == "" || strings.Contains(c.name, "/") || c.node.Kind == ntfs.KindDir && c.stream == "" {
		return nil
	}
	return c
}

// Single reports whether one file, link or stream is named, and nothing else.
func (s *Selection) Single() bool { return s.single() != nil }

// Most is more than what was chosen takes, as far as that can be said without looking: twice the volumes' sizes, for what
// is compressed on them.
func (s *Selection) Most() (bytes int64) {
	met := map[*points.Point]bool{}
	for _, c := range s.chosen {
		if !met[c.point] {
			met[c.point] = true
			bytes += 2 * c.point.Size()
		}
	}
	return bytes
}
