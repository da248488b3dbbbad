package imagefmt

import (
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/qcow2"
	"snapmount/imagefmt/vhd"
)

// sectorLen is how much of either end a probe sees.
const sectorLen = 512

// format is a row of the table: a magic, and what opens a file that has it.
type format struct {
	name  string
	match func(head, tail string) bool                                      // the first and the last 512 bytes, or all there are
	open  func(o *opener, src layer.Source, at place) (layer.Source, error) // nil for what is known but not supported
}

// formats is the table, in order: the first match is final, and raw takes the rest. A new format is a package of its own
// and a row here.
func formats() []format {
	return []format{
		{"qcow2", begins("QFI\xfb"), openQcow2},
		{"vhdx", begins("vhdxfile"), openVHDX},
		{"vmdk", begins("KDMV", "COWD", "# Disk DescriptorFile", "# Disk Descriptor File", "\xbe\xba\xfe\xca\x00\x00\x00\x00"), openVMDK},
		{"vdi", at(0x40, "\x7f\x10\xda\xbe", "\xbe\xda\x10\x7f"), openVDI},
		{"ewf", begins("EVF\x09\x0d\x0a\xff\x00", "EVF2\x0d\x0a\x81\x00"), openEWF},
		{"EWF logical evidence (L01)", begins("LVF\x09\x0d\x0a\xff\x00", "LEF2\x0d\x0a\x81\x00"), nil},
		{"AD-encrypted image", begins("ADCRYPT\x00"), nil},
		{"AFF4 or another zip archive", begins("PK\x03\x04"), nil},
		{"AFF", begins("AFF10\x0d\x0a\x00"), nil},
		{"Parallels", begins("WithoutFreeSpace", "WithouFreSpacExt"), nil},
		{"QED", begins("QED\x00"), nil},
		{"Apple disk image (DMG)", ends("koly"), nil},
		{"Apple sparse or encrypted image", begins("sprs", "encrcdsa"), nil},
		{"WIM", begins("MSWIM\x00\x00\x00"), nil},
		{"gzip, to be unpacked first", begins("\x1f\x8b\x08"), nil},
		{"zstd, to be unpacked first", begins("\x28\xb5\x2f\xfd"), nil},
		{"xz, to be unpacked first", begins("\xfd7zXZ\x00"), nil},
		{"7z, to be unpacked first", begins("7z\xbc\xaf\x27\x1c"), nil},
		{"bzip2, to be unpacked first", at(4, "1AY&SY"), nil},
		{"tar archive", at(257, "ustar"), nil},
		{"vhd", isVHD, openVHD},
		{"raw", begins(""), openRaw},
	}
}

func begins(magics ...string) func(head, tail string) bool { return at(0, magics...) }

func at(off int, magics ...string) func(head, tail string) bool {
	return func(head, _ string) bool {
		for _, m := range magics {
			if len(head) >= off && strings.HasPrefix(head[off:], m) {
				return true
			}
		}
		return false
	}
}

func ends(magic string) func(head, tail string) bool {
	return func(_, tail string) bool { return strings.HasPrefix(tail, magic) }
}

// isVHD finds the footer in the last 512 bytes, in the last 511 as old Virtual PC wrote it, or its copy at the start.
func isVHD(head, tail string) bool {
	const magic = "conectix"
	return begins(magic)(head, "") || ends(magic)("", tail) || len(tail) == sectorLen && ends(magic)("", tail[1:])
}

// probe finds the format of src.
func probe(src layer.Source) (format, error) {
	head := make([]byte, min(sectorLen, src.Size()))
	tail := make([]byte, len(head))
	if err := layer.ReadFull(src, head, 0); err != nil {
		return format{}, fmt.Errorf("first sector: %w", err)
	}
	if err := layer.ReadFull(src, tail, src.Size()-int64(len(tail))); err != nil {
		return format{}, fmt.Errorf("last sector: %w", err)
	}
	return recognise(string(head), string(tail)), nil
}

// recognise finds the format of what has these sectors at its ends.
func recognise(head, tail string) format {
	for _, f := range formats() {
		if f.match(head, tail) {
			return f
		}
	}
	return format{} // not reached: raw takes everything
}

func openRaw(o *opener, src layer.Source, at place) (layer.Source, error) {
	o.warnFlat(at)
	o.warnNamed(at)
	return src, nil
}

func openQcow2(o *opener, src layer.Source, at place) (layer.Source, error) {
	opts := qcow2.Options{
		Warn:        o.warnAt(at),
		OpenBacking: func(name, format string) (layer.Source, error) { return o.backing(at, name, format) },
		OpenData:    func(name string) (layer.Source, error) { return o.data(at, name) },
	}
	if at.depth == 0 {
		opts.Snapshot = o.snapshot
	}
	return qcow2.Open(src, opts)
}

// data opens the external data file of a qcow2 image.
func (o *opener) data(child place, name string) (layer.Source, error) {
	at, err := child.named(name)
	if err != nil {
		return nil, err
	}
	return o.file(at.name)
}

// named is sibling for a name as QEMU writes it.
func (p place) named(name string) (place, error) {
	if strings.HasPrefix(name, "json:") || strings.Contains(name, "://") {
		return place{}, fmt.Errorf("not the name of a file: %w", layer.ErrUnsupported)
	}
	return p.sibling(strings.TrimPrefix(name, "file:"))
}

// backing opens the backing file of a qcow2 image. As in QEMU, one that is said to be raw is never looked into.
func (o *opener) backing(child place, name, format string) (layer.Source, error) {
	below, err := child.named(name)
	if err != nil {
		return nil, err
	}
	if format == "raw" {
		src, err := o.file(below.name)
		if err == nil {
			o.keep(below, format, src)
		}
		return src, err
	}
	disk, found, err := o.disk(below)
	if format == "vpc" { // QEMU's name for it
		format = "vhd"
	}
	if err == nil && format != "" && found != format {
		return nil, fmt.Errorf("%s, want %s as the image says: %w", found, format, layer.ErrFormat)
	}
	return disk, err
}

func openVHD(o *opener, src layer.Source, at place) (layer.Source, error) { return o.vhd(src, at) }

// vhd opens a disk and its parents. A parent that turned out to be another disk is closed before the next one is tried.
func (o *opener) vhd(src layer.Source, at place) (*vhd.Disk, error) {
	mark := len(o.opened)
	return vhd.Open(src, vhd.Options{Warn: o.warnAt(at), OpenParent: func(path string) (*vhd.Disk, error) {
		o.rewind(mark)
		below, err := at.windowsSibling(path)
		if err != nil {
			return nil, err
		}
		f, err := o.file(below.name)
		if err != nil {
			return nil, err
		}
		disk, err := o.vhd(f, below)
		if err == nil {
			o.keep(below, "vhd", disk)
		}
		return disk, err
	}})
}
