package imagefmt

import (
	"fmt"

	"snapmount/imagefmt/compressed"
	"snapmount/imagefmt/ewf"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/qcow2"
	"snapmount/imagefmt/raw"
	"snapmount/imagefmt/vdi"
	"snapmount/imagefmt/vhd"
	"snapmount/imagefmt/vhdx"
	"snapmount/imagefmt/vmdk"
)

// formats is the table, in order: the first that matches is final, and raw takes the rest. What a compressed file holds
// is of those behind that, and of those that go first. A new format is a package of its own and a row here; one without Open is
// known and refused.
func formats() []format.Format {
	list := append(atEnds(), compressed.Format, qcow2.Format, vhdx.Format, vmdk.Format, vdi.Format, ewf.Format)
	return append(append(list, refused()...), vhd.Format, raw.Format)
}

// probe finds the format of src, among the rows from a number on.
func (o *opener) probe(src layer.Source, from int) (row int, err error) {
	head := make([]byte, min(format.EndLen, src.Size()))
	tail := make([]byte, len(head))
	if err := layer.ReadFull(src, head, 0); err != nil {
		return 0, fmt.Errorf("first sector: %w", err)
	}
	if err := layer.ReadFull(src, tail, src.Size()-int64(len(tail))); err != nil {
		if row := o.recognise(string(head), "", from); !o.isRaw(row) {
			return row, nil
		}
		return 0, fmt.Errorf("last sector: %w", err)
	}
	return o.recognise(string(head), string(tail), from), nil
}

// recognise is probe for what has these sectors at its ends.
func (o *opener) recognise(head, tail string, from int) (row int) {
	for i, f := range o.formats {
		if f.First && f.Match(head, tail) {
			return i
		}
	}
	for row = from; !o.isRaw(row); row++ {
		if o.formats[row].Match(head, tail) {
			break
		}
	}
	return row
}

// isRaw reports whether a row is the last one, which takes what has no format's mark.
func (o *opener) isRaw(row int) bool { return row == len(o.formats)-1 }
