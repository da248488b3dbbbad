package vhdx

import (
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Format is the row of the table of formats.
var Format = format.Format{
	Name:    "vhdx",
	Match:   format.Begins(fileMagic),
	Endings: []string{".vhdx", ".avhdx"},
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

// readID reads the data write identifier, by which a child names its parent.
func readID(src layer.Source) (format.ID, error) {
	h, err := readHeader(src, func(error) {})
	return format.ID{File: h.dataWrite}, err
}
