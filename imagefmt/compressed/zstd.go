package compressed

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"

	"snapmount/imagefmt/layer"
)

const (
	frameMagic     = 0xfd2fb528
	skippableMagic = 0x184d2a50 // with any low four bits
	maxWindow      = 128 << 20  // what zstd(1) itself allows without being told
	maxBlock       = 128 << 10  // unpacked
	frameHeaderLen = 18         // at most
)

// frames unpacks the frames of a zstd file (RFC 8878) one after the other, and steps over the skippable ones.
type frames struct {
	src    layer.Source
	in     *bufio.Reader
	frame  frame
	inside bool
	count  int64  // bytes unpacked of the frame
	window uint64 // of the frames seen, the largest
	dec    *zstd.Decoder
	sure   bool // what failed is not the frame's length
	whole  bool // give no byte of a frame before all of it is known to be right
	buf    []byte
}

// frame gives a decoder the bytes of one frame, whose end it finds by the headers of its blocks.
type frame struct {
	in       *bufio.Reader
	start    int64  // of the frame in the file
	at       int64  // of the next byte in the file
	left     uint32 // bytes up to the next header of a block
	last     bool   // there is none
	checksum bool
	blocks   int64  // seen
	size     uint64 // unpacked, math.MaxUint64 when the frame does not tell
	window   uint64
	err      error // of reading, or the frame's end
}

// newFrames allows windows of so many bytes. Whole, when not 0, is the length of the longest frame, and has frames unpacked
// as a whole.
func newFrames(src layer.Source, window uint64, whole int64) (*frames, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return nil, err
	}
	chunk := int64(chunkLen)
	if whole > 0 {
		chunk = whole + 1
	}
	f := &frames{src: src, dec: dec, whole: whole > 0, buf: make([]byte, chunk, chunk+maxBlock), in: bufio.NewReaderSize(nil, inputLen)}
	return f, f.seek(unitAt(0))
}

// windowLimit is how large a window a file may ask for: a byte of it stands for 32 KiB at most.
func windowLimit(size int64) uint64 {
	return uint64(min(maxWindow, max(8<<20, min(size, 1<<40)<<15)))
}

// seek implements stream. A checkpoint is the beginning of a frame.
func (f *frames) seek(c checkpoint) error {
	at := c.at.Offset / 8
	f.in.Reset(io.NewSectionReader(f.src, at, f.src.Size()-at))
	f.frame = frame{in: f.in, start: at, at: at}
	f.inside = false
	return nil
}

// mark implements stream.
func (f *frames) mark() (checkpoint, bool) {
	return unitAt(f.frame.at), !f.inside
}

// keep implements stream.
func (f *frames) keep(*checkpoint) error { return nil }

// next implements stream.
func (f *frames) next() (b []byte, end bool, err error) {
	if !f.inside {
		if err := f.begin(); err != nil {
			return nil, false, blame("frame", f.frame.start, err)
		}
	}
	n, err := io.ReadFull(f.dec, f.buf)
	if errors.Is(err, zstd.ErrCRCMismatch) { // the decoder still has the last block
		k, _ := io.ReadFull(f.dec, f.buf[n:cap(f.buf)])
		n += k
	}
	f.count += int64(n)
	if end = f.frame.err == io.EOF && (err == io.EOF || err == io.ErrUnexpectedEOF); end {
		f.inside, err = false, nil
	} else if err != nil {
		err = f.failed(err)
	}
	if f.whole && err != nil {
		n = 0
	}
	return f.buf[:n], end, err
}

// failed makes a failure of the decoder's error.
func (f *frames) failed(err error) error {
	f.sure = false
	switch {
	case errors.Is(err, zstd.ErrCRCMismatch):
		f.sure = true
		return &failure{layer.Corrupt("frame", f.frame.start, "checksum of its 0x%x bytes: %w", f.count, err), f.count}
	case f.frame.err != nil && f.frame.err != io.EOF:
		err = f.frame.err
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrUnknownDictionary):
		err = fmt.Errorf("%w: %w", err, layer.ErrUnsupported)
	default:
		f.sure = !errors.Is(err, zstd.ErrFrameSizeExceeded) && !errors.Is(err, zstd.ErrFrameSizeMismatch)
		err = badData(err.Error())
	}
	return blame("frame", f.frame.start, err)
}

// begin finds the next frame that is not skippable.
func (f *frames) begin() error {
	for {
		at := f.frame.at
		f.frame = frame{in: f.in, start: at, at: at}
		head, err := f.in.Peek(8)
		if len(head) == 0 && err == io.EOF {
			return io.EOF
		}
		if len(head) == 8 && binary.LittleEndian.Uint32(head)&^15 == skippableMagic {
			n := 8 + int64(binary.LittleEndian.Uint32(head[4:]))
			if n > f.src.Size()-at {
				return io.ErrUnexpectedEOF
			}
			if n > inputLen {
				err = f.seek(unitAt(at + n))
			} else {
				f.frame.at += n
				_, err = f.in.Discard(int(n))
			}
			if err != nil {
				return err
			}
			continue
		}
		if err := f.frame.header(); err != nil {
			return err
		}
		f.inside, f.count, f.window = true, 0, max(f.window, f.frame.window)
		return f.dec.Reset(&f.frame)
	}
}

// resume implements stream: the frame's end is told by its blocks, its unpacked length by its header. That must fit the
// number of full blocks, the last of which may be short, and must not be what is wrong.
func (f *frames) resume() (int64, bool) {
	if _, err := io.Copy(io.Discard, &f.frame); err != nil || !f.inside || !f.sure {
		return 0, false
	}
	full := uint64(f.frame.blocks * maxBlock)
	if f.frame.size > full || f.frame.size+maxBlock <= full {
		return 0, false
	}
	f.inside = false
	head, err := f.in.Peek(4)
	if err != nil {
		return int64(f.frame.size), err == io.EOF && len(head) == 0
	}
	magic := binary.LittleEndian.Uint32(head)
	return int64(f.frame.size), magic == frameMagic || magic&^15 == skippableMagic
}

// header looks at what is before the first block (RFC 8878, 3.1.1.1).
func (f *frame) header() error {
	b, err := f.in.Peek(frameHeaderLen)
	if err != nil && err != io.EOF {
		return err
	}
	return f.decode(b)
}

// decode decodes the header at the start of b, which holds frameHeaderLen bytes or all that there are.
func (f *frame) decode(b []byte) error {
	if len(b) < 6 {
		return io.ErrUnexpectedEOF
	}
	if magic := binary.LittleEndian.Uint32(b); magic != frameMagic {
		return fmt.Errorf("magic 0x%08x, want 0x%08x: %w", magic, uint32(frameMagic), layer.ErrFormat)
	}
	flags, n := b[4], 5
	single := flags&(1<<5) != 0
	if !single {
		f.window = uint64(8+b[5]&7) << (7 + b[5]>>3)
		n++
	}
	n += []int{0, 1, 2, 4}[flags&3] // the id of a dictionary
	sizeLen := []int{0, 2, 4, 8}[flags>>6]
	if single && sizeLen == 0 {
		sizeLen = 1
	}
	if len(b) < n+sizeLen {
		return io.ErrUnexpectedEOF
	}
	f.size = math.MaxUint64
	if sizeLen > 0 {
		var wide [8]byte
		copy(wide[:], b[n:n+sizeLen])
		f.size = binary.LittleEndian.Uint64(wide[:])
		if sizeLen == 2 {
			f.size += 256
		}
	}
	if single {
		f.window = f.size
	}
	f.checksum = flags&(1<<2) != 0
	f.left = uint32(n + sizeLen)
	return nil
}

// Read implements io.Reader.
func (f *frame) Read(p []byte) (int, error) {
	for f.left == 0 && f.err == nil {
		f.err = f.block()
	}
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.in.Read(p[:min(int64(len(p)), int64(f.left))])
	f.at += int64(n)
	f.left -= uint32(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	f.err = err
	return n, err
}

// block looks at the header of a block; io.EOF after the last one.
func (f *frame) block() error {
	if f.last {
		return io.EOF
	}
	b, err := f.in.Peek(3)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	v := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	switch kind := v >> 1 & 3; kind {
	case 1: // one byte, repeated
		f.left = 4
	case 3:
		return badData("block of type 3")
	default:
		f.left = 3 + v>>3
	}
	f.blocks++
	if f.last = v&1 != 0; f.last && f.checksum {
		f.left += 4
	}
	return nil
}
