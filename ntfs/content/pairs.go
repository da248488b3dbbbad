package content

// change is what pairs of windows at the same offsets of two versions tell.
type change struct {
	sameSize   bool
	n          int // pairs looked at
	changed    int // pairs whose windows differ
	random     int // of those, whose newer window is random
	randomThen int // whose older window is
	bytes      int // looked at
	before     counts
	after      counts // of the bytes that differ, in the older and newer version
}

// pairs compares windows of two versions at the same offsets.
func pairs(o, n *file) (c change) {
	c.sameSize = o.size == n.size
	end := int64(0) // of the window before, which the last one may overlap
	for _, off := range windows(min(o.size, n.size), maxPairs) {
		again := max(end-off, 0)
		end = off + windowSize
		if !o.known0(off, windowSize) || !n.known0(off, windowSize) {
			continue
		}
		a, b := o.upTo(off, windowSize), n.upTo(off, windowSize)
		if k := min(len(a), len(b)); k > 0 {
			c.add(a[:k], b[:k], int(again))
		}
	}
	return c
}

// add counts a pair of windows, whose first again bytes were in the one before.
func (c *change) add(a, b []byte, again int) {
	c.n++
	c.bytes += len(a) - again
	if string(a) == string(b) {
		return
	}
	c.changed++
	for i := again; i < len(a); i++ {
		// One byte in 256 stays as it was by chance: neighbours that changed take it with them.
		if a[i] != b[i] || i > 0 && i+1 < len(a) && a[i-1] != b[i-1] && a[i+1] != b[i+1] {
			c.before.add(a[i])
			c.after.add(b[i])
		}
	}
	if random(b) {
		c.random++
	}
	if random(a) {
		c.randomThen++
	}
}

// able reports whether the older version's bytes differ from random ones, so that the rule would have seen a change.
func (c *change) able() bool { return c.n > 0 && c.randomThen*2 < max(c.changed, 1) }

// enough reports whether so many bytes changed that they are no field that holds a key or a digest.
func (c *change) enough() bool {
	return c.after.n >= leastRandom || c.after.n >= 64 && c.after.n*4 >= c.bytes
}

// verdict is the rule of changed places.
func (c *change) verdict(fm *format) Verdict {
	switch {
	case c.changed == 0:
	case c.random*10 >= c.changed*9 && c.randomThen*2 < c.random:
		return verdict(Spoiled, RulePlaces, "%d of %d changed windows are random now, %d were", c.random, c.changed, c.randomThen)
	case c.enough() && c.after.chi() < randomChi && c.before.chi() > max(2*randomChi, float64(c.before.n)/4):
		return verdict(Spoiled, RulePlaces, "the bytes that changed are random now and were not")
	case fm.class == packed && c.sameSize && c.changed >= 4 && c.random*4 >= c.changed*3 && c.changed < c.n:
		return verdict(Spoiled, RulePlaces, "%d of %d windows changed in place, %d of them random now", c.changed, c.n, c.random)
	}
	return Verdict{}
}
