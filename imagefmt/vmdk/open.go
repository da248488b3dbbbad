package vmdk

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// maxScan is how many bytes of grain tables are looked through at open for what they lose: those of 128 GiB mostly.
const maxScan = 8 << 20

// openSparse reads the header of a sparse extent of any kind.
func openSparse(src layer.Source, env format.Env) (*sparse, error) {
	b := make([]byte, sectorLen)
	n := layer.Clip(src.Size(), 0, sectorLen)
	if err := layer.ReadFull(src, b[:n], 0); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	s := &sparse{src: src, env: env}
	var err error
	switch head := string(b); {
	case n < sectorLen:
		return nil, layer.Corrupt("sparse header", 0, "0x%x bytes, want 0x%x", n, sectorLen)
	case head[:4] == magicHosted:
		err = s.openHosted(decodeHosted(b))
	case head[:4] == magicCOWD:
		err = s.openCOWD(decodeCOWD(b))
	case head[:8] == magicSESparse:
		err = s.openSESparse(decodeSESparse(b))
	default:
		return nil, fmt.Errorf("magic %q, want that of a sparse extent: %w", b[:8], layer.ErrFormat)
	}
	return s, err
}

// shape sets the sizes, given in sectors.
func (s *sparse) shape(capacity, grain, perTable uint64) error {
	if capacity > maxSectors {
		return layer.Corrupt("sparse header", 0, "capacity of 0x%x sectors, want 2^53 at most", capacity)
	}
	if grain == 0 || grain > maxGrain/sectorLen {
		return layer.Corrupt("sparse header", 0, "grains of 0x%x sectors, want 1 to 0x%x", grain, maxGrain/sectorLen)
	}
	s.capacity, s.grain, s.perTable = int64(capacity)*sectorLen, int64(grain)*sectorLen, int64(perTable)
	return nil
}

// count is the number of grain tables that the capacity needs.
func (s *sparse) count() int64 {
	span := s.grain * s.perTable
	return s.capacity/span + min(1, s.capacity%span)
}

// place checks that the grain directory at a sector lies within the file.
func (s *sparse) place(sector uint64) (int64, error) {
	need := s.count() * s.entryLen()
	if size := s.src.Size(); sector == 0 || sector > uint64(size)/sectorLen || need > size-int64(sector)*sectorLen {
		return 0, layer.Corrupt("sparse header", 0, "grain directory of 0x%x bytes at sector 0x%x, want it within the file of 0x%x bytes", need, sector, size)
	}
	return int64(sector) * sectorLen, nil
}

func (s *sparse) openHosted(h hostedHeader) error {
	if err := h.check(); err != nil {
		return err
	}
	if err := s.shape(h.capacity, h.grain, uint64(h.perTable)); err != nil {
		return err
	}
	s.packed, s.markers = h.algorithm == 1, h.flags&flagMarkers != 0
	s.zeroGrain = h.flags&flagZeroGrain != 0
	if h.unclean != 0 {
		s.env.Warn(errors.New("sparse header: the disk was not closed cleanly"))
	}
	if h.directory == atEnd {
		footer, err := readFooter(s.src)
		if err != nil {
			return s.rebuild(h, err)
		}
		h.directory, h.redundant, h.flags = footer.directory, footer.redundant, footer.flags
	}
	return s.directories(h)
}

// directories finds the grain directory and the redundant one. One of them is enough.
func (s *sparse) directories(h hostedHeader) error {
	var err, secondErr error
	s.directory, err = s.place(h.directory)
	if h.flags&flagRedundant != 0 && h.redundant != 0 {
		s.redundant, secondErr = s.place(h.redundant)
	}
	switch {
	case err == nil && secondErr != nil:
		s.env.Fault(fmt.Errorf("the redundant grain directory is not used: %w", secondErr))
	case err != nil && s.redundant != 0:
		s.env.Fault(fmt.Errorf("the redundant grain directory is used: %w", err))
		s.directory, s.redundant = s.redundant, 0
	case err != nil:
		return s.rebuild(h, err)
	}
	return nil
}

// rebuild makes up for a lost directory, of which reason tells, where the grains have markers.
func (s *sparse) rebuild(h hostedHeader, reason error) error {
	if !s.packed || !s.markers || h.overhead > uint64(s.src.Size())/sectorLen {
		return reason
	}
	if err := s.recover(int64(max(h.overhead, 1)) * sectorLen); err != nil {
		return err
	}
	text := "the grains were found by their markers"
	if !s.recovered.whole {
		text = fmt.Sprintf("the stream is torn at 0x%x: what follows cannot be read", s.recovered.end)
	}
	s.env.Fault(fmt.Errorf("%s: %w", text, reason))
	return nil
}

func (s *sparse) openCOWD(h cowdHeader) (err error) {
	if h.version != 1 {
		return fmt.Errorf("COWD extent of version %d, want 1: %w", h.version, layer.ErrUnsupported)
	}
	if err := s.shape(uint64(h.capacity), uint64(h.grain), 4096); err != nil {
		return err
	}
	if int64(h.entries) < s.count() {
		return layer.Corrupt("sparse header", 24, "grain directory of 0x%x entries, want 0x%x", h.entries, s.count())
	}
	if end := int64(h.free) * sectorLen; end > s.src.Size() {
		s.env.Fault(fmt.Errorf("sparse header: data up to 0x%x, the file is cut at 0x%x", end, s.src.Size()))
	}
	s.directory, err = s.place(uint64(h.directory))
	return err
}

func (s *sparse) openSESparse(h seHeader) (err error) {
	size := uint64(s.src.Size())
	switch {
	case h.version != 2<<32|1:
		return fmt.Errorf("seSparse extent of version 0x%x, want 0x200000001: %w", h.version, layer.ErrUnsupported)
	case h.flags != 0:
		return fmt.Errorf("seSparse extent with flags 0x%x: %w", h.flags, layer.ErrUnsupported)
	case h.table != 64:
		return fmt.Errorf("seSparse extent with grain tables of 0x%x sectors, want 0x40: %w", h.table, layer.ErrUnsupported)
	case h.tables > size/sectorLen || h.grains > size/sectorLen:
		return layer.Corrupt("sparse header", 144, "grain tables at sector 0x%x and grains at 0x%x, want both within the file of 0x%x bytes",
			h.tables, h.grains, size)
	}
	s.wide = true
	if err := s.shape(h.capacity, h.grain, h.table*sectorLen/8); err != nil {
		return err
	}
	if uint64(s.count()) > h.dirLen*(sectorLen/8) {
		return layer.Corrupt("sparse header", 136, "grain directory of 0x%x sectors, want 0x%x entries", h.dirLen, s.count())
	}
	s.tables, s.grains = int64(h.tables)*sectorLen, int64(h.grains)*sectorLen
	if s.directory, err = s.place(h.directory); err != nil {
		return err
	}
	return s.journal(h.volatile)
}

// journal refuses a seSparse extent whose journal is yet to be replayed, as its volatile header says.
func (s *sparse) journal(sector uint64) error {
	b := make([]byte, 32)
	if sector > uint64(s.src.Size())/sectorLen || layer.Clip(s.src.Size(), int64(sector)*sectorLen, 32) < 32 {
		return layer.Corrupt("sparse header", 80, "volatile header at sector 0x%x, want it within the file of 0x%x bytes", sector, s.src.Size())
	}
	if err := layer.ReadFull(s.src, b, int64(sector)*sectorLen); err != nil {
		return fmt.Errorf("volatile header: %w", err)
	}
	const magicVolatile = "\xfe\xca\xfe\xca\x00\x00\x00\x00"
	if string(b[:8]) != magicVolatile {
		return layer.Corrupt("volatile header", int64(sector)*sectorLen, "magic %q, want %q", b[:8], magicVolatile)
	}
	if binary.LittleEndian.Uint64(b[24:]) != 0 {
		return fmt.Errorf("seSparse extent whose journal was not replayed: %w", layer.ErrUnsupported)
	}
	return nil
}

// scan looks through the grain tables and tells what is lost and where redundant ones are used.
func (s *sparse) scan() {
	var lost, second int64
	var reason error
	for g := range (s.capacity + s.grain - 1) / s.grain {
		at, err := s.lookupIn(s.directory, g)
		if s.redundant != 0 && (err != nil || at.state == noTable) {
			if at, err = s.lookup(g); err == nil && at.state != noTable {
				second++
			}
		}
		if err == nil && at.state == kept && !s.packed && at.off+min(s.grain, s.capacity-g*s.grain) > s.src.Size() {
			err = layer.Cut("grain", at.off, s.grain, s.src.Size())
		}
		if err != nil {
			lost, reason = lost+1, cmp.Or(reason, err)
		}
	}
	if lost > 0 {
		s.env.Fault(fmt.Errorf("%d grains of 0x%x bytes cannot be read, the first: %w", lost, s.grain, reason))
	}
	if second > 0 {
		s.env.Fault(fmt.Errorf("%d grains are found by the redundant grain directory only", second))
	}
}
