package content

// checkClass walks a Java class (JVM specification, chapter 4), which must end with its last attribute.
func checkClass(f *file) finding {
	c := javaClass{s: f.from(8)}
	if b := f.bytes(0, 8); b == nil || be.Uint16(b[6:]) < 40 {
		return silent // a program of macOS for several processors begins the same
	}
	c.pool()
	c.skip(6)
	c.skip(2 * c.u2())
	for range 2 { // fields, methods
		for range c.u2() {
			if c.bad {
				break
			}
			c.skip(6)
			c.attributes()
		}
	}
	c.attributes()
	switch {
	case c.wrong:
		return torn(c.s.off, "the pool of constants is wrong")
	case c.bad:
		return cut("it ends within its structure")
	case c.s.left() > 0:
		return torn(c.s.off, "something follows the last attribute")
	}
	return sound(false, "the structure is right")
}

type javaClass struct {
	s          *stream
	bad, wrong bool
}

func (c *javaClass) skip(n int64) {
	if !c.bad && !c.s.skip(n) {
		c.bad = true
	}
}

func (c *javaClass) u2() int64 {
	b := c.s.take(2)
	if b == nil || c.bad {
		c.bad = true
		return 0
	}
	return int64(be.Uint16(b))
}

func (c *javaClass) pool() {
	n := c.u2()
	for i := int64(1); i < n && !c.bad; i++ {
		tag, err := c.s.ReadByte()
		if err != nil {
			c.bad = true
			return
		}
		switch tag {
		case 1:
			c.skip(c.u2())
		case 3, 4, 9, 10, 11, 12, 17, 18:
			c.skip(4)
		case 5, 6:
			c.skip(8)
			i++
		case 7, 8, 16, 19, 20:
			c.skip(2)
		case 15:
			c.skip(3)
		default:
			c.bad, c.wrong = true, true
		}
	}
}

func (c *javaClass) attributes() {
	for range c.u2() {
		if c.bad {
			return
		}
		c.skip(2)
		b := c.s.take(4)
		if b == nil {
			c.bad = true
			return
		}
		c.skip(int64(be.Uint32(b)))
	}
}
