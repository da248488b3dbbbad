package content

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// Sizes of the records of a zip file without their names (APPNOTE 4.3).
const (
	zipLocalSize   = 30
	zipEntrySize   = 46
	zipEndSize     = 22
	zip64EndSize   = 56
	zip64FinderLen = 20
)

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

// zipDir is where a central directory lies.
type zipDir struct{ off, size, end int64 }

// zipEntry is one entry of a central directory.
type zipEntry struct {
	flags, method    uint16
	crc              uint32
	packed, size, at int64 // at is the local header
}

// checkZip checks a zip file: the directory, the header of each member, and the CRC of each that is not encrypted.
func checkZip(f *file) finding {
	dir, ok := f.zipEnd()
	if !ok {
		return f.zipLocals()
	}
	// Whatever stands before the archive, as a program that unpacks itself, moves all offsets.
	shift := dir.end - dir.size - dir.off
	if shift < 0 || dir.size < 0 {
		return cut("the directory of the archive is beyond the end")
	}
	s := f.from(dir.off + shift)
	z := unzipper{f: f, shift: shift, buf: bufio.NewReaderSize(nil, streamSize)}
	for s.off < dir.end {
		e, ok := readZipEntry(s)
		if !ok {
			return torn(s.off, "the directory of the archive is wrong")
		}
		if bad := z.member(e); bad.state != Whole {
			return bad
		}
	}
	if z.skipped > 0 {
		return sound(false, "the directory and the members that are not encrypted are right")
	}
	return sound(z.covered+dir.size >= f.size/10*8, "all members have the right CRC")
}

// zipEnd finds the end record of the directory, in the last 64 KiB.
func (f *file) zipEnd() (zipDir, bool) {
	tailOff := max(f.size-(zipEndSize+0xffff), 0)
	tail := f.upTo(tailOff, f.size-tailOff)
	for i := len(tail) - zipEndSize; i >= 0; i-- {
		i = bytes.LastIndex(tail[:min(i+4, len(tail))], []byte("PK\x05\x06"))
		if i < 0 || len(tail)-i < zipEndSize {
			break
		}
		if int(le.Uint16(tail[i+20:])) > len(tail)-i-zipEndSize {
			continue
		}
		at := tailOff + int64(i)
		d := zipDir{off: int64(le.Uint32(tail[i+16:])), size: int64(le.Uint32(tail[i+12:])), end: at}
		if d.off == 0xffffffff || d.size == 0xffffffff || le.Uint16(tail[i+10:]) == 0xffff {
			return f.zip64End(d)
		}
		return d, true
	}
	return zipDir{}, false
}

// zip64End returns the directory by the end record of 64 bits, which lies right before its finder; d when there is none.
func (f *file) zip64End(d zipDir) (zipDir, bool) {
	b := f.bytes(d.end-zip64FinderLen-zip64EndSize, zip64EndSize+zip64FinderLen)
	if b == nil || !bytes.HasPrefix(b, []byte("PK\x06\x06")) || !bytes.HasPrefix(b[zip64EndSize:], []byte("PK\x06\x07")) {
		return d, true
	}
	off, size := le.Uint64(b[48:]), le.Uint64(b[40:])
	if off > uint64(f.size) || size > uint64(f.size) {
		return d, false
	}
	return zipDir{off: int64(off), size: int64(size), end: d.end - zip64FinderLen - zip64EndSize}, true
}

// readZipEntry reads the next entry of a directory, with its sizes of 64 bits (APPNOTE 4.5.3).
func readZipEntry(s *stream) (e zipEntry, ok bool) {
	b := s.take(zipEntrySize)
	if b == nil || !bytes.HasPrefix(b, []byte("PK\x01\x02")) {
		return e, false
	}
	e = zipEntry{
		flags: le.Uint16(b[8:]), method: le.Uint16(b[10:]), crc: le.Uint32(b[16:]),
		packed: int64(le.Uint32(b[20:])), size: int64(le.Uint32(b[24:])), at: int64(le.Uint32(b[42:])),
	}
	name, extra, comment := int64(le.Uint16(b[28:])), int(le.Uint16(b[30:])), int64(le.Uint16(b[32:]))
	if !s.skip(name) {
		return e, false
	}
	x := s.take(extra)
	if x == nil && extra > 0 {
		return e, false
	}
	for len(x) >= 4 {
		id, n := le.Uint16(x), int(le.Uint16(x[2:]))
		if x = x[4:]; n > len(x) {
			break
		}
		if id == 1 {
			e.wide(x[:n])
		}
		x = x[n:]
	}
	return e, s.skip(comment)
}

// wide takes the sizes that do not fit into 32 bits, in the order of the format.
func (e *zipEntry) wide(x []byte) {
	for _, field := range []*int64{&e.size, &e.packed, &e.at} {
		if *field == 0xffffffff && len(x) >= 8 {
			*field = int64(le.Uint64(x) & (1<<62 - 1))
			x = x[8:]
		}
	}
}

// unzipper checks members, with one set of buffers.
type unzipper struct {
	f       *file
	shift   int64
	buf     *bufio.Reader
	flate   io.ReadCloser
	covered int64 // bytes of the file whose content was proved
	skipped int   // members that cannot be checked
}

// member checks the header and the content of a member.
func (z *unzipper) member(e zipEntry) finding {
	at := e.at + z.shift
	b := z.f.bytes(at, zipLocalSize)
	if b == nil {
		return cut("a member is beyond the end")
	}
	if !bytes.HasPrefix(b, []byte(zipSig)) {
		return torn(at, "the header of a member is wrong")
	}
	data := at + zipLocalSize + int64(le.Uint16(b[26:])) + int64(le.Uint16(b[28:]))
	if e.packed < 0 || e.packed > z.f.size-data {
		return cut("a member is beyond the end")
	}
	z.buf.Reset(z.f.section(data, e.packed))
	r := z.open(e)
	if r == nil {
		z.skipped++
		return sound(false, "")
	}
	sum := crc32.NewIEEE()
	n, err := z.f.drain(sum, r)
	switch {
	case err != nil && err != errTooMuch:
		// The directory knows where the member ends: one that unpacks to less is not cut, but other bytes.
		return torn(data, "a member does not unpack")
	case err != nil:
		return unpacked(data, "a member", err)
	case n != e.size || sum.Sum32() != e.crc:
		return torn(data, "the CRC of a member is wrong")
	}
	z.covered += e.packed + zipLocalSize
	return sound(true, "")
}

// open unpacks what was given to buf; nil when that cannot be done here.
func (z *unzipper) open(e zipEntry) io.Reader {
	switch {
	case e.flags&1 != 0:
		return nil
	case e.method == 0:
		return z.buf
	case e.method == 8 && z.flate == nil:
		z.flate = flate.NewReader(z.buf)
		return z.flate
	case e.method == 8:
		_ = z.flate.(flate.Resetter).Reset(z.buf, nil) // fails never: there is no dictionary
		return z.flate
	case e.method == 12:
		return bzip2.NewReader(z.buf)
	}
	return nil
}

// zipLocals walks a zip file without a directory from its begin: where it is cut it is incomplete, else torn.
func (f *file) zipLocals() finding {
	s := f.from(0)
	z := flate.NewReader(s)
	for s.left() > 0 {
		at := s.off
		b := s.take(zipLocalSize)
		switch {
		case b == nil:
			return cut("the archive ends before its directory")
		case bytes.HasPrefix(b, []byte("PK\x01\x02")) || bytes.HasPrefix(b, []byte("PK\x06\x06")):
			return cut("the archive ends within its directory")
		case !bytes.HasPrefix(b, []byte(zipSig)):
			return torn(at, "neither a member nor the directory is")
		}
		flags, method, packed := le.Uint16(b[6:]), le.Uint16(b[8:]), int64(le.Uint32(b[18:]))
		if !s.skip(int64(le.Uint16(b[26:])) + int64(le.Uint16(b[28:]))) {
			return cut("the archive ends before its directory")
		}
		switch {
		case flags&8 == 0 || packed > 0:
		case method != 8 || flags&1 != 0:
			return cut("the archive has no directory, and its members tell no size")
		default:
			if bad := f.zipUnsized(s, z); bad.state != Whole {
				return bad
			}
			continue
		}
		if !s.skip(packed) {
			return cut("the archive ends before its directory")
		}
	}
	return cut("the archive ends before its directory")
}

// zipUnsized passes a member whose size stands behind it, by the decoder z.
func (f *file) zipUnsized(s *stream, z io.ReadCloser) finding {
	at := s.off
	_ = z.(flate.Resetter).Reset(s, nil) // fails never: there is no dictionary
	if _, err := f.drain(io.Discard, z); err != nil {
		return unpacked(at, "a member", err)
	}
	n := 12
	if b := s.peek(4); bytes.Equal(b, []byte("PK\x07\x08")) {
		n = 16
	}
	if b := s.peek(n + 8 + 4); b != nil && !bytes.HasPrefix(b[n:], []byte("PK")) && bytes.HasPrefix(b[n+8:], []byte("PK")) {
		n += 8 // sizes of 64 bits
	}
	if s.take(n) == nil {
		return cut("the archive ends before its directory")
	}
	return sound(true, "")
}
