package vsstest

import (
	"time"

	"snapmount/imagefmt/wintype"
)

// Snapshot is one point in time of a simulated volume.
type Snapshot struct {
	Entry StoreEntry // where its store is
	Point SnapshotEntry
	Info  Information
	Lists []Place // its block list

	vol      *Volume
	used     []Place // all blocks of its store file, in order
	ranges   Place
	rows     []byte // of the last list block
	ignored  bitset // the current bitmap
	need     bitset // what is copied before it is overwritten, while this is the newest
	regular  map[uint32]bool
	moved    map[uint32]uint32 // block to where its content went
	pending  map[uint32]uint32 // where content went, to the block that it is of
	overlays map[uint32]*overlay
	truth    map[uint32][]byte
}

// overlay is a block of sectors written into a snapshot.
type overlay struct {
	at   Place
	mask uint32
}

// take hands the next block of the area to the store file.
func (s *Snapshot) take() (Place, error) {
	off, err := s.vol.area.take()
	if err != nil {
		return Place{}, err
	}
	p := Place{off, uint64(len(s.used)) * BlockSize}
	s.used = append(s.used, p)
	return p, nil
}

// takeChain takes as many blocks as n bytes of payload need.
func (s *Snapshot) takeChain(n int) ([]Place, error) {
	var places []Place
	for ; n > 0; n -= Payload(TypeBitmap) {
		p, err := s.take()
		if err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	return places, nil
}

// writeBitmap takes and writes a bitmap and returns its first block.
func (s *Snapshot) writeBitmap(bits []byte) (uint64, error) {
	places, err := s.takeChain(len(bits))
	if err != nil {
		return 0, err
	}
	return places[0].Offset, WriteChain(s.vol.storage, TypeBitmap, places, bits)
}

// add appends a row to the block list.
func (s *Snapshot) add(d Descriptor) error {
	if len(s.rows) == Payload(TypeList) {
		next, err := s.take()
		if err != nil {
			return err
		}
		last := s.Lists[len(s.Lists)-1]
		if _, err := s.vol.storage.WriteAt(Block(TypeList, last, next.Offset, s.rows), int64(last.Offset)); err != nil {
			return err
		}
		s.Lists, s.rows = append(s.Lists, next), s.rows[:0]
	}
	s.rows = d.Append(s.rows)
	return nil
}

// flush writes the last block of the list, the ranges and the header.
func (s *Snapshot) flush() error {
	w := s.vol.storage
	if err := WriteChain(w, TypeList, s.Lists[len(s.Lists)-1:], s.rows); err != nil {
		return err
	}
	var ranges []Range
	for _, p := range s.used {
		if n := len(ranges); n > 0 && ranges[n-1].Offset+ranges[n-1].Length == p.Offset {
			ranges[n-1].Length += BlockSize
			continue
		}
		ranges = append(ranges, Range{p.Offset, p.Relative, BlockSize})
	}
	var b []byte
	for _, r := range ranges {
		b = r.Append(b)
	}
	if err := WriteChain(w, TypeRanges, []Place{s.ranges}, b); err != nil {
		return err
	}
	_, err := w.WriteAt(Block(TypeStore, s.used[0], 0, s.Info.Bytes()), int64(s.used[0].Offset))
	return err
}

// Size returns the bytes of the volume at the time.
func (s *Snapshot) Size() int64 { return int64(s.Point.Size) }

// Created returns the time of the snapshot.
func (s *Snapshot) Created() time.Time { return s.Point.Created.Time() }

// Ignored reports whether the snapshot does not need block b.
func (s *Snapshot) Ignored(b uint32) bool { return s.ignored.has(b) }

// Block returns what block b must read as, 16 KiB padded with zeros. Truth is kept unless Config.NoTruth.
func (s *Snapshot) Block(b uint32) ([]byte, error) {
	if t, ok := s.truth[b]; ok {
		return t, nil
	}
	if t, ok := s.vol.before[b]; ok {
		return t, nil
	}
	return s.vol.read(b)
}

// formatOf returns the layout GUID that Windows gives to a kind of snapshot.
func formatOf(context uint32, hidden bool) wintype.GUID {
	text := "ae9a9337-0048-4ed6-9874-71500654b7b3"
	if context&0x4 != 0 {
		text = "e5de7d45-49f2-40a4-817c-7dc82b72587f"
	}
	if hidden {
		text = "f12142b4-9a4b-49af-a851-700c42fdc2be"
	}
	return mustGUID(text)
}

func mustGUID(s string) wintype.GUID {
	g, err := wintype.ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}
