package cmd

import (
	"fmt"
	"strings"

	"snapmount/ntfs/compare"
)

// changeJSON is one object of "diff --json".
type changeJSON struct {
	Kind    string `json:"kind"` // created, deleted, renamed, content, metadata or streams
	Path    name   `json:"path"` // at B; of what was deleted, at A
	OldPath *name  `json:"old_path"`
	Ref     string `json:"ref"`
	Type    string `json:"type"`
	Fields  []name `json:"fields"`
	OldSize *int64 `json:"old_size"`
	NewSize *int64 `json:"new_size"`
	FoundBy string `json:"found_by"` // record, extents or bytes
	InPlace bool   `json:"in_place"` // the file's record did not change
}

// countJSON is one object of "diff --stat --json".
type countJSON struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
	Old   int64  `json:"old_bytes"` // sizes of what was deleted, or before its content changed
	New   int64  `json:"new_bytes"`
}

// sizes says how much was there before and after, where the kind has sizes.
func (n countJSON) sizes(k compare.Kind) string {
	switch k {
	case compare.Created:
		return bytesText(n.New)
	case compare.Deleted:
		return bytesText(n.Old)
	case compare.Content:
		return bytesText(n.Old) + " -> " + bytesText(n.New)
	}
	return ""
}

// lineOf is the line of a change.
func lineOf(c compare.Change, clean func(string) string) string {
	line := fmt.Sprintf("%-8s  ", c.Kind)
	if c.Kind == compare.Renamed {
		line += clean("/"+c.OldPath) + " -> "
	}
	line += clean("/" + c.Path)
	switch {
	case c.Kind == compare.Content:
		line += fmt.Sprintf("  %s -> %s bytes", sizeWord(c.OldSize), sizeWord(c.NewSize))
	case len(c.Fields) > 0:
		line += "  " + clean(strings.Join(c.Fields, ", "))
	}
	if c.InPlace {
		line += "  (in place: the file record did not change)"
	}
	return line
}

func sizeWord(n int64) string {
	if n < 0 {
		return "no"
	}
	return fmt.Sprint(n)
}

func jsonOf(c compare.Change) changeJSON {
	j := changeJSON{Kind: c.Kind.String(), Path: name("/" + c.Path), Ref: c.Ref.String(), Type: kindName(c.Type), Fields: []name{},
		FoundBy: c.By.String(), InPlace: c.InPlace}
	if c.Kind == compare.Renamed {
		old := name("/" + c.OldPath)
		j.OldPath = &old
	}
	for _, f := range c.Fields {
		j.Fields = append(j.Fields, name(f))
	}
	if c.OldSize >= 0 {
		j.OldSize = &c.OldSize
	}
	if c.NewSize >= 0 {
		j.NewSize = &c.NewSize
	}
	return j
}
