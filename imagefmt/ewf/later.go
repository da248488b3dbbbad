package ewf

import (
	"crypto/md5"
	"fmt"
	"io"

	"snapmount/imagefmt/layer"
)

// check looks at a section that reading does without, such as the copy of a table, and says what is wrong with it. Only
// Verify asks.
type check func() error

// checkCopy is for the copy of a table that is sound.
func (s *segment) checkCopy(sec section1, low, high int64) check {
	copied := segment{loader: &loader{}, src: s.src, number: s.number}
	return func() error {
		if _, err := copied.readTable1(sec, low, high); err != nil {
			return fmt.Errorf("segment %d: %w", copied.number, err)
		}
		return nil
	}
}

// checkText is for a packed text, which has a checksum in it.
func (s *segment) checkText(sec section1) check {
	src, number := s.src, s.number
	return func() error {
		b := make([]byte, min(sec.n, maxTextLen))
		err := layer.ReadFull(src, b, sec.off)
		if err == nil {
			_, err = inflateText(b)
		}
		if err != nil {
			return fmt.Errorf("segment %d: %w", number, layer.Corrupt(sec.kind+" section", sec.at, "%w", err))
		}
		return nil
	}
}

// checkHash is for any section of version 2 whose descriptor has its MD5.
func (s *segment) checkHash(sec section2) check {
	src, number := s.src, s.number
	return func() error {
		h := md5.New()
		_, err := io.Copy(h, io.NewSectionReader(src, sec.off, sec.n))
		if err == nil && [16]byte(h.Sum(nil)) != sec.descriptor.hash {
			err = fmt.Errorf("md5 %x, want %x", h.Sum(nil), sec.descriptor.hash)
		}
		if err != nil {
			return fmt.Errorf("segment %d: %w", number, layer.Corrupt(sec.kind, sec.at, "%w", err))
		}
		return nil
	}
}
