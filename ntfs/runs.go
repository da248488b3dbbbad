package ntfs

import (
	"fmt"
	"slices"
	"sort"

	"snapmount/imagefmt/layer"
)

// hole is the LCN of a run that has no clusters.
const hole = -1

var errUnmapped = fmt.Errorf("no attribute record maps this range: %w", layer.ErrCorrupt)

// A run maps n clusters from vcn of a stream to lcn of the volume. An lcn below hole is the damage errs[-2-lcn].
type run struct{ vcn, n, lcn int64 }

// A runList maps a stream from VCN 0 on: its runs are consecutive and merged. What is wrong is a run of its own.
type runList struct {
	runs  []run
	errs  []error
	holes bool // runs may have no clusters: the stream is sparse or compressed, or $BadClus:$Bad
}

// end is the first VCN that is not described.
func (l *runList) end() int64 {
	if len(l.runs) == 0 {
		return 0
	}
	last := l.runs[len(l.runs)-1]
	return last.vcn + last.n
}

// coverage is the VCN after the last one that has a cluster.
func (l *runList) coverage() int64 {
	for _, r := range slices.Backward(l.runs) {
		if r.lcn >= 0 {
			return r.vcn + r.n
		}
	}
	return 0
}

func (l *runList) add(n, lcn int64) {
	if n <= 0 {
		return
	}
	if k := len(l.runs); k > 0 {
		last := &l.runs[k-1]
		if (lcn == hole && last.lcn == hole) || (lcn >= 0 && last.lcn >= 0 && last.lcn+last.n == lcn) {
			last.n += n
			return
		}
	}
	l.runs = append(l.runs, run{vcn: l.end(), n: n, lcn: lcn})
}

func (l *runList) fail(n int64, err error) {
	if n <= 0 {
		return
	}
	l.errs = append(l.errs, err)
	l.add(n, int64(-1-len(l.errs)))
}

// err is the damage that a run stands for, nil when it is sound.
func (l *runList) err(r run) error {
	if r.lcn >= hole {
		return nil
	}
	return l.errs[-2-r.lcn]
}

// cut drops what is described from vcn on.
func (l *runList) cut(vcn int64) {
	for k := len(l.runs) - 1; k >= 0 && l.end() > vcn; k-- {
		last := &l.runs[k]
		if last.n = vcn - last.vcn; last.n <= 0 {
			l.runs = l.runs[:k]
		}
	}
}

// find returns the index of the run that holds vcn; len(runs) when there is none.
func (l *runList) find(vcn int64) int {
	return sort.Search(len(l.runs), func(i int) bool { return l.runs[i].vcn+l.runs[i].n > vcn })
}

// extend appends the extent a; extents must come in the order of their lowest VCN. VCNs that no extent or two of them
// describe, and runs outside the volume, become damage.
func (l *runList) extend(a *attribute, clusters int64) {
	low, end := int64(a.low), l.end()
	if low > end {
		l.fail(low-end, errUnmapped)
	}
	var overlap int64
	if low < end {
		l.cut(low)
		overlap = end - low
		l.fail(overlap, fmt.Errorf("two attribute records map this range: %w", layer.ErrCorrupt))
	}
	if a.err != nil {
		// How far it reached is not known: the next extent or the size of the stream ends the range.
		return
	}
	high := int64(a.high + 1)
	for n, lcn := range pairs(a.pairs, high-low) {
		err := checkRun(lcn, n, clusters)
		if lcn == hole && !l.holes {
			err = fmt.Errorf("hole in a stream that is neither sparse nor compressed: %w", layer.ErrCorrupt)
		}
		skip := min(overlap, n)
		overlap -= skip
		switch {
		case err != nil:
			l.fail(n-skip, err)
		case lcn == hole:
			l.add(n-skip, hole)
		default:
			l.add(n-skip, lcn+skip)
		}
	}
	if rest := high - l.end(); rest > 0 {
		l.fail(rest, fmt.Errorf("the mapping pairs end before the last VCN: %w", layer.ErrCorrupt))
	}
}

func checkRun(lcn, n, clusters int64) error {
	if lcn == hole || (lcn >= 0 && n <= clusters && lcn <= clusters-n) {
		return nil
	}
	return fmt.Errorf("run of 0x%x clusters at 0x%x, the volume has 0x%x: %w", n, lcn, clusters, layer.ErrCorrupt)
}

// pairs decodes mapping pairs to lengths and LCNs (hole for none, any other negative number for nonsense) of at most
// limit clusters. It ends early when the pairs do, or make no sense.
func pairs(b []byte, limit int64) func(func(n, lcn int64) bool) {
	return func(yield func(n, lcn int64) bool) {
		var lcn, total int64
		for len(b) > 0 && b[0] != 0 {
			lenSize, offSize := int(b[0]&15), int(b[0]>>4)
			if lenSize == 0 || lenSize > 8 || offSize > 8 || 1+lenSize+offSize > len(b) {
				return
			}
			n := signed(b[1:][:lenSize])
			if n <= 0 || n > limit-total {
				return
			}
			at := int64(hole)
			if offSize > 0 {
				delta := signed(b[1+lenSize:][:offSize])
				if (lcn+delta > lcn) != (delta > 0) { // overflow
					return
				}
				lcn += delta
				if at = lcn; at == hole {
					at = -2
				}
			}
			if !yield(n, at) {
				return
			}
			total += n
			b = b[1+lenSize+offSize:]
		}
	}
}

// signed decodes a little-endian two's complement number of 1 to 8 bytes.
func signed(b []byte) int64 {
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	shift := 64 - 8*len(b)
	return int64(v<<shift) >> shift
}
