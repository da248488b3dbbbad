package compressed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"

	"snapmount/imagefmt/inflate"
	"snapmount/imagefmt/layer"
)

// Bits of a member's flags (RFC 1952, 2.3.1).
const (
	flagHCRC     = 1 << 1
	flagExtra    = 1 << 2
	flagName     = 1 << 3
	flagComment  = 1 << 4
	flagReserved = 0xe0
)

// members unpacks the members of a gzip file (RFC 1952) one after the other.
type members struct {
	*inflate.Reader
	src    layer.Source
	in     *inflate.Input
	verify func(warning error) // when not nil, next checks headers and trailers

	inside bool
	at     int64 // of the member in the file
	size   int64 // of the member in the file, where a BGZF header tells it, else 0
	crc    uint32
	count  int64 // bytes unpacked of the member
	sure   bool  // the member failed, but for certain has count bytes

	packer   *flate.Writer // of windows
	unpacker inflate.Decoder
}

func newMembers(src layer.Source, chunk int) *members {
	r := inflate.NewReader(src, src.Size(), chunk)
	return &members{Reader: r, src: src, in: r.Input()}
}

// next implements stream.
func (m *members) next() (b []byte, end bool, err error) {
	if !m.inside {
		if err := m.begin(); err != nil {
			return nil, false, err
		}
	}
	b, err = m.Next()
	m.count += int64(len(b))
	if m.verify != nil {
		m.crc = crc32.Update(m.crc, crc32.IEEETable, b)
	}
	if err == io.EOF {
		m.inside = false
		return b, true, m.trailer()
	}
	return b, false, blame("member", m.at, err)
}

// begin reads the header of a member. Zeros between members are padding; io.EOF is the end.
func (m *members) begin() error {
	m.in.Align()
	first := m.in.Offset() == 0
	for {
		b, err := m.in.Bytes(1)
		if err == nil && len(b) == 0 {
			err = io.EOF
		}
		if err != nil {
			return err
		}
		if b[0] != 0 || first {
			break
		}
	}
	m.at, m.size = m.in.Offset()/8-1, 0
	err := m.in.SeekBit(m.at * 8)
	if err == nil {
		err = m.header()
	}
	m.inside, m.crc, m.count, m.sure = err == nil, 0, 0, false
	m.Start()
	return blame("member", m.at, err)
}

// header decodes the fixed part of a member's header and steps over the fields that follow.
func (m *members) header() error {
	h := headerReader{in: m.in}
	b := h.read(10)
	if h.err == nil && (b[0] != 0x1f || b[1] != 0x8b) {
		return fmt.Errorf("magic 0x%02x%02x, want 0x1f8b: %w", b[0], b[1], layer.ErrFormat)
	}
	if h.err == nil && (b[2] != 8 || b[3]&flagReserved != 0) {
		return fmt.Errorf("method %d with flags 0x%02x, want 8 and no reserved bits: %w", b[2], b[3], layer.ErrUnsupported)
	}
	flags := b[3]
	if flags&flagExtra != 0 {
		n := binary.LittleEndian.Uint16(h.read(2))
		m.size = bgzfSize(h.read(int(n)))
	}
	if flags&flagName != 0 {
		h.skipString()
	}
	if flags&flagComment != 0 {
		h.skipString()
	}
	if sum := uint16(h.crc); flags&flagHCRC != 0 {
		if found := binary.LittleEndian.Uint16(h.read(2)); m.verify != nil && h.err == nil && found != sum {
			m.verify(layer.Corrupt("member", m.at, "checksum of the header 0x%04x, want 0x%04x: only its name or date may be wrong", found, sum))
		}
	}
	return h.err
}

// bgzfSize finds the size of a member in the extra field "BC" that bgzip writes: as uint16, less one.
func bgzfSize(extra []byte) int64 {
	for len(extra) >= 4 {
		n := int(binary.LittleEndian.Uint16(extra[2:]))
		if n > len(extra)-4 {
			return 0
		}
		if string(extra[:2]) == "BC" && n == 2 {
			return int64(binary.LittleEndian.Uint16(extra[4:])) + 1
		}
		extra = extra[4+n:]
	}
	return 0
}

// headerReader reads a header; after an error all is zero.
type headerReader struct {
	in  *inflate.Input
	crc uint32
	err error
}

// read returns n bytes, 65535 at most.
func (h *headerReader) read(n int) []byte {
	p := make([]byte, n)
	for have := 0; have < n && h.err == nil; {
		b, err := h.in.Bytes(n - have)
		if err == nil && len(b) == 0 {
			err = io.ErrUnexpectedEOF
		}
		have += copy(p[have:], b)
		h.err = err
	}
	h.crc = crc32.Update(h.crc, crc32.IEEETable, p)
	return p
}

// skipString steps behind the next byte that is 0.
func (h *headerReader) skipString() {
	for h.err == nil && h.read(1)[0] != 0 {
	}
}

// trailer checks a member's checksum and length. A right checksum vouches for the bytes, whatever the length.
func (m *members) trailer() error {
	m.in.Align()
	h := headerReader{in: m.in}
	b := h.read(8)
	crc, n := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	switch {
	case h.err != nil:
		return blame("member", m.at, h.err)
	case m.verify != nil && crc != m.crc:
		m.sure = n == uint32(m.count)
		return &failure{layer.Corrupt("member", m.at, "checksum 0x%08x of its 0x%x bytes, want 0x%08x", m.crc, m.count, crc), m.count}
	case m.verify != nil && n != uint32(m.count):
		m.verify(layer.Corrupt("member", m.at, "length 0x%08x in its trailer, of 0x%x bytes with the right checksum", n, m.count))
	}
	return nil
}

// resume implements stream. The members of BGZF say where the next one begins, and are of 64 KiB at most; others do not
// and must have been unpacked to the end.
func (m *members) resume() (int64, bool) {
	if m.sure || m.size < 8 {
		return m.count, m.sure
	}
	m.inside = false
	var b [4]byte
	next := m.at + m.size
	if layer.ReadFull(m.src, b[:], next-4) != nil || m.in.SeekBit(next*8) != nil {
		return 0, false
	}
	n := int64(binary.LittleEndian.Uint32(b[:]))
	magic, err := m.in.Take(16)
	return n, n <= 64<<10 && err == nil && magic == 0x8b1f && m.in.SeekBit(next*8) == nil
}

// mark implements stream.
func (m *members) mark() (checkpoint, bool) {
	return checkpoint{at: m.Position(), unit: !m.inside}, true
}

// keep implements stream: the window is packed, and left out where it is all zeros.
func (m *members) keep(c *checkpoint) error {
	b := m.Window()
	if c.unit {
		return nil
	}
	c.history = len(b)
	if isZero(b) {
		return nil
	}
	var buf bytes.Buffer
	if m.packer == nil {
		w, err := flate.NewWriter(nil, flate.BestSpeed)
		if err != nil {
			return err
		}
		m.packer = w
	}
	m.packer.Reset(&buf)
	_, err := m.packer.Write(b)
	err = errors.Join(err, m.packer.Close())
	c.window = bytes.Clone(buf.Bytes())
	return err
}

// seek implements stream.
func (m *members) seek(c checkpoint) error {
	if m.inside = !c.unit; c.unit {
		return m.in.SeekBit(c.at.Offset)
	}
	window := make([]byte, c.history)
	if c.window != nil {
		if _, _, err := m.unpacker.Raw(window, c.window); err != nil {
			return fmt.Errorf("window: %w", err)
		}
	}
	return m.Resume(c.at, window)
}
