// Package report is the JSON of the commands, as types that are filled from points, comparisons and timelines. Pages and
// scripts read the same.
//
// There is one Schema for all of it: it grows when a field changes its name or meaning; fields are only added without.
// An object a line begins with a Head, which says what it is of. Times are RFC 3339 in UTC with seven digits, or null
// where there is none; sizes and offsets count bytes; names and paths are WTF-8 with unpaired surrogates as \u escapes,
// "/" between names; file references are RECORD-SEQUENCE.
//
// Files: info.go and evidence.go (info), entry.go (ls), stat.go, piece.go (explain), history.go, change.go (diff), hit.go
// (find), verify.go, progress.go (restore --progress json). The receipt of a restore is package receipt's.
package report

import (
	"fmt"
	"strings"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// Schema is the version of all JSON of this package.
const Schema = 1

// Head says what a line of JSON is of.
type Head struct {
	Schema int    `json:"schema"`
	Image  string `json:"image"` // as it was named
	Volume string `json:"volume"`
	Point  string `json:"point"` // that size, times and the like are as of
}

// HeadOf is the Head of what is of a point.
func HeadOf(p *points.Point) Head { return Head{Schema, p.Volume.Image.Path, p.Volume.Name, p.Name} }

// Name is a Windows name as JSON.
type Name = wintype.WTF8

// Location names a point: IMAGE:VOLUME@POINT.
func Location(p *points.Point) string {
	return fmt.Sprintf("%s:%s@%s", p.Volume.Image.Path, p.Volume.Name, p.Name)
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
