package ewf

import (
	"bytes"
	"encoding/binary"
	"hash/adler32"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
)

const (
	descriptor1Len = 76
	maxTextLen     = 16 << 20 // packed or not
	scanLen        = 1 << 20
)

// descriptor1 begins every section of version 1.
type descriptor1 struct {
	kind string
	next uint64 // bytes from the start of the segment file
	size uint64 // of the section with its descriptor; 0 in some
}

// decodeDescriptor1 reports false when the checksum or the kind is wrong.
func decodeDescriptor1(b []byte) (descriptor1, bool) {
	le := binary.LittleEndian
	kind, _, _ := strings.Cut(string(b[:16]), "\x00")
	d := descriptor1{kind: kind, next: le.Uint64(b[16:]), size: le.Uint64(b[24:])}
	return d, kind != "" && adler32.Checksum(b[:72]) == le.Uint32(b[72:])
}

// section1 is a section of version 1 and where its data is.
type section1 struct {
	kind    string
	at      int64 // of the descriptor
	off, n  int64 // of the data
	follows int64 // where the next section begins
}

// readSection1 reads the descriptor at at, and says why it cannot be one.
func (s *segment) readSection1(at int64) (section1, error) {
	size := s.src.Size()
	if layer.Clip(size, at, descriptor1Len) < descriptor1Len {
		return section1{}, layer.Corrupt("section descriptor", at, "past the end of the file of 0x%x bytes", size)
	}
	b := make([]byte, descriptor1Len)
	if err := layer.ReadFull(s.src, b, at); err != nil {
		return section1{}, layer.Corrupt("section descriptor", at, "%w", err)
	}
	d, ok := decodeDescriptor1(b)
	if !ok {
		return section1{}, layer.Corrupt("section descriptor", at, "%q with a wrong checksum", d.kind)
	}
	sec := section1{kind: d.kind, at: at, off: at + descriptor1Len}
	if d.kind == "next" || d.kind == "done" {
		return sec, nil // they point to themselves or to the end
	}
	if d.next < uint64(sec.off) || d.next > 1<<62 {
		return section1{}, layer.Corrupt("section descriptor", at, "%q goes on at 0x%x", d.kind, d.next)
	}
	if d.size != 0 && d.size != d.next-uint64(at) {
		s.warnf("%w", layer.Corrupt("section descriptor", at, "%q of 0x%x bytes, but the next one is at 0x%x", d.kind, d.size, d.next))
	}
	sec.follows = int64(d.next)
	sec.n = layer.Clip(size, sec.off, sec.follows-sec.off)
	return sec, nil
}

// walk1 reads all sections of a segment of version 1. Where the chain is broken it goes on at the next section of a
// kind that matters.
func (s *segment) walk1() ending {
	s.low = fileHeaderLen1
	for at := s.low; ; {
		sec, err := s.readSection1(at)
		if err != nil {
			if at >= s.src.Size() {
				s.release(nil)
				return endCut
			}
			s.warnf("%w", err)
			if sec, err = s.resync(at); err != nil {
				s.release(nil)
				return endCut
			}
		}
		s.release(&sec)
		switch sec.kind {
		case "next":
			return endNext
		case "done":
			return endDone
		}
		s.section1(sec)
		at = sec.follows
	}
}

// resync looks for a whole descriptor behind a broken one. Tables between them are lost unless the broken one began the
// copy of the table before it; behind a table that is found, its first chunk tells.
func (s *segment) resync(broken int64) (section1, error) {
	buf := make([]byte, scanLen+descriptor1Len)
	for at := broken + 1; at < s.src.Size(); at += scanLen {
		b := buf[:layer.Clip(s.src.Size(), at, int64(len(buf)))]
		if err := layer.ReadFull(s.src, b, at); err != nil {
			return section1{}, err
		}
		for i := range candidates(b) {
			sec, err := s.readSection1(at + int64(i))
			if err != nil {
				continue
			}
			was := s.held.sec
			copied := s.held.is && broken == was.follows && sec.at-broken == was.follows-was.at
			s.release(nil)
			s.resynced = strings.HasPrefix(sec.kind, "table")
			if !copied && !s.resynced {
				s.lost("segment %d: tables between 0x%x and 0x%x may be lost", s.number, broken, sec.at)
			}
			return sec, nil
		}
	}
	return section1{}, layer.ErrCorrupt
}

// candidates yields where in b a section descriptor may begin.
func candidates(b []byte) func(func(int) bool) {
	kinds := []string{"table", "sectors", "volume", "disk", "data", "next", "done", "hash", "digest", "error2", "session", "header"}
	return func(yield func(int) bool) {
		var found []int
		for _, k := range kinds {
			for from := 0; ; from++ {
				i := bytes.Index(b[from:], []byte(k))
				if i < 0 {
					break
				}
				if from += i; from+descriptor1Len <= len(b) && from < scanLen && bytes.Count(b[from+len(k)+1:from+16], []byte{0}) == 15-len(k) {
					found = append(found, from)
				}
			}
		}
		slices.Sort(found)
		for _, i := range found {
			if !yield(i) {
				return
			}
		}
	}
}

// section1 takes in what a section says. Chunk data and what is not known is passed over.
func (s *segment) section1(sec section1) {
	switch sec.kind {
	case "table", "table2":
		s.table1(sec)
		return
	case "volume", "disk", "data":
		s.volume1(sec)
	case "header", "header2":
		s.header1(sec)
	case "hash":
		if b := s.hashes(sec, 36, 32); b != nil {
			setHashes(&s.stored, b[:16], nil)
		}
	case "digest":
		if b := s.hashes(sec, 80, 76); b != nil {
			setHashes(&s.stored, b[:16], b[16:36])
		}
	case "error2":
		s.errors1(sec)
	case "session":
		s.sessions1(sec)
	}
	if sec.kind != "sectors" {
		s.low = max(s.low, min(sec.follows, s.src.Size()))
	}
}

// hashes is checked for a section that has hashes of the disk.
func (s *segment) hashes(sec section1, n, sum int64) []byte {
	b := s.checked(sec, n, sum)
	s.hidden = s.hidden || b == nil
	return b
}

// checked reads the first n bytes of a section whose Adler-32 is at sum; nil and a warning when it is not that.
func (s *segment) checked(sec section1, n, sum int64) []byte {
	b := s.data(sec, n)
	if b == nil {
		return nil
	}
	if got, want := adler32.Checksum(b[:sum]), binary.LittleEndian.Uint32(b[sum:]); got != want {
		s.warnf("%w", layer.Corrupt(sec.kind+" section", sec.at, "adler-32 0x%08x, want 0x%08x", got, want))
		return nil
	}
	return b
}

// data reads the first n bytes of a section; nil and a warning when there are not as many.
func (s *segment) data(sec section1, n int64) []byte {
	if sec.n < n || n > maxTextLen {
		s.warnf("%w", layer.Corrupt(sec.kind+" section", sec.at, "0x%x bytes, want 0x%x", sec.n, n))
		return nil
	}
	b := make([]byte, n)
	if err := layer.ReadFull(s.src, b, sec.off); err != nil {
		s.warnf("%s section at 0x%x: %w", sec.kind, sec.at, err)
		return nil
	}
	return b
}
