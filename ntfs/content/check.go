package content

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// A finding is what the structure check of a kind tells.
type finding struct {
	state State // Undecided when the check cannot tell, as of encrypted members
	full  bool  // nearly every byte was proved
	off   int64 // where it is wrong, for Torn
	why   string
}

func sound(full bool, why string) finding { return finding{state: Whole, full: full, why: why} }

func cut(format string, args ...any) finding {
	return finding{state: Incomplete, why: fmt.Sprintf(format, args...)}
}

func torn(off int64, format string, args ...any) finding {
	return finding{state: Torn, off: off, why: fmt.Sprintf(format, args...) + fmt.Sprintf(" at 0x%x", off)}
}

func unsure(format string, args ...any) finding { return finding{why: fmt.Sprintf(format, args...)} }

// silent is of a check that does not apply.
var silent = finding{}

// A stream reads a file in sequence and knows where it is.
type stream struct {
	src *io.SectionReader
	r   *bufio.Reader
	off int64 // of the next byte
	end int64 // of the file
}

// streamSize is the most that take and peek give.
const streamSize = 64 << 10

// from returns a stream that begins at off.
func (f *file) from(off int64) *stream {
	src := f.section(off, f.size-off)
	return &stream{src: src, r: bufio.NewReaderSize(src, streamSize), off: off, end: f.size}
}

// peek returns the next n bytes, streamSize at most; nil when the file ends before.
func (s *stream) peek(n int) []byte {
	b, err := s.r.Peek(n)
	if err != nil {
		return nil
	}
	return b
}

// take is peek, and goes on. The bytes are good until the next call.
func (s *stream) take(n int) []byte {
	b := s.peek(n)
	if b != nil {
		k, _ := s.r.Discard(n)
		s.off += int64(k)
	}
	return b
}

// skip goes on by n bytes, without reading them; false when the file ends before.
func (s *stream) skip(n int64) bool {
	if n < 0 || n > s.end-s.off {
		return false
	}
	if have := int64(s.r.Buffered()); n > have {
		if _, err := s.src.Seek(n-have, io.SeekCurrent); err != nil {
			return false
		}
		s.r.Reset(s.src)
	} else if _, err := s.r.Discard(int(n)); err != nil {
		return false
	}
	s.off += n
	return true
}

// left is the number of bytes to the end.
func (s *stream) left() int64 { return s.end - s.off }

// Read reads on.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.off += int64(n)
	return n, err
}

// ReadByte makes decoders stop right behind what they decode.
func (s *stream) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		s.off++
	}
	return b, err
}

// errTooMuch says that a file unpacks to more than the check is ready to see.
var errTooMuch = errors.New("it unpacks to far more than its size")

// budget is how many bytes all that is packed in the file may become.
func (f *file) budget() int64 { return min(f.size, 1<<50)*256 + 16<<20 }

// drain reads r to its end and counts what comes against the budget of the file.
func (f *file) drain(w io.Writer, r io.Reader) (int64, error) {
	left := f.budget() - f.work
	n, err := io.Copy(w, io.LimitReader(r, left+1))
	f.work += n
	if err == nil && n > left {
		err = errTooMuch
	}
	return n, err
}

// unpacked is what the end of unpacking at off means; err is not nil.
func unpacked(off int64, what string, err error) finding {
	switch {
	case errors.Is(err, errTooMuch):
		return unsure("%v", err)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return cut("%s ends early", what)
	}
	return torn(off, "%s is wrong", what)
}
