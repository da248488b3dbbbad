package content

// change is what pairs of windows at the same offsets of two versions tell.
type change struct {
	roomy      bool  // a container: what fills its free room, which was zeros, is no evidence
	grown      int64 // bytes by which the newer version is longer
	n          int   // pairs looked at
	filled     int   // pairs whose older window was free room
	changed    int   // other pairs whose windows differ
	random     int   // of those, whose newer window is random
	randomThen int   // whose older window is
	bytes      int   // looked at
	tail       bool  // what the newer version has more is random
	before     counts
	after      counts // of the bytes that differ, in the older and newer version
}

// pairs compares windows of two versions at the same offsets.
func pairs(o, n *file, fm *format) (c change) {
	c.grown = n.size - o.size
	c.roomy = fm.class == mixed && !fm.once
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
	if c.grown > windowSize {
		c.tail = random(n.upTo(o.size, windowSize)) || random(n.upTo(o.size+c.grown/2, windowSize))
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
	if c.roomy && zeros(a) {
		c.filled++
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

// able reports whether the older version's bytes differ from random ones and what changed or was added does so now, so
// that the rule would have seen a change.
func (c *change) able() bool {
	switch {
	case c.n == 0 || c.tail || c.filled > c.changed:
		return false
	case c.changed == 0, c.after.n < leastRandom && c.after.n*100 < c.bytes:
		return true
	}
	return c.randomThen*2 < c.changed && c.before.chi() > 2*randomChi && c.after.chi() > 2*randomChi
}

// enough reports whether so many bytes changed that they are no field that holds a key or a digest.
func (c *change) enough() bool {
	return c.after.n >= leastRandom || c.after.n >= 64 && c.after.n*4 >= c.bytes
}

// ordered is the chi-square above which the bytes of the older version that changed are far from random. Of few bytes it is
// more for each: those of small packed files come near to random ones.
func (c *change) ordered() float64 {
	n := float64(c.before.n)
	if c.before.n < leastRandom {
		return max(2*randomChi, 3*n)
	}
	return max(2*randomChi, n/4)
}

// inPlace reports whether some places changed and others did not: the newer version is as long, but for what ransomware
// appends for itself.
func (c *change) inPlace() bool { return c.grown >= 0 && c.grown <= windowSize && c.changed < c.n }

// verdict is the rule of changed places.
func (c *change) verdict(fm *format) Verdict {
	packed := fm.class == packed
	switch {
	case c.changed == 0:
	case fm.class == text && c.noText():
		return verdict(Spoiled, RulePlaces, "the bytes that changed are no text")
	case packed && !c.inPlace(): // another picture is as random as an encrypted one
	case c.random*10 >= c.changed*9 && c.randomThen*2 < c.random:
		return verdict(Spoiled, RulePlaces, "%d of %d changed windows are random now, %d were", c.random, c.changed, c.randomThen)
	case c.enough() && c.after.chi() < randomChi && c.before.chi() > c.ordered():
		return verdict(Spoiled, RulePlaces, "the bytes that changed are random now and were not")
	case (packed || fm.once) && c.inPlace() && c.changed >= 4 && c.random*4 >= c.changed*3:
		return verdict(Spoiled, RulePlaces, "%d of %d windows changed in place, %d of them random now", c.changed, c.n, c.random)
	}
	return Verdict{}
}

// noText reports whether the bytes that changed have control bytes and bytes beyond ASCII as random ones have, and had no
// control bytes before. A few are enough, where a window as a whole still passes.
func (c *change) noText() bool {
	if c.after.n < 24 {
		return false
	}
	control, high, before := 0, 0, 0
	for b, k := range c.after.of {
		if b >= 0x80 {
			high += k
		} else if isControl(byte(b)) {
			control += k
			before += c.before.of[b]
		}
	}
	return control >= 2 && control*25 >= c.after.n && high*10 >= c.after.n*3 && before == 0
}
