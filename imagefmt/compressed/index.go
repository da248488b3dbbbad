package compressed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sort"

	"snapmount/imagefmt/inflate"
	"snapmount/imagefmt/layer"
)

const (
	indexBytes  = 48 << 20  // of checkpoints with their windows
	zeroRuns    = 512 << 10 // kept at most, of 16 bytes
	minZeros    = 64 << 10  // bytes, of a run that is worth knowing, as long as these are not too many
	minSpacing  = 512 << 10 // cost between checkpoints, as long as these are not too many
	maxDamages  = 4096      // with more, all from there on is given up
	doubtLen    = 1 << 20   // unpacked before what cannot be unpacked, and not believed
	tailLen     = 512 << 10
	progressLen = 1 << 20
)

// stream unpacks a file of units (members, frames) that are independent of each other.
type stream interface {
	// next returns the bytes that follow, which stay until the next call, and whether a unit ends with them; io.EOF
	// after the last unit. What is wrong with a unit is a *failure, beside the bytes before it.
	next() (b []byte, end bool, err error)
	// resume goes on behind the unit that failed and returns its unpacked length, if both are known.
	resume() (length int64, ok bool)
	// mark returns a checkpoint for where next stands, if one is possible there, but for its out and what keep adds.
	mark() (checkpoint, bool)
	keep(*checkpoint) error
	seek(checkpoint) error
}

// badData is what shows that packed data is damaged.
type badData = inflate.Error

// failure is why a unit cannot be unpacked, or not be believed.
type failure struct {
	err   error
	doubt int64 // bytes before it that may be wrong
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// blame makes a failure of what was found in the unit at an offset; nil and io.EOF are none. What cannot be unpacked is
// seldom where the damage is: wrong bits are unpacked to wrong bytes until, in the same block or the next ones, they
// make no sense. What is cut off or cannot be read casts no doubt on what is before.
func blame(unit string, off int64, err error) error {
	var bad badData
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.As(err, &bad):
		return &failure{layer.Corrupt(unit, off, "%w", err), doubtLen}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &failure{layer.Corrupt(unit, off, "is cut off: %w", err), 0}
	}
	return &failure{fmt.Errorf("%s at 0x%x: %w", unit, off, err), 0}
}

// checkpoint is where a stream can be unpacked from.
type checkpoint struct {
	out     int64 // offset on the disk
	at      inflate.Position
	unit    bool   // a unit begins there, so that only the offset matters
	forced  bool   // it follows damage, across which nothing can be unpacked
	history int    // bytes before it that are needed
	window  []byte // these bytes, packed; nil for zeros
}

// unitAt is the checkpoint at the beginning of a unit, by its offset in the file in bytes.
func unitAt(off int64) checkpoint {
	return checkpoint{at: inflate.Position{Offset: off * 8}, unit: true}
}

const checkpointBytes = 72 // of memory, without the window

// span is a range of the disk.
type span struct{ off, end int64 }

// damage is a span that cannot be read.
type damage struct {
	span
	err error
}

// index is what one pass over a file finds.
type index struct {
	size    int64
	points  []checkpoint // by out; the first is at 0
	zeros   []span       // long runs of zeros, by offset
	damages []damage     // by offset
	tail    []byte       // the last bytes of the disk, where a copy of a partition table or a footer is read first
	largest int64        // bytes of the largest unit
}

// builder makes an index that takes little memory however large the disk is.
type builder struct {
	index
	warn    func(error)
	keep    int   // bytes, of the tail
	unit    int64 // where the unit begins, on the disk
	spacing int64
	bytes   int   // of points
	run     span  // of zeros, at the end of what was seen
	minimum int64 // of a run
}

func newBuilder(warn func(error)) *builder {
	return &builder{warn: warn, spacing: minSpacing, minimum: minZeros}
}

// pass unpacks a whole file, or as much as ctx leaves it. What cannot be unpacked it warns of.
func (x *builder) pass(ctx context.Context, s stream, progress func(at int64)) error {
	if err := x.point(s, false); err != nil {
		return err
	}
	for told := int64(0); ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b, end, err := s.next()
		x.add(b)
		if err == io.EOF {
			break
		}
		if err != nil {
			if more, err := x.fail(s, err); err != nil || !more {
				return err
			}
			continue
		}
		if end {
			x.endUnit()
		}
		if err := x.point(s, false); err != nil {
			return err
		}
		if c, _ := s.mark(); c.at.Offset/8-told >= progressLen {
			told = c.at.Offset / 8
			progress(told)
		}
	}
	x.flush()
	return nil
}

func (x *builder) endUnit() {
	x.largest = max(x.largest, x.size-x.unit)
	x.unit = x.size
}

// add takes the next bytes of the disk.
func (x *builder) add(b []byte) {
	if x.keep > 0 {
		x.tail = append(x.tail, b...)
		if over := len(x.tail) - x.keep; over > x.keep {
			x.tail = x.tail[:copy(x.tail, x.tail[over:])]
		}
	}
	for len(b) > 0 {
		n := min(len(b), 4096-int(x.size%4096))
		switch zero := isZero(b[:n]); {
		case !zero:
			x.flush()
		case x.run.end == x.size && x.run.end > x.run.off:
			x.run.end += int64(n)
		default:
			x.run = span{x.size, x.size + int64(n)}
		}
		x.size += int64(n)
		b = b[n:]
	}
}

// isZero reports whether all bytes are zero: the first is, and each is like the one after it.
func isZero(b []byte) bool {
	return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
}

// flush ends the run of zeros, and keeps it when it is long. When there are too many, only longer ones are kept.
func (x *builder) flush() {
	if x.run.end-x.run.off >= x.minimum {
		x.zeros = append(x.zeros, x.run)
	}
	x.run = span{}
	for len(x.zeros) > zeroRuns {
		x.minimum *= 2
		kept := x.zeros[:0]
		for _, r := range x.zeros {
			if r.end-r.off >= x.minimum {
				kept = append(kept, r)
			}
		}
		x.zeros = kept
	}
}

// cost is how long it takes, roughly, to unpack what is between two checkpoints.
func cost(from, to checkpoint) int64 { return (to.at.Offset-from.at.Offset)/8 + (to.out-from.out)/16 }

// point keeps a checkpoint where the stream stands, if it costs enough to come here from the one before. When all take
// too much memory, every second one goes.
func (x *builder) point(s stream, forced bool) error {
	c, ok := s.mark()
	c.out, c.forced = x.size, forced
	if !ok || !forced && len(x.points) > 0 && cost(x.points[len(x.points)-1], c) < x.spacing {
		return nil
	}
	if err := s.keep(&c); err != nil {
		return err
	}
	x.put(c)
	return nil
}

func (x *builder) put(c checkpoint) {
	x.points = append(x.points, c)
	x.bytes += checkpointBytes + len(c.window)
	for x.bytes > indexBytes {
		x.spacing = max(2*x.spacing, 2*cost(x.points[0], c)/int64(len(x.points)))
		x.bytes = 0
		kept := x.points[:0]
		for i, c := range x.points {
			if i%2 == 0 || c.forced {
				kept = append(kept, c)
				x.bytes += checkpointBytes + len(c.window)
			}
		}
		clear(x.points[len(kept):])
		x.points = kept
	}
}

// fail notes what cannot be read because of an error, and returns whether the disk goes on behind it.
func (x *builder) fail(s stream, err error) (more bool, _ error) {
	var f *failure
	if !errors.As(err, &f) {
		return false, err
	}
	bad := damage{span{max(x.unit, x.size-f.doubt), x.size}, f.err}
	if n, ok := s.resume(); ok && n >= bad.off-x.unit && len(x.damages) < maxDamages {
		bad.end = x.unit + n
		more = true
	}
	x.flush()
	x.drop(bad.span)
	if bad.end > bad.off {
		x.damages = append(x.damages, bad)
	}
	x.size, x.tail = bad.end, x.tail[:0]
	x.endUnit()
	if more {
		x.warn(fmt.Errorf("0x%x bytes at 0x%x of the disk cannot be read: %w", bad.end-bad.off, bad.off, f.err))
		return true, x.point(s, true)
	}
	if x.size > 0 {
		x.warn(fmt.Errorf("the disk ends at 0x%x, and what follows is lost: %w", bad.off, f.err))
		return false, nil
	}
	return false, f.err
}

// drop forgets what was noted of a damaged span, which may end before what was unpacked of it.
func (x *builder) drop(s span) {
	for i := len(x.points) - 1; x.points[i].out > s.end; i-- {
		x.bytes -= checkpointBytes + len(x.points[i].window)
		x.points = x.points[:i]
	}
	for i := len(x.zeros) - 1; i >= 0 && x.zeros[i].end > s.off; i-- {
		if x.zeros[i].end = s.off; x.zeros[i].off >= s.off {
			x.zeros = x.zeros[:i]
		}
	}
}

// before returns the last checkpoint that is not behind off.
func (x *index) before(off int64) checkpoint {
	i := sort.Search(len(x.points), func(i int) bool { return x.points[i].out > off })
	return x.points[i-1]
}

// healthy returns the range around off, which is not damaged, up to the next damage on both sides.
func (x *index) healthy(off int64) span {
	i := sort.Search(len(x.damages), func(i int) bool { return x.damages[i].end > off })
	s := span{0, x.size}
	if i > 0 {
		s.off = x.damages[i-1].end
	}
	if i < len(x.damages) {
		s.end = x.damages[i].off
	}
	return s
}
