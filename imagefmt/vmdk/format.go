package vmdk

import (
	"encoding/binary"
	"errors"
	"fmt"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Format is the row of the table of formats. It has no endings: flat extents are named .vmdk too, and have no mark.
var Format = format.Format{
	Name:  "vmdk",
	Match: match,
	Open:  open,
	Part:  part,

	ID:       readID,
	Siblings: []string{".vmdk"},
}

// idOf is the content id of a disk as others know it.
func idOf(cid uint32) (id format.ID) {
	binary.BigEndian.PutUint32(id.State[:], cid)
	return id
}

func readID(src layer.Source) (format.ID, error) {
	desc, _, _, err := readDescriptor(src)
	return idOf(desc.cid), err
}

func match(head, tail string) bool {
	return format.Begins(magicHosted, magicCOWD, magicSESparse)(head, tail) || isDescriptor(head)
}

func open(src layer.Source, env format.Env) (format.Disk, error) {
	d, err := Open(src, env)
	if errors.Is(err, ErrExtent) {
		err = fmt.Errorf("%w, open %s: %w", err, descriptorOf(env.Ready()), layer.ErrUnsupported)
	}
	if err != nil {
		return format.Disk{}, err
	}
	return format.Disk{Source: d, Parent: d.parent}, nil
}

// part knows a flat extent by its name: the disk may have others, and snapshots on it.
func part(env format.Env) error {
	if _, ending := cutEnding(env.Name); ending == "" {
		return nil
	}
	return fmt.Errorf("shown as raw, but its name is that of %w: open %s", ErrExtent, descriptorOf(env))
}
