package qcow2

import (
	"fmt"
	"strings"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Format is the row of the table of formats.
var Format = format.Format{
	Name:    "qcow2",
	Match:   format.Begins(magic),
	Endings: []string{".qcow2"},
	Open:    open,
}

func open(src layer.Source, env format.Env) (format.Disk, error) {
	d, err := Open(src, env)
	if err != nil {
		return format.Disk{}, err
	}
	disk := format.Disk{Source: d, Parent: d.backing}
	for _, s := range d.snapshots {
		disk.Snapshots = append(disk.Snapshots, format.Snapshot{ID: s.ID, Name: s.Name, Time: s.Time, Size: s.Size})
	}
	return disk, nil
}

// openData opens the external data file, which holds the clusters as they are.
func openData(name string, files format.Files) (layer.Source, error) {
	if name == "" {
		return nil, fmt.Errorf("not opened: %w", layer.ErrUnsupported)
	}
	name, err := fileName(name)
	if err != nil {
		return nil, err
	}
	return files.Open(name, format.Slashes)
}

// openBacking opens the backing file. As in QEMU, one that is said to be raw is never looked into.
func openBacking(h header, files format.Files) (*format.Disk, error) {
	name, err := fileName(h.backing)
	if err != nil {
		return nil, err
	}
	kind := h.backingFormat
	if kind == "vpc" { // QEMU's name for it
		kind = "vhd"
	}
	return files.Backing(name, kind)
}

// fileName is the name of a file as QEMU writes it.
func fileName(name string) (string, error) {
	if strings.HasPrefix(name, "json:") || strings.Contains(name, "://") {
		return "", fmt.Errorf("not the name of a file: %w", layer.ErrUnsupported)
	}
	return strings.TrimPrefix(name, "file:"), nil
}
