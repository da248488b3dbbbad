package ewf

import (
	"bytes"
	"compress/bzip2"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"io"
	"math"
	"strconv"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Kinds of sections in version 2; sector data and what is not named is passed over.
const (
	kindDevice   = 0x1
	kindCase     = 0x2
	kindSectors  = 0x3
	kindTable    = 0x4
	kindErrors   = 0x5
	kindSessions = 0x6
	kindMD5      = 0x8
	kindSHA1     = 0x9
	kindKeys     = 0xb
	kindNext     = 0xd
	kindDone     = 0xf
)

// Methods of compression in version 2.
const (
	methodNone  = 0
	methodZlib  = 1
	methodBzip2 = 2
)

const (
	descriptor2Len = 64
	dataHashed     = 1 << 0
	dataEncrypted  = 1 << 1
)

// descriptor2 ends every section of version 2.
type descriptor2 struct {
	kind     uint32
	flags    uint32
	previous uint64 // descriptor, bytes from the start of the segment file; 0 for none
	size     uint64 // of the data before it, with padding
	length   uint32 // of the descriptor
	padding  uint32
	hash     [16]byte
}

// decodeDescriptor2 reports false when the checksum or the length is wrong.
func decodeDescriptor2(b []byte) (descriptor2, bool) {
	le := binary.LittleEndian
	d := descriptor2{
		kind: le.Uint32(b[0:]), flags: le.Uint32(b[4:]), previous: le.Uint64(b[8:]), size: le.Uint64(b[16:]), length: le.Uint32(b[24:]),
		padding: le.Uint32(b[28:]), hash: [16]byte(b[32:48]),
	}
	return d, d.length == descriptor2Len && adler32.Checksum(b[:60]) == le.Uint32(b[60:])
}

// section2 is a section of version 2 and where its data is.
type section2 struct {
	section1
	descriptor descriptor2
}

// walk2 reads the sections of a segment of version 2, which are chained from the last to the first.
func (s *segment) walk2() (ending, error) {
	list, err := s.sections2()
	if err != nil {
		s.lost("segment %d: %w", s.number, err)
	}
	end := endCut
	for i := len(list) - 1; i >= 0; i-- { // in the order of the file
		sec := list[i]
		if sec.descriptor.kind == kindKeys || sec.descriptor.flags&dataEncrypted != 0 {
			return endCut, fmt.Errorf("encrypted: %w", layer.ErrUnsupported)
		}
		switch sec.descriptor.kind {
		case kindNext:
			end = endNext
		case kindDone:
			end = endDone
		default:
			s.section2(sec)
		}
	}
	return end, nil
}

// sections2 follows the chain of descriptors from the end of the file. In one that was cut it begins at the last that
// is whole.
func (s *segment) sections2() ([]section2, error) {
	at := s.src.Size() - descriptor2Len
	sec, err := s.readSection2(at)
	if err != nil {
		if sec, err = s.lastSection2(); err != nil {
			return nil, err
		}
	}
	for list := []section2{sec}; ; list = append(list, sec) {
		previous := sec.descriptor.previous
		if previous == 0 {
			return list, nil
		}
		if previous >= uint64(sec.at) {
			return list, layer.Corrupt("section descriptor", sec.at, "the previous one is at 0x%x", previous)
		}
		if sec, err = s.readSection2(int64(previous)); err != nil {
			return list, err
		}
	}
}

func (s *segment) readSection2(at int64) (section2, error) {
	if at < fileHeaderLen2 || layer.Clip(s.src.Size(), at, descriptor2Len) < descriptor2Len {
		return section2{}, layer.Corrupt("section descriptor", at, "not within the file of 0x%x bytes", s.src.Size())
	}
	b := make([]byte, descriptor2Len)
	if err := layer.ReadFull(s.src, b, at); err != nil {
		return section2{}, layer.Corrupt("section descriptor", at, "%w", err)
	}
	d, ok := decodeDescriptor2(b)
	if !ok || d.size > uint64(at-fileHeaderLen2) {
		return section2{}, layer.Corrupt("section descriptor", at, "kind 0x%x of 0x%x bytes with length %d or a wrong checksum", d.kind, d.size, d.length)
	}
	name := "section of kind 0x" + strconv.FormatUint(uint64(d.kind), 16)
	return section2{section1{kind: name, at: at, off: at - int64(d.size), n: int64(d.size)}, d}, nil
}

// lastSection2 looks for the last whole descriptor, at multiples of 16, within a part of the file that takes seconds.
func (s *segment) lastSection2() (section2, error) {
	const most = 1 << 31
	size := s.src.Size() &^ 15
	buf := make([]byte, scanLen+descriptor2Len)
	for end := size; end > max(fileHeaderLen2, size-most); end -= scanLen {
		start := max(0, end-scanLen)
		b := buf[:layer.Clip(size, start, end-start+descriptor2Len)]
		if err := layer.ReadFull(s.src, b, start); err != nil {
			return section2{}, err
		}
		for i := int64(len(b)) - descriptor2Len; i >= 0; i -= 16 {
			if binary.LittleEndian.Uint32(b[i+24:]) != descriptor2Len || [12]byte(b[i+48:]) != [12]byte{} {
				continue
			}
			if sec, err := s.readSection2(start + i); err == nil {
				return sec, nil
			}
		}
	}
	return section2{}, layer.Corrupt("section descriptor", size, "none is whole before the end of the file")
}

// section2 takes in what a section says.
func (s *segment) section2(sec section2) {
	le := binary.LittleEndian
	switch sec.descriptor.kind {
	case kindDevice, kindCase:
		if s.number == 1 || len(s.claims) == 0 {
			s.text2(sec)
			return
		}
	case kindSectors:
		return // its chunks have checksums
	case kindTable:
		s.table2(sec.section1)
	case kindMD5:
		if b := s.hashes(sec.section1, 20, 16); b != nil {
			setHashes(&s.stored, b[:16], nil)
		}
	case kindSHA1:
		if b := s.hashes(sec.section1, 24, 20); b != nil {
			setHashes(&s.stored, nil, b[:20])
		}
	case kindErrors:
		for b := s.list2(sec.section1, 16); len(b) > 0; b = b[16:] {
			s.info.ReadErrors = append(s.info.ReadErrors, format.Sectors{First: int64(le.Uint64(b) & math.MaxInt64), Count: int64(le.Uint32(b[8:]))})
		}
	case kindSessions:
		for b := s.list2(sec.section1, 32); len(b) > 0; b = b[32:] {
			s.info.Sessions = append(s.info.Sessions, format.Session{First: int64(le.Uint64(b) & math.MaxInt64), Audio: le.Uint32(b[8:])&1 != 0})
		}
	}
	if sec.descriptor.flags&dataHashed != 0 {
		s.later = append(s.later, s.checkHash(sec))
	}
}

// text2 reads a device information or case data section.
func (s *segment) text2(sec section2) {
	b := s.data(sec.section1, sec.n)
	if len(b) < 16 {
		return
	}
	var err error
	if sec.descriptor.flags&dataHashed != 0 && md5.Sum(b) != sec.descriptor.hash {
		err = layer.ErrCorrupt
	} else if b, err = unpackText(b[:sec.n-int64(min(sec.descriptor.padding, 15))], s.first.compression); err == nil {
		if s.header == nil {
			s.header = make(values)
		}
		for tag, text := range parseValues(decodeText(b)) {
			s.header[tag] = text
		}
		err = s.volume2()
	}
	if err != nil {
		s.warnf("%w", layer.Corrupt(sec.kind, sec.at, "%w", err))
	}
}

func unpackText(b []byte, method uint16) ([]byte, error) {
	switch method {
	case methodNone:
		return b, nil
	case methodZlib:
		return inflateText(b)
	case methodBzip2:
		return io.ReadAll(io.LimitReader(bzip2.NewReader(bytes.NewReader(b)), maxTextLen))
	}
	return nil, fmt.Errorf("packed by method %d: %w", method, layer.ErrUnsupported)
}

// volume2 takes the description of the disk from the device information and the case data, once both are there.
func (s *segment) volume2() error {
	h := s.header
	if h["sb"] == "" || h["bp"] == "" {
		return nil
	}
	var v volume
	for _, f := range []struct {
		tag  string
		bits int
		set  func(uint64)
	}{
		{"sb", 32, func(n uint64) { v.sectors = uint32(n) }},
		{"bp", 32, func(n uint64) { v.bytes = uint32(n) }},
		{"ts", 64, func(n uint64) { v.total = n }},
	} {
		n, err := strconv.ParseUint(h[f.tag], 10, f.bits)
		if err != nil && h[f.tag] != "" {
			return fmt.Errorf("%q of tag %s: %w", h[f.tag], f.tag, err)
		}
		f.set(n)
	}
	v.media = map[string]uint8{"r": 0, "f": 1, "c": 3, "l": 0x0e, "m": 0x10}[h["dt"]]
	if h["ph"] == "1" {
		v.flags = flagPhysical
	}
	return s.accept(v)
}

// list2 is list for the layout of version 2: the header is padded to 32 bytes.
func (s *segment) list2(sec section1, entryLen int64) []byte {
	if s.checked(sec, 20, 16) == nil {
		return nil
	}
	return s.list(sec, 32, 16, entryLen)
}

// table2 reads a sector table, which says itself which chunks it is of.
func (s *segment) table2(sec section1) {
	le := binary.LittleEndian
	b := s.checked(sec, 20, 16)
	if b == nil {
		s.parts = append(s.parts, part{lost: true})
		return
	}
	first, count := le.Uint64(b[0:]), int64(le.Uint32(b[8:]))
	if first > maxChunks || tableHeader2Len+16*count+4 > sec.n {
		s.lost("segment %d: %w", s.number, layer.Corrupt("sector table", sec.off, "%d chunks from %d in 0x%x bytes", count, first, sec.n))
		return
	}
	t := table{
		src: s.src, segment: s.number, version: 2, method: s.first.compression,
		first: int64(first), count: count, at: sec.off + tableHeader2Len,
	}
	if err := t.check2(); err != nil {
		s.lost("segment %d: %w", s.number, layer.Corrupt("sector table", sec.off, "chunks %d to %d: %w", first, t.first+count-1, err))
		return
	}
	s.parts = append(s.parts, part{table: t})
}

// check2 reads all entries for their checksum.
func (t *table) check2() error {
	sum := adler32.New()
	n := 16 * t.count
	if _, err := io.Copy(sum, io.NewSectionReader(t.src, t.at, n)); err != nil {
		return err
	}
	var b [4]byte
	if err := layer.ReadFull(t.src, b[:], t.at+n); err != nil {
		return err
	}
	if got, want := sum.Sum32(), binary.LittleEndian.Uint32(b[:]); got != want {
		return fmt.Errorf("adler-32 0x%08x, want 0x%08x", got, want)
	}
	return nil
}
