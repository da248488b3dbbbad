package inflate

import "io"

const (
	windowLen = 32 << 10 // how far back a stream may refer
	overrun   = 258 + 8  // what the last copy of a chunk may write past it
)

// Reader unpacks a stream that is somewhere in a file, a chunk at a time. It is not to be used concurrently.
type Reader struct{ d decoder }

// NewReader reads a file of size bytes, from its beginning, and unpacks so many bytes at a time.
func NewReader(src io.ReaderAt, size int64, chunk int) *Reader {
	return &Reader{decoder{
		in: Input{src: src, size: size, buf: make([]byte, inputLen)}, out: make([]byte, windowLen+chunk+overrun), w: windowLen, full: windowLen + chunk,
	}}
}

// Input is what is read, for what is around a stream.
func (r *Reader) Input() *Input { return &r.d.in }

// Start begins a stream at the input's place.
func (r *Reader) Start() { r.d.state, r.d.from = atHeader, r.d.w }

// Next returns the bytes that follow, which stay until the next call; io.EOF beside or after the last ones. The bytes beside
// another error are those before it.
func (r *Reader) Next() ([]byte, error) {
	d := &r.d
	if d.w >= d.full {
		shift := d.w - windowLen
		copy(d.out, d.out[shift:d.w])
		d.w, d.from = windowLen, max(0, d.from-shift)
	}
	begin := d.w
	err := d.run()
	return d.out[begin:d.w], err
}

// Position is where a Reader stands after Next. To go on there takes the Window as well.
type Position struct {
	Offset int64 // of the next bit in the file, in bits
	block  int64 // of the header of the block
	left   int32 // bytes, of a stored block
	state  state
	final  bool // the block is the last
}

// Position tells where the next byte comes from.
func (r *Reader) Position() Position {
	d := &r.d
	return Position{d.in.Offset(), d.block, int32(d.left), d.state, d.final}
}

// Window is the history as far as the next bytes may refer to it, 32 KiB at most, until the next call of Next.
func (r *Reader) Window() []byte { return r.d.out[max(r.d.from, r.d.w-windowLen):r.d.w] }

// Resume goes on at a position of the same file, with the Window that there was.
func (r *Reader) Resume(p Position, window []byte) error {
	d := &r.d
	d.from, d.w = windowLen-len(window), windowLen
	copy(d.out[d.from:], window)
	if p.state == inCodes { // the tables are those of the header
		if err := d.in.SeekBit(p.block); err != nil {
			return err
		}
		if err := d.header(); err != nil {
			return err
		}
	}
	d.block, d.left, d.state, d.final = p.block, int(p.left), p.state, p.final
	return d.in.SeekBit(p.Offset)
}
