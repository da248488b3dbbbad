package imagefmt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"snapmount/imagefmt/device"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Options may be left zero.
type Options struct {
	// Warn is told what is worth knowing and does not stop the reading, such as a wrong checksum; nil drops it. The
	// error names a file only when that is not the image itself.
	Warn func(error)
	// Progress is told, from time to time, how much of a file Open has gone through, when it must read all of one, as of a
	// compressed image; nil drops it.
	Progress layer.Progress
	// Context ends Open, which may take long, with its cause. nil never does.
	Context context.Context
	// Offset and Size cut the disk that is shown out of the one in the image, in bytes; a Size of 0 goes to its end.
	Offset, Size int64
	// Force reads block devices that are mounted for writing, whose content changes meanwhile.
	Force bool
	// Layer is the state to show, as Image.Layers numbers or names it; "" is the image's own.
	Layer string
	// Snapshot is the ID or name of the internal snapshot to show; it comes before Layer.
	Snapshot string
	ZeroBad  bool // damaged chunks of EWF images read as zeros
	Anywhere bool // files that the image names may lie outside its folder; of Open only, a Folder has its own rule
	// Parts are the files that follow the image's own, in order, when it was split: paths of this machine. Without any,
	// names tell.
	Parts []string
	// Parents are files that the image may stand on, in any order: paths of this machine. They are asked before the places
	// that the image names.
	Parents []string
	// Map is the path of what GNU ddrescue has noted of a raw image; without, it is looked for beside it.
	Map string
}

// Image is an open disk image, a layer.Mapper of the virtual disk. Its leaves are *raw.File and unpacked pieces. All
// methods but Close may be called concurrently.
type Image struct {
	disk     layer.Source
	format   string
	layers   []Layer
	evidence format.Acquisition
	faults   []error
	files    opener
}

// Open opens the image at path for reading, an ordinary file or a block device. The first part of a split image opens
// all of them. A file of a format that is known and cannot be read is a layer.ErrUnsupported; one that has no format's
// magic is raw. Files that the image names are only looked for in its own folder and below, and links are
// followed there only, unless Options.Anywhere says otherwise.
func Open(path string, opts Options) (*Image, error) {
	if device.Live(path) && !opts.Force && opts.Warn != nil {
		opts.Warn(errors.New("is in use, and changes while it is read: what is read can contradict itself. The device of a shadow copy stays as it is " +
			`("vssadmin list shadows" names it)`))
	}
	folder, own := hostPlace(path, hostFolder{force: opts.Force, anywhere: opts.Anywhere})
	return OpenIn(folder, own, opts)
}

// OpenIn is Open for the file of that name in folder.
func OpenIn(folder Folder, name string, opts Options) (*Image, error) {
	if opts.Context == nil {
		opts.Context = context.Background()
	}
	img := &Image{files: opener{
		ctx: opts.Context, formats: formats(), warn: opts.Warn, progress: opts.Progress, zeroBad: opts.ZeroBad, beside: make(map[folderOf][]identified),
		given: given{parts: opts.Parts, parents: opts.Parents, rescue: opts.Map, host: hostFolder{force: opts.Force, anywhere: opts.Anywhere}},
	}}
	at := place{folder: newListed(folder), name: name}
	disk, err := img.files.disk(at)
	if err == nil && opts.Map != "" && !img.files.given.used {
		err = fmt.Errorf("%s, want raw for the map %s: %w", disk.Format, filepath.Base(opts.Map), layer.ErrUnsupported)
	}
	if err == nil {
		img.disk, img.format, img.layers, img.evidence = disk.Source, disk.Format, list(disk), disk.Acquisition
		img.faults = faults(disk)
		err = img.show(opts, at)
	}
	if err == nil {
		err = img.cut(opts.Offset, opts.Size)
	}
	if err != nil {
		img.files.rewind(0)
		return nil, fmt.Errorf("%s: %w", folder.Path(name), refuseFolder(folder, name, err))
	}
	return img, nil
}

func (i *Image) cut(off, n int64) (err error) {
	if off == 0 && n == 0 {
		return nil
	}
	have := i.disk.Size()
	if off < 0 || off >= have || n < 0 || n > have-off {
		return fmt.Errorf("0x%x bytes at 0x%x, want them within the disk of 0x%x bytes: %w", n, off, have, layer.ErrFormat)
	}
	if n == 0 {
		n = have - off
	}
	i.disk, err = layer.Section(i.disk, off, n)
	return err
}

// Format is the name of the image's format: "raw", "qcow2", "vhd"; with "gzip " or "zstd " before it when it is compressed
// as a whole, and "split " when it has several parts.
func (i *Image) Format() string { return i.format }

// Evidence returns the disk in the image's own file if that was made as evidence: it can be verified and tells about its
// acquisition. It is nil for others.
func (i *Image) Evidence() format.Acquisition { return i.evidence }

// Faults tells what opening found to be lost of the image's files, or to contradict itself, an error of one line each.
// Those of a file that another stands on name it. Nil is an image that is all there, as far as its tables tell.
func (i *Image) Faults() []error { return i.faults }

// faults gathers those of a disk and of what it stands on.
func faults(disk *format.Disk) []error {
	list := slices.Clone(disk.Faults)
	for d := disk.Parent; d != nil; d = d.Parent {
		for _, err := range d.Faults {
			list = append(list, fmt.Errorf("%s: %w", d.Name, err))
		}
	}
	return list
}

// Files names every file that is open, from the top: parts in their order, then backing files or parents.
func (i *Image) Files() []string {
	var names []string
	for _, f := range i.files.opened {
		names = append(names, f.folder.Path(f.name))
	}
	return names
}

// Close closes all files. Nothing of the image may be used afterwards.
func (i *Image) Close() error { return i.files.rewind(0) }

// Size is the size of the virtual disk, in bytes.
func (i *Image) Size() int64 { return i.disk.Size() }

// ReadAt implements io.ReaderAt.
func (i *Image) ReadAt(p []byte, off int64) (int, error) { return i.disk.ReadAt(p, off) }

// At implements layer.Mapper.
func (i *Image) At(off, n int64) (layer.Extent, error) {
	return layer.Extent{Off: off, Len: n, Kind: layer.Data, Base: i.disk, BaseOff: off}, nil
}
