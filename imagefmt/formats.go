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
// is of those behind that. A new format is a package of its own and a row here; one without Open is known and refused.
func formats() []format.Format {
	return []format.Format{
		compressed.Format,
		qcow2.Format,
		vhdx.Format,
		vmdk.Format,
		vdi.Format,
		ewf.Format,
		{Name: "EWF logical evidence (L01)", Match: format.Begins("LVF\x09\x0d\x0a\xff\x00", "LEF2\x0d\x0a\x81\x00")},
		{Name: "AD-encrypted image", Match: format.Begins("ADCRYPT\x00")},
		{Name: "AFF4 or another zip archive", Match: format.Begins("PK\x03\x04")},
		{Name: "AFF", Match: format.Begins("AFF10\x0d\x0a\x00")},
		{Name: "Parallels", Match: format.Begins("WithoutFreeSpace", "WithouFreSpacExt")},
		{Name: "QED", Match: format.Begins("QED\x00")},
		{Name: "Apple disk image (DMG)", Match: format.Ends("koly")},
		{Name: "Apple sparse or encrypted image", Match: format.Begins("sprs", "encrcdsa")},
		{Name: "WIM", Match: format.Begins("MSWIM\x00\x00\x00")},
		{Name: "gzip, to be unpacked first", Match: format.Begins("\x1f\x8b\x08")},
		{Name: "zstd, to be unpacked first", Match: format.Begins("\x28\xb5\x2f\xfd")},
		{Name: "xz, to be unpacked first", Match: format.Begins("\xfd7zXZ\x00")},
		{Name: "7z, to be unpacked first", Match: format.Begins("7z\xbc\xaf\x27\x1c")},
		{Name: "bzip2, to be unpacked first", Match: format.At(4, "1AY&SY")},
		{Name: "tar archive", Match: format.At(257, "ustar")},
		vhd.Format,
		raw.Format,
	}
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
	for row = from; !o.isRaw(row); row++ {
		if o.formats[row].Match(head, tail) {
			break
		}
	}
	return row
}

// isRaw reports whether a row is the last one, which takes what has no format's mark.
func (o *opener) isRaw(row int) bool { return row == len(o.formats)-1 }
