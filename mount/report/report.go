// Package report is the JSON of the commands, as types that are filled from points, comparisons and timelines. Pages and
// scripts read the same.
//
// There is one Schema for all of it: it grows when a field changes its name or meaning; fields are only added without.
// An object a line begins with a Head, which says what it is of. Times are RFC 3339 in UTC with seven digits, or null
// where there is none; sizes and offsets count bytes; names and paths are WTF-8 with unpaired surrogates as \u escapes,
// "/" between names; file references are RECORD-SEQUENCE.
//
// Files: info.go and evidence.go (info), entry.go (ls), stat.go, piece.go (explain), history.go, change.go (diff), hit.go
// (find), attack.go, verify.go, encryption.go and unlock.go, mounts.go, progress.go (restore --progress json). The receipt of a restore is package receipt's.
package report

import (
	"fmt"
	"regexp"
	"strings"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// Schema is the version of all JSON of this package.
const Schema = 1

// Head says what a line of JSON is of.
type Head struct {
	Schema int    `json:"schema"` // the version of this JSON
	Image  string `json:"image"`  // as it was named
	Volume string `json:"volume"` // its name
	Point  string `json:"point"`  // that size, times and the like are as of

	// Location names it to every command, with the image as it was named, and with the flags that it was opened with. What no
	// directory leads to is there by its record; what is deleted, by the path that it had.
	Location Name `json:"location"`
}

// headOf is the Head of what has a path at a point, or of the point, without one. ref is the file's, and names it where the
// path leads through a directory that is given by its record.
func headOf(p *points.Point, path string, ref ntfs.Ref) Head {
	h := Head{Schema, p.Volume.Image.Path, p.Volume.Name, p.Name, Name(Location(p))}
	switch {
	case path == "":
	case recordPath.MatchString(path):
		h.Location += Name(":" + path[1:])
	case belowRecord.MatchString(path), strings.HasPrefix(path, "/"+compare.OrphanDir+"/"):
		h.Location += Name(fmt.Sprintf(":#%d", ref.Record))
	default:
		h.Location += Name(":" + path)
	}
	return h
}

var (
	recordPath  = regexp.MustCompile(`^/#[0-9]{1,15}(:[^/]+)?$`)
	belowRecord = regexp.MustCompile(`^/#[0-9]{1,15}/`)
)

// Name is a Windows name as JSON.
type Name = wintype.WTF8

// Location names a point: IMAGE:VOLUME@POINT.
func Location(p *points.Point) string {
	return fmt.Sprintf("%s:%s@%s", p.Volume.Image.Path, p.Volume.OwnName(), p.Name)
}

// OneLine keeps an error of several causes on one line.
func OneLine(err error) string { return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ") }

// lineOf is OneLine, or empty without an error.
func lineOf(err error) string {
	if err == nil {
		return ""
	}
	return OneLine(err)
}

// KindName is what JSON calls a kind: file, dir, symlink, chardev, blockdev, fifo or socket.
func KindName(k ntfs.Kind) string { return k.String() }

func text(s string) *string { return &s }

func stamp(t wintype.Filetime) *string { return text(t.String()) }

// atLeastZero gives nil for what is not known, as -1.
func atLeastZero(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
