package imagefmt

import (
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/packed"
)

// unpack opens what is in a file that is compressed as a whole: a raw disk most often, else an image of any format, which
// stands at the same place. The name of the compression comes with a space; other files are returned as they are.
func (o *opener) unpack(src layer.Source, at place) (layer.Source, string, error) {
	name, err := packed.Name(src)
	if err != nil || name == "" {
		return src, "", err
	}
	// What is refused is refused before all of it is unpacked. Where its beginning is damaged, Open tells.
	head := make([]byte, sectorLen)
	n, _ := packed.Head(src, head)
	if f := recognise(string(head[:n]), ""); f.open == nil {
		return nil, "", fmt.Errorf("%s: %s in it: %w", name, f.name, layer.ErrUnsupported)
	}
	disk, err := packed.Open(src, packed.Options{Warn: o.warnAt(at), Progress: o.progress, Context: o.ctx})
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	return disk, name + " ", nil
}
