package vhd

import (
	"strings"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Format is the row of the table of formats.
var Format = format.Format{
	Name:    "vhd",
	Match:   match,
	Endings: []string{".vhd", ".avhd"},
	Open:    open,
	ID:      readID,
}

// match finds the footer in the last 512 bytes, in the last 511 as old Virtual PC wrote it, or its copy at the start.
func match(head, tail string) bool {
	return strings.HasPrefix(head, footerMagic) || strings.HasPrefix(tail, footerMagic) ||
		len(tail) == footerLen && strings.HasPrefix(tail[1:], footerMagic)
}

func open(src layer.Source, env format.Env) (format.Disk, error) {
	d, err := Open(src, env)
	if err != nil {
		return format.Disk{}, err
	}
	return format.Disk{Source: d, Created: d.Created(), Parent: d.parent}, nil
}

// readID reads the unique id in the footer, by which a child names its parent.
func readID(src layer.Source) (format.ID, error) {
	f, _, err := readFooter(src, format.Env{}.Ready())
	return format.ID{File: f.id}, err
}
