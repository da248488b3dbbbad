package ewf

import (
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Format is the row of the table of formats.
var Format = format.Format{
	Name:    "ewf",
	Match:   format.Begins(magicDisk1, magicDisk2),
	Endings: []string{".e01", ".s01", ".ex01"},
	Open:    open,
}

func open(src layer.Source, env format.Env) (format.Disk, error) {
	d, err := Open(src, env)
	if err != nil {
		return format.Disk{}, err
	}
	return format.Disk{Source: d, Acquisition: d, Faults: d.Faults()}, nil
}
