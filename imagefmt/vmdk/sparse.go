package vmdk

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"snapmount/imagefmt/chunks"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// sparse is an extent whose data is found by a grain directory and grain tables. All are read when they are asked for.
type sparse struct {
	src      layer.Source
	capacity int64 // bytes
	grain    int64 // bytes
	perTable int64 // entries
	wide     bool  // seSparse: entries of 8 bytes

	directory int64 // bytes, in src
	redundant int64 // the second directory, with tables of its own; 0 for none
	zeroGrain bool  // entry 1 stands for zeros
	packed    bool  // grains are compressed
	markers   bool  // and each begins with a marker
	tables    int64 // seSparse: where tables and
	grains    int64 // grains begin, bytes
	recovered *recovered
	env       format.Env // while the disk is opened

	*caches
	salt     int64          // spreads the extents over the caches
	unpacked *chunks.Source // of a compressed extent: what is in its grains
}

// state tells what an entry says of its grain.
type state uint8

const (
	noTable state = iota // nothing of the whole table is here
	absent
	zero
	kept
)

// spot is where a grain is.
type spot struct {
	state state
	off   int64 // bytes, in src
}

// maxSkipped is how many absent tables one step passes over.
const maxSkipped = 4096

// locate finds the byte at off and how many of the n bytes from there continue in the same place. The grains of
// compressed extents are never joined. An error is that of as many bytes.
func (s *sparse) locate(off, n int64) (spot, int64, error) {
	if s.recovered != nil {
		return s.recovered.locate(off, n, s.grain)
	}
	g, in := off/s.grain, off%s.grain
	at, err := s.lookup(g)
	k := s.grain - in
	if err != nil || s.packed && at.state == kept {
		return at, min(k, n), err
	}
	if at.state == noTable {
		span := s.grain * s.perTable
		k = span - off%span
		for range maxSkipped {
			if k >= n {
				break
			}
			if next, err := s.lookup((off + k) / s.grain); err != nil || next.state != noTable {
				break
			}
			k += span
		}
		return spot{state: absent}, min(k, n), nil
	}
	last := g - g%s.perTable + s.perTable - 1
	for next := at; k < n && g < last; k += s.grain {
		g++
		if next.state == kept {
			next.off += s.grain
		}
		if found, err := s.lookup(g); err != nil || found != next {
			break
		}
	}
	at.off += in
	return at, min(k, n), nil
}

// lookup finds a grain by the first directory, by the redundant one where that is damaged or has no table.
func (s *sparse) lookup(g int64) (spot, error) {
	at, err := s.lookupIn(s.directory, g)
	if s.redundant != 0 && (err != nil || at.state == noTable) {
		if second, secondErr := s.lookupIn(s.redundant, g); secondErr == nil && second.state != noTable {
			return second, nil
		}
	}
	return at, err
}

func (s *sparse) lookupIn(directory, g int64) (spot, error) {
	entryAt := directory + g/s.perTable*s.entryLen()
	entry, err := s.word("grain directory", entryAt)
	if err != nil || entry == 0 {
		return spot{}, err
	}
	table := int64(entry) * sectorLen
	if s.wide {
		if entry>>32 != 0x10000000 {
			return spot{}, layer.Corrupt("grain directory entry", entryAt, "0x%x, want 0 or 0x10000000 in the upper half", entry)
		}
		table = s.tables + int64(entry&0xffffffff)*s.perTable*8
	}
	entryAt = table + g%s.perTable*s.entryLen()
	if entry, err = s.word("grain table", entryAt); err != nil {
		return spot{}, err
	}
	return s.decode(entry, entryAt)
}

func (s *sparse) entryLen() int64 {
	if s.wide {
		return 8
	}
	return 4
}

// decode reads the entry of a grain table.
func (s *sparse) decode(entry uint64, entryAt int64) (spot, error) {
	switch {
	case entry == 0:
		return spot{state: absent}, nil
	case s.wide:
		return s.decodeWide(entry, entryAt)
	case entry == 1 && s.zeroGrain:
		return spot{state: zero}, nil
	case entry == 1:
		return spot{}, layer.Corrupt("grain table entry", entryAt, "1 (a grain of zeros) in an extent without the flag for it")
	case entry >= uint64(s.src.Size()+sectorLen-1)/sectorLen:
		return spot{}, layer.Cut("grain", int64(entry)*sectorLen, s.grain, s.src.Size())
	}
	return spot{kept, int64(entry) * sectorLen}, nil
}

// decodeWide reads an entry of a seSparse table: four bits of state, then the number of the grain, its upper bits last.
func (s *sparse) decodeWide(entry uint64, entryAt int64) (spot, error) {
	switch entry >> 60 {
	case 1, 2: // unmapped by the guest, zeroed
		return spot{state: zero}, nil
	case 3:
		number := entry>>48&0xfff | entry&(1<<48-1)<<12
		if number >= uint64(s.src.Size()-s.grains+s.grain-1)/uint64(s.grain) {
			return spot{}, layer.Cut("grain table entry", entryAt, s.grain, s.src.Size())
		}
		return spot{kept, s.grains + int64(number)*s.grain}, nil
	}
	return spot{}, layer.Corrupt("grain table entry", entryAt, "0x%x, want a state from 0 to 3 in the upper four bits", entry)
}

// pageLen is how much of a table is read at once.
const pageLen = 16 << 10

// page is a piece of an extent's file that holds entries.
type page struct {
	owner *sparse
	no    int64
	data  []byte
}

// word reads an entry of a directory or a table. Entries never lie across two pages.
func (s *sparse) word(structure string, off int64) (uint64, error) {
	no := off / pageLen
	slot := &s.pages[uint64(no+s.salt)%uint64(len(s.pages))]
	p := slot.Load()
	if p == nil || p.no != no || p.owner != s {
		b := make([]byte, layer.Clip(s.src.Size(), no*pageLen, pageLen))
		if err := layer.ReadFull(s.src, b, no*pageLen); err != nil {
			return s.lone(structure, off)
		}
		p = &page{s, no, b}
		slot.Store(p)
	}
	b := p.data[min(off%pageLen, int64(len(p.data))):]
	if int64(len(b)) < s.entryLen() {
		return 0, layer.Cut(structure, off, s.entryLen(), s.src.Size())
	}
	return s.wordOf(b), nil
}

// lone reads one entry where its page cannot be read.
func (s *sparse) lone(structure string, off int64) (uint64, error) {
	b := make([]byte, s.entryLen())
	if err := layer.ReadFull(s.src, b, off); err != nil {
		return 0, fmt.Errorf("%s at 0x%x: %w", structure, off, err)
	}
	return s.wordOf(b), nil
}

func (s *sparse) wordOf(b []byte) uint64 {
	if s.wide {
		return binary.LittleEndian.Uint64(b)
	}
	return uint64(binary.LittleEndian.Uint32(b))
}

// caches are shared by the extents of a disk.
type caches struct {
	pages []atomic.Pointer[page]
}
