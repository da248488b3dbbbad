package bitlocker

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"snapmount/imagefmt/layer"
)

const (
	vistaBoot     = 0x2000   // bytes at the start that Vista leaves plain
	reservedCopy  = 64 << 10 // bytes of a copy of the metadata
	reservedVista = 16 << 10 // the same with Vista, up to a cluster's end
)

// regions tells what each range of the decrypted volume is made of. An error says that none can be told.
func (v *Volume) regions() ([]piece, error) {
	size := v.src.Size()
	base, reserved, err := v.conversion(size)
	if err != nil {
		return nil, err
	}
	m := v.meta
	head, at, err := v.head(base, size)
	if err != nil {
		return nil, err
	}
	start := int64(0) // bytes of head
	for _, p := range head {
		start += p.n
	}
	for _, off := range m.copies {
		if off < start {
			v.warn(layer.Corrupt("metadata block", m.off, "it names 0x%x as the place of a copy: there is none", off))
			continue
		}
		n := (reservedCopy + v.sector - 1) &^ (v.sector - 1)
		if m.version == 1 {
			cluster := v.sector
			if v.boot != nil {
				cluster = cmp.Or(v.boot.cluster, v.sector)
			}
			n = (cluster + reservedVista - 1) &^ (cluster - 1)
		}
		reserved = append(reserved, span{off, n})
	}
	if m.version != 1 {
		reserved = append(reserved, at)
	}
	for _, s := range reserved {
		if s.off%v.sector != 0 {
			return nil, layer.Corrupt("metadata block", m.off, "a reserved region at 0x%x, want a multiple of 0x%x", s.off, v.sector)
		}
	}
	return append(head, clip(overlay(base, reserved, v.sector, size), start, size)...), nil
}

// head is what the start of the volume is made of, and where its sectors were moved to, which reads as zeros there.
func (v *Volume) head(base []piece, size int64) ([]piece, span, error) {
	m := v.meta
	if m.version == 1 {
		return v.vistaHead(size), span{}, nil
	}
	at := span{m.relocated, m.sectors * v.sector}
	if off, n, ok := m.boot(); ok {
		if at.n == 0 {
			at.n = n
		}
		if at.off == 0 {
			at.off = off
		}
		if at != (span{off, n}) {
			v.warn(layer.Corrupt("metadata block", m.off, "0x%x bytes of the start are moved to 0x%x, and an entry says 0x%x to 0x%x", at.n, at.off, n, off))
		}
	}
	if at.off <= 0 || at.n <= 0 || at.n%v.sector != 0 || at.off%v.sector != 0 || at.n > size || at.off >= maxOffset {
		return nil, at, layer.Corrupt("metadata block", m.off, "0x%x bytes of the start are moved to 0x%x, of 0x%x", at.n, at.off, size)
	}
	head := clip(base, at.off, min(at.off+at.n, size))
	for i := range head {
		head[i].off -= at.off
	}
	have := layer.Clip(size, at.off, at.n)
	if have < at.n {
		head = append(head, refused(have, at.n-have, &layer.UnknownError{Why: layer.Missing, Off: at.off + have, Len: at.n - have}))
	}
	return head, at, nil
}

// vistaHead is the start of a volume of Vista: it is plain, and in the boot sector are the name of NTFS at 3 and the cluster
// of $MFTMirr at 56.
func (v *Volume) vistaHead(size int64) []piece {
	all := piece{n: min(vistaBoot, size), kind: piecePlain}
	b := make([]byte, min(v.sector, size))
	if v.boot == nil || len(b) < 512 || layer.ReadFull(v.src, b, 0) != nil {
		return []piece{all}
	}
	copy(b[3:], "NTFS    ")
	le.PutUint64(b[56:], uint64(v.meta.relocated))
	n := int64(len(b))
	return append([]piece{{n: n, kind: piecePatch, data: b}}, clip([]piece{all}, n, all.n)...)
}

// conversion tells which ranges of the encrypted volume are encrypted, and which are reserved beside the metadata.
func (v *Volume) conversion(size int64) (base []piece, reserved []span, err error) {
	m := v.meta
	v.Encrypted = size
	if m.state != Decrypted && v.isOnWrite() {
		return v.onWrite(size)
	}
	if m.version == 1 && m.stateOffset == 0 && m.state != Decrypted && m.state != Encrypted {
		return nil, nil, fmt.Errorf("%v, and metadata of version 1 does not tell how far it is: %w", m.state, layer.ErrUnsupported)
	}
	from, known := m.boundary(size)
	if !known {
		return nil, nil, fmt.Errorf("%v: %w", m.state, layer.ErrUnsupported)
	}
	to := from
	for _, o := range v.others {
		if at, known := o.boundary(size); known {
			from, to = min(from, at), max(to, at)
		}
	}
	for _, at := range []int64{from, to} {
		if at%v.sector != 0 && at < size {
			return nil, nil, layer.Corrupt("metadata block", m.off, "the conversion is at 0x%x, want a multiple of 0x%x", at, v.sector)
		}
	}
	v.Encrypted = from
	log := int64(0)
	if m.state == Interrupted {
		log = min(max((m.log+v.sector-1)&^(v.sector-1), v.sector), size-to)
	}
	base = []piece{{n: from, kind: pieceCipher}, refused(from, to-from, errCopies), refused(to, log, errLog), {off: to + log, n: size - to - log, kind: piecePlain, from: to + log}}
	return slices.DeleteFunc(base, func(p piece) bool { return p.n == 0 }), nil, nil
}

// boundary is where what is encrypted ends, of size bytes; false for a state that is not known.
func (b *block) boundary(size int64) (int64, bool) {
	switch b.state {
	case Decrypted:
		return 0, true
	case Encrypted:
		return size, true
	case Paused, Converting, Interrupted:
		return min(b.stateOffset, size), true
	}
	return 0, false
}

var (
	errLog      = fmt.Errorf("encryption was interrupted here, and what is in the conversion log is not known: %w", layer.ErrUnsupported)
	errCopies   = fmt.Errorf("the copies of the metadata do not agree whether this is encrypted: %w", layer.ErrCorrupt)
	errNoBit    = fmt.Errorf("the bitmap of encrypt-on-write does not reach here, or too many were before it: %w", layer.ErrUnsupported)
	errNoRegion = fmt.Errorf("no bitmap of encrypt-on-write tells whether this is encrypted: %w", layer.ErrUnsupported)
)

func refused(off, n int64, err error) piece {
	return piece{off: off, n: n, kind: pieceRefused, err: err}
}

// isOnWrite reports whether encrypt-on-write is under way, by the boot sector's GUID; where that is damaged, by the blocks.
func (v *Volume) isOnWrite() bool {
	if v.boot == nil || !v.boot.unnamed || v.meta.version == 1 {
		return v.boot != nil && v.boot.eow
	}
	v.warn(layer.Corrupt("BitLocker boot sector", 0, "no GUID of an encrypted volume: whether encryption was complete is judged by what is in the places of encrypt-on-write"))
	for _, off := range v.boot.blocks {
		if _, err := readEOWBlock(v.src, off); err == nil {
			return true
		}
	}
	return false
}

// onWrite is conversion with encrypt-on-write. What no bitmap tells of is refused.
func (v *Volume) onWrite(size int64) (base []piece, reserved []span, err error) {
	v.OnWrite, v.Encrypted = true, 0
	e, warnings, err := readEOW(v.src, v.boot.blocks)
	if err != nil {
		return nil, nil, err
	}
	v.Warnings = append(v.Warnings, warnings...)
	slices.SortStableFunc(e.regions, func(a, b eowRegion) int { return cmp.Compare(a.off, b.off) })
	var known []piece
	for _, r := range e.regions {
		if last := len(known) - 1; last >= 0 && r.off < known[last].off+known[last].n {
			v.warn(layer.Corrupt("encrypt-on-write bitmap", r.off, "its region overlaps another"))
			continue
		}
		if (r.off|r.n|r.chunk)%v.sector != 0 {
			v.warn(layer.Corrupt("encrypt-on-write bitmap", r.off, "its region of 0x%x bytes, or chunks of 0x%x, are of no whole sectors", r.n, r.chunk))
			continue
		}
		known = r.ranges(known, size)
	}
	at := int64(0)
	for _, p := range known {
		if p.off > at {
			base = append(base, refused(at, p.off-at, errNoRegion))
		}
		if p.kind == pieceCipher {
			v.Encrypted += p.n
		}
		base, at = append(base, p), p.off+p.n
	}
	if at < size {
		base = append(base, refused(at, size-at, errNoRegion))
	}
	return base, e.reserved, nil
}

// clip returns the parts of pieces, which are sorted, within [from, to).
func clip(pieces []piece, from, to int64) (out []piece) {
	if from >= to {
		return nil
	}
	first := sort.Search(len(pieces), func(i int) bool { return pieces[i].off+pieces[i].n > from })
	for _, p := range pieces[first:] {
		if p.off >= to {
			break
		}
		if skip := from - p.off; skip > 0 {
			p.off, p.from, p.n = from, p.from+skip, p.n-skip
		}
		p.n = min(p.n, to-p.off)
		out = append(out, p)
	}
	return out
}

// overlay puts zeros over ranges of pieces that cover size bytes.
func overlay(base []piece, zeros []span, sector, size int64) (out []piece) {
	slices.SortFunc(zeros, func(a, b span) int { return cmp.Compare(a.off, b.off) })
	at := int64(0)
	for _, z := range zeros {
		end := z.off + layer.Clip(size, z.off, (z.n+sector-1)&^(sector-1))
		off := max(at, z.off)
		if end <= off {
			continue
		}
		out = append(out, clip(base, at, off)...)
		out = append(out, piece{off: off, n: end - off, kind: pieceZero})
		at = end
	}
	return append(out, clip(base, at, size)...)
}
