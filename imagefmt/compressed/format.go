package compressed

import (
	"fmt"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Format is the row of the table of formats. What is in the file is a raw disk most often, else an image of any format,
// whose name comes behind that of the compression.
var Format = format.Format{
	Match: func(head, _ string) bool { return nameOf(head) != "" },
	Open:  open,
}

func open(src layer.Source, env format.Env) (format.Disk, error) {
	name, err := readName(src)
	if err != nil {
		return format.Disk{}, err
	}
	// What is refused is refused before all of it is unpacked. Where its beginning is damaged, Open tells.
	head := make([]byte, format.EndLen)
	n, _ := readHead(src, head)
	files := env.Ready().Files
	if err := files.Known(string(head[:n])); err != nil {
		return format.Disk{}, fmt.Errorf("%s: %w", name, err)
	}
	d, err := Open(src, env)
	if err != nil {
		return format.Disk{}, fmt.Errorf("%s: %w", name, err)
	}
	disk, err := files.Inside(d)
	if err != nil {
		return format.Disk{}, fmt.Errorf("%s %w", name, err)
	}
	disk.Format = name + " " + disk.Format
	return disk, nil
}
