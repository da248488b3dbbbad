package vdi

import (
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Format is the row of the table of formats.
var Format = format.Format{
	Name:    "vdi",
	Match:   format.At(0x40, "\x7f\x10\xda\xbe", "\xbe\xda\x10\x7f"),
	Endings: []string{".vdi"},
	Open:    open,
	ID:      readID,
}

func open(src layer.Source, env format.Env) (format.Disk, error) {
	d, err := Open(src, env)
	if err != nil {
		return format.Disk{}, err
	}
	return format.Disk{Source: d, Parent: d.parent}, nil
}

// readID reads the UUIDs in the header of src.
func readID(src layer.Source) (format.ID, error) {
	h, err := readHeader(src)
	return format.ID{File: h.image, State: h.modified}, err
}
