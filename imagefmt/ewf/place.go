package ewf

import (
	"fmt"
	"math"
	"slices"
)

// part is a table or, in the place of tables that are lost, what is known of them. Only those of version 2 say which
// chunks they are of.
type part struct {
	table    table
	lost     bool
	segments int   // that are lost as a whole; 0 when it is not known how much is
	size     int64 // chunks that are lost; -1 when this is not known
}

// place says which chunks each table is of, and drops what is past the end of the disk, or has no known place.
func (l *loader) place(need int64) []table {
	if l.first.version != 2 {
		l.parts = l.sized(need)
		l.parts = placeForward(l.parts, need)
	}
	var list []table
	for _, p := range l.parts {
		if !p.lost {
			list = append(list, p.table)
		}
	}
	return l.placed(list, need)
}

// joined makes losses that lie side by side one.
func joined(parts []part) (list []part, losses int) {
	for _, p := range parts {
		last := len(list) - 1
		if !p.lost || last < 0 || !list[last].lost {
			if list = append(list, p); p.lost {
				losses++
			}
			continue
		}
		if p.segments == 0 || list[last].segments == 0 { // nobody knows how many
			list[last].segments = 0
		} else {
			list[last].segments += p.segments
		}
	}
	return list, losses
}

// sized finds out how many chunks each loss is of: a single one is of what the others leave over, and lost segments are
// of as many as all others are, if those agree, as they do where nothing is packed.
func (l *loader) sized(need int64) []part {
	list, losses := joined(l.parts)
	each := l.perSegment()
	left, rest, open := need, int64(0), -1
	for i := range list {
		p := &list[i]
		left -= p.table.count
		if !p.lost {
			continue
		}
		if p.size = -1; each > 0 && p.segments > 0 && losses > 1 {
			p.size = each * int64(p.segments)
			rest -= p.size
			continue
		}
		if open >= 0 {
			rest = math.MinInt64 / 2 // nothing is known of several
		}
		open = i
	}
	rest += left
	for i := range list {
		switch p := &list[i]; {
		case !p.lost:
		case left == 0:
			p.size = 0
		case left < 0 || rest < 0 || rest > 0 && open < 0:
			p.size = -1
		case i == open:
			p.size = rest
		}
	}
	return list
}

// perSegment is how many chunks each whole segment has but the first and the last, which may have fewer; 0 when they do
// not agree, or are too few to tell.
func (l *loader) perSegment() int64 {
	count := make(map[int]int64)
	last, broken, before := 0, 0, 0
	for _, p := range l.parts {
		if p.lost && p.segments == 0 {
			broken = before
			delete(count, broken)
			continue
		}
		if n := p.table.segment; !p.lost && n > 1 && n != broken {
			count[n] += p.table.count
			last = max(last, n)
		}
		if !p.lost {
			before = p.table.segment
		}
	}
	if l.closed {
		delete(count, last)
	}
	each := int64(0)
	for _, n := range count {
		if each > 0 && n != each {
			return 0
		}
		each = n
	}
	if len(count) < 2 {
		return 0
	}
	return each
}

// placeForward counts the chunks of tables from the start of the disk and, behind the first loss of unknown size, from its
// end up to the last such loss. Those between are dropped.
func placeForward(list []part, need int64) []part {
	unknown := func(p part) bool { return p.lost && p.size < 0 }
	first := slices.IndexFunc(list, unknown)
	if first < 0 {
		first = len(list)
	}
	next := int64(0)
	for i := range list[:first] {
		list[i].table.first = next
		next += list[i].table.count + list[i].size
	}
	end, behind := need, len(list)
	for behind > first && !unknown(list[behind-1]) {
		behind--
		end -= list[behind].table.count + list[behind].size
		list[behind].table.first = end
	}
	if end < next { // the tables have more chunks than the disk
		return list[:first]
	}
	return slices.Concat(list[:first], list[behind:])
}

// placed drops what tables say past the end of the disk or again, and warns of what none says. What lies behind the last
// whole sector may have a chunk of its own.
func (l *loader) placed(list []table, need int64) []table {
	var kept []table
	most := max(need, min(int64(l.volume.chunks), need+1))
	next, missing := int64(0), int64(0)
	for _, t := range list {
		if t.first >= most || t.count > most-t.first {
			l.warn(fmt.Errorf("table of chunks %d to %d: the disk has only %d", t.first, t.first+t.count-1, need))
			t.count = max(0, most-t.first)
		}
		if t.first < next && t.count > 0 {
			l.warn(fmt.Errorf("table of chunks %d to %d: chunks before %d are in another already", t.first, t.first+t.count-1, next))
			t.count = 0
		}
		if t.count > 0 {
			missing += t.first - next
			next = t.first + t.count
			kept = append(kept, t)
		}
	}
	if missing += max(0, need-next); missing > 0 {
		l.warn(fmt.Errorf("%d of %d chunks of the disk are not in the image and cannot be read", missing, need))
	}
	return kept
}
