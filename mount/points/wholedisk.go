package points

import (
	"fmt"
	"path/filepath"
	"strings"

	"snapmount/imagefmt/device"
	"snapmount/imagefmt/layer"
)

// Disk is the whole disk of the image with the volume as it was at p; all other volumes are as imaged. A volume of BitLocker
// is decrypted on it.
func (p *Point) Disk() (layer.Mapper, error) {
	volume, err := p.Image()
	if err != nil {
		return nil, err
	}
	v := p.Volume
	return &wholeDisk{v.Image.Disk, volume, v.Partition.Off, min(v.Partition.Len, volume.Size())}, nil
}

// wholeDisk is a disk of which one range is a volume.
type wholeDisk struct {
	disk, volume layer.Mapper
	off, n       int64
}

// Size is that of the disk, or goes on to the end of the volume where the image was cut.
func (d *wholeDisk) Size() int64 { return max(d.disk.Size(), d.off+d.n) }

// ReadAt implements io.ReaderAt. What a snapshot left out is as it is now; what is in no place of the image is an error.
func (d *wholeDisk) ReadAt(p []byte, off int64) (int, error) {
	return layer.Read(d, p, off, layer.Live)
}

// At implements layer.Mapper.
func (d *wholeDisk) At(off, n int64) (layer.Extent, error) {
	e := layer.Extent{Off: off, Len: n, Base: d.disk, BaseOff: off}
	switch end := d.off + d.n; {
	case off < d.off:
		e.Len = min(n, d.off-off)
	case off < end:
		e.Len, e.Base, e.BaseOff = min(n, end-off), d.volume, off-d.off
	}
	return e, nil
}

// qemuFormats are the names that qemu has for formats that it reads as this project does.
var qemuFormats = map[string]string{"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vhdx": "vhdx", "vhd": "vpc", "vdi": "vdi"}

// Backing is how a file in a directory of this machine names the disk of an image to qemu, to stand on it. It is a
// layer.ErrUnsupported where qemu would see another disk than this one.
func (s *Set) Backing(img *Image, dir string) (name, format string, err error) {
	refuse := func(why string) (string, string, error) {
		return "", "", fmt.Errorf("%s: %s: %w", img.Path, why, layer.ErrUnsupported)
	}
	files, kind := img.Disk.Files(), img.Disk.Format()
	format = qemuFormats[kind]
	o := s.opts
	switch {
	case format == "":
		return refuse("qemu reads no image of format " + kind)
	case len(s.outer) > 0 || len(files) == 0 || !exists(files[0]):
		return refuse("it lies in another image")
	case o.Offset != 0 || o.Size != 0 || o.Layer != "" || o.Snapshot != "" || o.Map != "" || len(o.Parts) > 0 || len(o.Parents) > 0:
		return refuse("qemu does not know what the flags say of it")
	case len(files) > 1 && format != "qcow2" && format != "vmdk":
		return refuse("qemu does not read the files that it stands on")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", "", err
	}
	full, err := device.Abs(files[0])
	if err != nil {
		return "", "", err
	}
	name = full
	if rel, err := filepath.Rel(dir, full); err == nil { // both can be moved together
		name = rel
		if strings.Contains(name, ":") { // else it would be a protocol
			name = "." + string(filepath.Separator) + name
		}
	}
	return name, format, nil
}
