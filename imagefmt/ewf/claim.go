package ewf

import (
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// claim is how a section describes the disk: that of the first segment, of which the others have copies. What most
// segments say counts, and the tables are the witness where they do not agree.
type claim struct {
	volume
	segment int
}

// need is how many chunks the disk takes.
func (v volume) need() int64 {
	n := int64(min(v.total/uint64(v.sectors), 1<<62))
	if v.total%uint64(v.sectors) > 0 {
		n++
	}
	return n
}

// sane reports whether the numbers of sectors and of chunks, where there is one, say the same. What is behind the last
// whole sector may take a chunk of its own.
func (v volume) sane() bool {
	extra := int64(v.chunks) - v.need()
	return v.total > 0 && (v.chunks == 0 || extra == 0 || extra == 1 && v.total%uint64(v.sectors) == 0)
}

// fits reports whether the tables have just the chunks of the disk.
func (v volume) fits(have int64) bool {
	return v.sane() && (have == v.need() || have == int64(v.chunks))
}

// geometry is what all segments of an image have in common.
type geometry struct {
	sectors, bytes uint32
	set            wintype.GUID
}

func (c claim) geometry() geometry { return geometry{c.sectors, c.bytes, c.set} }

// counts are the numbers of a claim.
type counts struct {
	total  uint64
	chunks uint32
}

func (c claim) counts() counts { return counts{c.total, c.chunks} }

// ranked lists what the claims say, what most segments say first; among equals the first.
func ranked[K comparable](claims []claim, key func(claim) K) (list []K, votes map[K]int) {
	voters := make(map[K]map[int]bool)
	for _, c := range claims {
		k := key(c)
		if voters[k] == nil {
			voters[k] = make(map[int]bool)
			list = append(list, k)
		}
		voters[k][c.segment] = true
	}
	votes = make(map[K]int)
	for k, v := range voters {
		votes[k] = len(v)
	}
	slices.SortStableFunc(list, func(a, b K) int { return votes[b] - votes[a] })
	return list, votes
}

// settle finds the description of the disk, and drops the tables of segments that are of another one. It reports whether
// the size of the disk is only known from the tables.
func (l *loader) settle() (fromTables bool, err error) {
	if len(l.claims) == 0 {
		return false, layer.Corrupt("volume section", 0, "none is there that is whole")
	}
	geometries, _ := ranked(l.claims, claim.geometry)
	l.dropWithout(func(c claim) bool { return c.geometry() == geometries[0] })
	claims := slices.DeleteFunc(slices.Clone(l.claims), func(c claim) bool { return c.geometry() != geometries[0] })
	list, votes := ranked(claims, claim.counts)
	have, complete := l.have()
	best := list[0]
	for _, other := range list[1:] { // as many may say it
		if votes[other] == votes[best] && complete && l.with(claims, other).fits(have) && !l.with(claims, best).fits(have) {
			best = other
		}
	}
	l.volume = l.with(claims, best)
	if len(list) > 1 {
		l.warn(fmt.Errorf("volume section: segments tell of %d and of %d sectors: %d is taken", list[0].total, list[1].total, best.total))
		if !complete || !l.volume.fits(have) {
			l.dropWithout(func(c claim) bool { return c.counts() == best || !c.sane() })
			have, complete = l.have()
		}
	}
	fromTables = l.volume.total == 0 || complete && votes[best] == 1 && have > 0 && !l.volume.fits(have) && have != l.volume.need()
	if fromTables {
		l.warn(fmt.Errorf("volume section: %d sectors in %d chunks, no number of sectors that fits the tables: taken from %d chunks there", l.volume.total, l.volume.chunks, have))
		l.volume.total, l.volume.chunks = uint64(have)*uint64(l.volume.sectors), 0
	}
	return fromTables, nil
}

// with returns the first of the claims that has these counts.
func (l *loader) with(claims []claim, is counts) volume {
	return claims[slices.IndexFunc(claims, func(c claim) bool { return c.counts() == is })].volume
}

// dropWithout drops the tables of all segments but the first of which no claim is right.
func (l *loader) dropWithout(right func(claim) bool) {
	other := make(map[int]bool)
	for _, c := range l.claims {
		other[c.segment] = c.segment > 1
	}
	for _, c := range l.claims {
		if right(c) {
			delete(other, c.segment)
		}
	}
	var kept []part
	told := make(map[int]bool)
	for _, p := range l.parts {
		if n := p.table.segment; p.lost || !other[n] {
			kept = append(kept, p)
		} else if !told[n] {
			told[n] = true
			kept = append(kept, part{lost: true, segments: 1})
			l.warn(fmt.Errorf("segment %d: describes another disk than the others", n))
		}
	}
	l.parts = kept
}

// have counts the chunks of all tables, and reports whether those are all tables that there were.
func (l *loader) have() (chunks int64, complete bool) {
	complete = l.closed
	for _, p := range l.parts {
		chunks += p.table.count
		complete = complete && !p.lost
	}
	return chunks, complete
}
