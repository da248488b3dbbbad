//go:build linux || darwin || freebsd

package mount

import (
	"fmt"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/imagefmt/layer"
)

// Open lets the kernel open files by itself where it can, which saves two of three requests for a small file: nothing is
// to be remembered of an open file, and a mount that is read-only lets nobody write. Pages stay cached over all opens.
func (f *fileSystem) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if f.openless {
		return fuse.ENOSYS
	}
	if in.Flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return fuse.EROFS
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	_, err := f.tree.Content(in.NodeId)
	return status(err)
}

// Flush is of no use to a reader: the kernel asks only once.
func (f *fileSystem) Flush(_ <-chan struct{}, _ *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }

// Read gives bytes: by splice from the image when they lie there in few pieces, else through buf. A read that meets
// damage fails as a whole: the kernel then asks again page by page, so the healthy pages around it stay readable.
func (f *fileSystem) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	src, err := f.tree.Content(in.NodeId)
	if err != nil {
		return nil, f.told(in.NodeId, err)
	}
	off := int64(in.Offset)
	buf = buf[:layer.Clip(src.Size(), off, int64(min(uint32(len(buf)), in.Size)))]
	if r, ok := spliced(src, off, int64(len(buf))); ok {
		return r, fuse.OK
	}
	if err := layer.ReadFull(src, buf, off); err != nil {
		return nil, f.told(in.NodeId, fmt.Errorf("read at 0x%x: %w", off, err))
	}
	return fuse.ReadResultVector([][]byte{buf}), fuse.OK // other kinds go through a pipe
}

// maxSeekSteps is how many pieces are looked at for a hole: a damaged file can have billions.
const maxSeekSteps = 1 << 16

// Lseek finds data and holes. A range that cannot be read counts as data, so that readers meet its error.
func (f *fileSystem) Lseek(_ <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	const seekData, seekHole = 3, 4 // SEEK_DATA and SEEK_HOLE of the FUSE protocol, Linux's numbers
	if in.Whence != seekData && in.Whence != seekHole {
		return fuse.EINVAL
	}
	src, err := f.tree.Content(in.NodeId)
	if err != nil {
		return status(err)
	}
	off, size := int64(in.Offset), src.Size()
	if off < 0 || off >= size {
		return fuse.Status(syscall.ENXIO)
	}
	steps := 0
	for e, err := range layer.Resolve(src, off, size-off) {
		if steps++; steps > maxSeekSteps && in.Whence == seekHole {
			break // that no hole was found is always a right answer
		}
		at, found := e.Off, (err == nil && e.Kind == layer.Zero) == (in.Whence == seekHole)
		if err == nil && e.Kind == layer.Data {
			at, found = inFile(e, int(in.Whence), found)
		}
		if found {
			out.Offset = uint64(at)
			return fuse.OK
		}
	}
	if in.Whence == seekData {
		return fuse.Status(syscall.ENXIO)
	}
	out.Offset = uint64(size)
	return fuse.OK
}
