package device

import (
	"fmt"
	"io"
	"sync"
	"unsafe"
)

// piece is the most that is read at once for a buffer that the device would not take.
const piece = 256 << 10

// aligned reads a device that takes whole sectors only, into buffers that begin at a multiple of them. What it is asked for
// may be any range.
type aligned struct {
	device io.ReaderAt
	size   int64 // of the device: a last sector that is cut short by it is read as far as it goes
	unit   int64 // bytes

	spare sync.Pool // of *[]byte, each of a piece at least that begins where the device takes it
}

// ReadAt implements io.ReaderAt.
func (a *aligned) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	for n < len(p) {
		if off+int64(n) >= a.size {
			return n, io.EOF
		}
		k, err := a.some(p[n:], off+int64(n))
		n += k
		if err == nil && k == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// some reads the start of p, all of it where that is no more than a piece.
func (a *aligned) some(p []byte, off int64) (int, error) {
	want := min(int64(len(p)), a.size-off)
	if whole := want - want%a.unit; whole > 0 && off%a.unit == 0 && beginsAt(p, a.unit) == 0 {
		n, err := a.device.ReadAt(p[:whole], off)
		if int64(n) == whole {
			err = nil
		}
		return n, err
	}
	start := off - off%a.unit
	end := min((off+want+a.unit-1)/a.unit*a.unit, a.size, start+max(piece-piece%a.unit, a.unit))
	want = min(want, end-off)
	buf := a.buffer()
	defer a.spare.Put(buf)
	n, err := a.device.ReadAt((*buf)[:end-start], start)
	if n = max(n-int(off-start), 0); int64(n) >= want {
		err = nil
	}
	return copy(p[:min(int64(n), want)], (*buf)[off-start:]), err
}

func (a *aligned) buffer() *[]byte {
	if b, ok := a.spare.Get().(*[]byte); ok {
		return b
	}
	size := max(piece, a.unit)
	b := make([]byte, size+a.unit)
	b = b[(a.unit-beginsAt(b, a.unit))%a.unit:][:size]
	return &b
}

// beginsAt is how far behind a multiple of unit a buffer begins in memory, where the collector leaves it.
func beginsAt(p []byte, unit int64) int64 {
	return int64(uintptr(unsafe.Pointer(unsafe.SliceData(p))) % uintptr(unit))
}
