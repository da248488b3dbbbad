//go:build linux || darwin || freebsd

package mount

import (
	"fmt"
	"strings"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/imagefmt/layer"
	"snapmount/mount/tree"
	"snapmount/ntfs"
)

// handle is an open file or directory; one of its fields is set.
type handle struct {
	data layer.Source
	list *listing
}

// handleTable numbers what is open.
type handleTable struct {
	mu   sync.RWMutex
	open map[uint64]*handle
	last uint64
}

func (t *handleTable) add(h *handle) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[uint64]*handle{}
	}
	t.last++
	t.open[t.last] = h
	return t.last
}

func (t *handleTable) get(fh uint64) *handle {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.open[fh]
}

func (t *handleTable) drop(fh uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, fh)
}

// source opens the content of a node.
func (n node) source() (layer.Source, error) {
	if n.file != nil {
		if n.part == partSnapshots || n.part == partSelf && n.file.Kind == ntfs.KindDir {
			return nil, syscall.EISDIR
		}
		m, err := n.file.Stream(n.stream)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	switch n.item.Kind {
	case tree.ItemText:
		return strings.NewReader(n.item.Text), nil
	case tree.ItemBlock:
		return n.point.Image()
	}
	return nil, syscall.EISDIR
}

// Open opens a file for reading; its pages stay in the kernel's cache over all opens.
func (f *fileSystem) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if in.Flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return fuse.EROFS
	}
	n, err := f.node(in.NodeId)
	if err != nil {
		return status(err)
	}
	src, err := n.source()
	if err != nil {
		return status(err)
	}
	out.Fh = f.handles.add(&handle{data: src})
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

// Read gives bytes: by splice from the image when they lie there in few pieces, else through buf. A read that meets
// damage fails as a whole: the kernel then asks again page by page, so the healthy pages around it stay readable.
func (f *fileSystem) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	h := f.handles.get(in.Fh)
	if h == nil || h.data == nil {
		return nil, fuse.EBADF
	}
	buf = buf[:min(uint32(len(buf)), in.Size)]
	if r, ok := spliced(h.data, int64(in.Offset), int64(len(buf))); ok {
		return r, fuse.OK
	}
	n, err := readAll(h.data, buf, int64(in.Offset))
	if err != nil {
		f.failed(in.NodeId, int64(in.Offset), err)
		return nil, status(err)
	}
	return fuse.ReadResultVector([][]byte{buf[:n]}), fuse.OK // other kinds go through a pipe
}

// failed tells why bytes cannot be read, which the kernel passes on as a number only.
func (f *fileSystem) failed(id uint64, off int64, err error) {
	what := fmt.Sprintf("node 0x%x", id)
	if n, err := f.node(id); err == nil && n.file != nil {
		what = fmt.Sprintf("%s@%s: MFT record 0x%x", n.point.Volume.Name, n.point.Name, n.file.Ref.Record)
	} else if err == nil && n.item != nil {
		what = n.item.Name
	}
	f.opts.warn(fmt.Errorf("%s: read at 0x%x: %w", what, off, err))
}

// Release closes a file.
func (f *fileSystem) Release(_ <-chan struct{}, in *fuse.ReleaseIn) { f.handles.drop(in.Fh) }

// maxSeekSteps is how many pieces are looked at for a hole: a damaged file can have billions.
const maxSeekSteps = 1 << 16

// Lseek finds data and holes. A range that cannot be read counts as data, so that readers meet its error.
func (f *fileSystem) Lseek(_ <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	const seekData, seekHole = 3, 4 // SEEK_DATA and SEEK_HOLE of the FUSE protocol, Linux's numbers
	h := f.handles.get(in.Fh)
	if h == nil || h.data == nil || (in.Whence != seekData && in.Whence != seekHole) {
		return fuse.EINVAL
	}
	off, size := int64(in.Offset), h.data.Size()
	if off < 0 || off >= size {
		return fuse.Status(syscall.ENXIO)
	}
	steps := 0
	for e, err := range layer.Resolve(h.data, off, size-off) {
		if steps++; steps > maxSeekSteps && in.Whence == seekHole {
			break // that no hole was found is always a right answer
		}
		if isHole := err == nil && e.Kind == layer.Zero; isHole == (in.Whence == seekHole) {
			out.Offset = uint64(e.Off)
			return fuse.OK
		}
	}
	if in.Whence == seekData {
		return fuse.Status(syscall.ENXIO)
	}
	out.Offset = uint64(size)
	return fuse.OK
}
