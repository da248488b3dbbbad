package diskfile

import (
	"context"
	"fmt"
	"io"

	"snapmount/imagefmt/layer"
)

// Format is how a disk is written.
type Format uint8

// The formats.
const (
	Raw   Format = iota // holes are left out, where the file system lets them be
	QCow2               // version 3, clusters of 16 KiB
	VHD                 // fixed: raw, with a footer
)

// File is written in any order, from offset 0 on. It is empty before.
type File interface {
	io.WriterAt
	Truncate(size int64) error
}

// Backing is an image that a qcow2 stands on: what is the same there is not written.
type Backing struct {
	Disk   layer.Mapper // what it shows
	Name   string       // of the file, as the qcow2 names it: from its own directory, or absolute
	Format string       // as qemu calls it
}

// Options of Write.
type Options struct {
	Format   Format
	Backing  *Backing // of QCow2; nil writes all of the disk
	ID       [16]byte // of VHD
	Partial  bool     // write zeros for what is not known, instead of an error
	Progress layer.Progress
}

// Result tells what was written.
type Result struct {
	Bytes   int64   // of the disk's content
	LeftOut int64   // of the disk, what Windows left out of a snapshot on purpose: it is as it is on the volume now
	Unknown []Range // with Options.Partial, what is written as zeros, in order
}

// Range is a part of the disk, in bytes.
type Range struct {
	Off, Len int64
	Err      error // why it is not known
}

// Write writes a disk. Reading stops with an error at what is not known or damaged, without Options.Partial. What ends ctx is
// the error then. The disk's size is rounded up to 512 bytes, as these formats count in sectors.
func Write(ctx context.Context, f File, disk layer.Mapper, o Options) (Result, error) {
	size := (disk.Size() + 511) &^ 511
	w := &writer{reader: reader{ctx: ctx, disk: disk, partial: o.Partial}, f: f, size: size, progress: o.Progress}
	var err error
	switch o.Format {
	case QCow2:
		err = w.qcow2(o.Backing)
	case Raw, VHD:
		if o.Backing != nil {
			return Result{}, fmt.Errorf("a file that stands on another is a qcow2: %w", layer.ErrUnsupported)
		}
		if err = w.flat(); err == nil && o.Format == VHD {
			err = w.vhdFooter(o.ID)
		}
	default:
		err = fmt.Errorf("format %d: %w", o.Format, layer.ErrUnsupported)
	}
	return w.result, err
}

// A writer writes one file.
type writer struct {
	reader
	f        File
	size     int64
	progress layer.Progress
	total    int64 // bytes of content that are to be written
}

// flat writes the content where it is on the disk.
func (w *writer) flat() error {
	list, err := w.clusters(nil)
	if err != nil {
		return err
	}
	if err := w.f.Truncate(w.size); err != nil {
		return err
	}
	for _, r := range list {
		r.n = min(r.n, w.size-r.off)
		if err := w.copy(r, r.off); err != nil {
			return err
		}
	}
	return nil
}

// copy writes the content of a range at an offset of the file.
func (w *writer) copy(r clusters, at int64) error {
	for done := int64(0); done < r.n; {
		b, err := w.read(r.off+done, min(r.n-done, piece))
		if err != nil {
			return err
		}
		if _, err := w.f.WriteAt(b, at+done); err != nil {
			return err
		}
		done += int64(len(b))
		w.result.Bytes += int64(len(b))
		w.progress.Tell("writing, MiB", layer.MiB(w.result.Bytes), layer.MiB(w.total))
	}
	return nil
}
