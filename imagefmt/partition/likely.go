package partition

import (
	"context"
	"errors"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/layer"
)

// MaxLikelyReads is how many reads ScanLikely makes at most.
const MaxLikelyReads = 900

const (
	aligned     = 1 << 20     // what partitions are aligned to
	track       = 63 * 512    // where the first partition began up to Windows XP
	cylinder    = 255 * track // where the others did
	likelyMiB   = 700         // each one up to here: behind EFI, MSR and recovery partitions
	tailMiB     = 64          // and before the end
	wholeEnd    = 2 * aligned // read whole at both ends
	alignedHits = 32          // behind the first of these an aligned length is read whole
	before      = 4096        // of a place: the copy of the boot sector of the volume that ends there
	behind      = 0x2000      // the boot sector, and the VSS header at 0x1e00
)

// likely looks at places and counts reads.
type likely struct {
	scanner
	ctx  context.Context
	seen map[Range]bool // from each place on
}

var errManyReads = errors.New("too many reads")

// counted is a disk that ends after so many reads.
type counted struct {
	layer.Source
	left int
	out  bool // there was one too many
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	if c.left == 0 {
		c.out = true
		return 0, errManyReads
	}
	c.left--
	return c.Source.ReadAt(p, off)
}

// ScanLikely looks for volumes where partitions mostly begin and end: both ends of the disk, the first tracks, each of
// the first MiB and those before the end, and where the volumes that were found so far begin and end; where nothing is, the
// metadata of BitLocker in the first 48 MiB. It makes no more
// than MaxLikelyReads reads. Its error is the cause of ctx.
func ScanLikely(ctx context.Context, disk layer.Source) (*Scan, error) {
	c := &counted{Source: disk, left: MaxLikelyReads}
	s := likely{scanner{reader: reader{disk: c}, at: map[int64]bool{}}, ctx, map[Range]bool{}}
	size := disk.Size() &^ 511
	s.window(0, wholeEnd)
	s.window(max(size-wholeEnd, 0), wholeEnd)
	s.follow()
	for i := int64(2); i < likelyMiB; i++ {
		s.place(i * aligned)
	}
	for i := range int64(tailMiB) {
		s.place((size/aligned - i) * aligned)
	}
	s.follow()
	if len(s.hits) == 0 { // an encrypted volume is known by its metadata alone, when its boot sector is lost
		for i := int64(2); i <= bitlocker.LostReach/aligned; i++ {
			s.window(i*aligned, aligned)
		}
		s.follow()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	found := s.merge()
	return &Scan{Found: found, Unread: s.unread, Complete: !s.short && !c.out}, nil
}

// follow looks where the volumes of hits begin and end, and where the next ones may begin, until nothing is new.
func (s *likely) follow() {
	for i := 0; i < len(s.hits); i++ {
		h := s.hits[i]
		if h.copy > 0 {
			s.place(h.off - h.copy)
		}
		switch h.kind {
		case "":
			s.place(h.off - vssHeaderOffset)
			continue
		case aBlock:
			starts, _ := s.starts(h.off)
			for _, start := range starts {
				s.place(start)
			}
			continue
		}
		for _, end := range []int64{h.off + h.size, h.off + 512} {
			if i < alignedHits { // whatever alignment the next one has
				s.around(end, aligned)
			}
			s.place(end)
			for _, reserved := range []int64{0, 16 << 20, 128 << 20} { // MSR partitions
				s.place((end+aligned-1)/aligned*aligned + reserved)
			}
			s.place((end + cylinder - 1) / cylinder * cylinder)
			s.place((end+cylinder-1)/cylinder*cylinder + track)
		}
	}
}

// place looks at the sectors before a place, and at those behind it that a volume is known by.
func (s *likely) place(at int64) { s.around(at, behind) }

// around looks at the sectors before a place, and at n bytes behind it.
func (s *likely) around(at, n int64) {
	at &^= 511
	if at <= 0 || at > s.disk.Size() || s.seen[Range{at, n}] || s.ctx.Err() != nil {
		return
	}
	s.seen[Range{at, n}] = true
	s.window(max(at-before, 0), before+n)
}

// window looks at n bytes at off.
func (s *likely) window(off, n int64) {
	n = layer.Clip(s.disk.Size(), off, n) &^ 511
	if n == 0 || s.ctx.Err() != nil {
		return
	}
	b := make([]byte, n)
	switch err := layer.ReadFull(s.disk, b, off); {
	case err == nil:
		s.look(off, b)
	case errors.Is(err, errManyReads):
	case n > before: // the half of it perhaps
		s.window(off, n/2)
		s.window(off+n/2&^511, n-n/2&^511)
	default:
		s.unread = append(s.unread, Range{off, n})
	}
}
