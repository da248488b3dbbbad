package campaign

import (
	"bytes"
)

// ntfsKinds are mutations of what NTFS keeps of files.
var ntfsKinds = []kind{
	{"record zeroed", func(m *mutation) bool { return m.whole(isUser, func(b []byte) { clear(b) }) }},
	{"record torn: half zeros", func(m *mutation) bool { return m.whole(isUser, func(b []byte) { clear(b[len(b)/2:]) }) }},
	{"record torn: half of another", func(m *mutation) bool {
		h := m.home()
		other, ok := pick(m, h.records)
		return ok && m.whole(isUser, func(b []byte) { copy(b[len(b)/2:], other.b[len(b)/2:]) })
	}},
	{"records zeroed, 4 KiB", zeroCluster},
	{"record with random bytes", randomRecord},
	{"record with another sequence", func(m *mutation) bool {
		return m.record(isUser, func(_ *home, _ *record, b []byte) { le.PutUint16(b[0x10:], le.Uint16(b[0x10:])+uint16(1+m.IntN(3))) })
	}},
	{"record with another base", func(m *mutation) bool {
		return m.record(isUser, func(h *home, _ *record, b []byte) {
			if o, ok := pick(m, h.records); ok {
				le.PutUint64(b[0x20:], o.number|uint64(le.Uint16(o.b[0x10:]))<<48)
			}
		})
	}},
	{"extension with another base", func(m *mutation) bool {
		return m.record(isExtension, func(h *home, _ *record, b []byte) {
			le.PutUint64(b[0x20:], []uint64{0, le.Uint64(b[0x20:]) + 1, le.Uint64(b[0x20:]) + 1<<48}[m.IntN(3)])
		})
	}},
	{"extension zeroed", func(m *mutation) bool { return m.whole(isExtension, func(b []byte) { clear(b) }) }},
	{"record sizes", func(m *mutation) bool {
		return m.record(isUser, func(_ *home, _ *record, b []byte) {
			off := []int{0x14, 0x18, 0x1c}[m.IntN(3)]
			v := []uint32{0, 8, uint32(len(b)), uint32(len(b)) * 2, le.Uint32(b[off:]) - 8, 0x7ffffff8}[m.IntN(6)]
			if off == 0x14 {
				le.PutUint16(b[off:], uint16(v))
			} else {
				le.PutUint32(b[off:], v)
			}
			m.notef("0x%x is 0x%x", off, v)
		})
	}},
	{"attribute sizes", attributeSizes},
	{"in-use flag cleared", func(m *mutation) bool {
		return m.record(isUser, func(_ *home, _ *record, b []byte) { b[0x16] &^= 1 })
	}},
	{"in-use flag set", func(m *mutation) bool {
		return m.record(isFree, func(_ *home, _ *record, b []byte) { b[0x16] |= 1 })
	}},
	{"directory flag", func(m *mutation) bool {
		return m.record(isUser, func(_ *home, _ *record, b []byte) { b[0x16] ^= 2 })
	}},
	{"record with another number", func(m *mutation) bool {
		return m.record(isUser, func(_ *home, _ *record, b []byte) { le.PutUint32(b[0x2c:], le.Uint32(b[0x2c:])+1) })
	}},
	{"name in record", func(m *mutation) bool {
		m.limit = "find:" // it reads file records, and directories only where names changed between points
		return m.record(with(attrName, false), func(h *home, r *record, b []byte) {
			a := r.attr(attrName)
			switch at := a.value[0]; m.IntN(3) {
			case 0:
				b[at+0x42+2*m.IntN(max(1, int(b[at+0x40])))] ^= 1
			case 1:
				o, _ := pick(m, h.records)
				le.PutUint64(b[at:], o.number|uint64(le.Uint16(o.b[0x10:]))<<48)
				m.notef("parent %d", o.number)
			case 2:
				b[at+0x40]--
			}
		})
	}},
	{"$MFT's own record", func(m *mutation) bool { return m.systemRecord(0) }},
	{"record of a system file", func(m *mutation) bool { return m.systemRecord([]uint64{1, 3, 5, 6, 9, 10, 11}[m.IntN(7)]) }},
	{"$MFTMirr", func(m *mutation) bool {
		at, ok := m.system(1, attrData, "")
		return ok && m.edit(at, func(b []byte) { m.spoil(b[:min(len(b), 1024*(1+m.IntN(4)))]) })
	}},
	{"$MFT:$BITMAP", func(m *mutation) bool {
		at, ok := m.system(0, attrBitmap, "")
		return ok && m.edit(at, func(b []byte) { m.spoilBits(b[:min(len(b), len(m.seed.homes[0].records)/8+1)]) })
	}},
	{"$Bitmap", func(m *mutation) bool {
		at, ok := m.system(6, attrData, "")
		return ok && m.edit(at, func(b []byte) { m.spoilBits(b) })
	}},
	{"$UpCase", func(m *mutation) bool {
		at, ok := m.system(10, attrData, "")
		return ok && m.edit(at, func(b []byte) {
			n := []int{512, 4096, len(b)}[m.IntN(3)]
			if off := m.IntN(max(1, (len(b)-n)/512+1)) * 512; m.IntN(3) > 0 {
				off = 0
				m.spoil(b[off:][:n])
			} else {
				m.spoil(b[off:][:n])
			}
		})
	}},
	{"$Secure:$SDS", func(m *mutation) bool {
		at, ok := m.system(9, attrData, "$SDS")
		return ok && m.edit(at, func(b []byte) {
			for range 1 + m.IntN(3) {
				off := m.IntN(min(len(b), 0x1000))
				m.spoil(b[off:min(len(b), off+1+m.IntN(600))])
			}
		})
	}},
	{"boot sector: field", func(m *mutation) bool { return m.boot(false, bootField) }},
	{"boot sector: zeroed", func(m *mutation) bool { return m.boot(false, func(m *mutation, b []byte) { m.spoil(b) }) }},
	{"boot copy: field", func(m *mutation) bool { return m.boot(true, bootField) }},
	{"boot copy: zeroed", func(m *mutation) bool { return m.boot(true, func(m *mutation, b []byte) { m.spoil(b) }) }},
}

// spoil makes zeros, ones or garbage.
func (m *mutation) spoil(b []byte) {
	switch m.IntN(3) {
	case 0:
		clear(b)
	case 1:
		copy(b, bytes.Repeat([]byte{0xff}, len(b)))
	default:
		m.garbage(b)
	}
}

// spoilBits clears or sets bits of a bitmap, or spoils a range.
func (m *mutation) spoilBits(b []byte) {
	switch m.IntN(4) {
	case 0:
		for range 1 + m.IntN(8) {
			b[m.IntN(len(b))] &^= 1 << m.IntN(8)
		}
	case 1:
		for range 1 + m.IntN(8) {
			b[m.IntN(len(b))] |= 1 << m.IntN(8)
		}
	default:
		off := m.IntN(len(b))
		m.spoil(b[off:min(len(b), off+1+m.IntN(512))])
	}
}

func zeroCluster(m *mutation) bool {
	h := m.home()
	r, ok := pick(m, h.records)
	if !ok || r.number < 24 {
		return false
	}
	first := r.number &^ 3
	m.what = h.volume.Name + "@" + h.facts.point.Name
	m.notef("records %d to %d", first, first+3)
	size := int64(h.tree.RecordSize())
	return m.edit(resolved(h.tree.MFT(), int64(first)*size, 4*size), func(b []byte) { clear(b) })
}

// randomRecord changes bytes of a record. Where nothing else on the volume says what they were, it is blind.
func randomRecord(m *mutation) bool {
	return m.record(isUser, func(_ *home, r *record, b []byte) {
		used := int(min(le.Uint32(b[0x18:]), uint32(len(b))))
		for range 1 + m.IntN(4) {
			off := 8 + m.IntN(used-8)
			if !witnessed(r, off) {
				m.blind = "values of a record, names of streams and mapping pairs are there once"
			}
			b[off] = byte(m.Uint32())
			m.notef("0x%x", off)
			if a := r.attr(attrName); a != nil && !a.nonResident && a.off <= off && off < a.off+a.n {
				m.limit = "find:"
			}
		}
	})
}

// witnessed reports whether something else on the volume says what a byte of a record is, or what it cannot be.
func witnessed(r *record, off int) bool {
	if off < int(le.Uint16(r.b[0x14:])) {
		return off != 0x12 && off != 0x13 // the number of links
	}
	for _, a := range r.attrs {
		in := off - a.off
		switch {
		case in < 0 || in >= a.n:
		case in < 0x10:
			return a.kind != attrData || in < 8 || in == 8 // flags and names of streams
		case a.nonResident:
			return off < a.pairs[0] && in < 0x38 && !a.named
		case in < 0x18:
			return a.kind != attrData || in >= 0x14
		case a.kind == attrName:
			at := off - a.value[0]
			return at < 8 || at >= 0x40
		case a.kind == attrList, a.kind == attrRoot, a.kind == attrBitmap:
			return off >= a.value[0]
		default:
			return false
		}
	}
	return true // behind the end
}

// attributeSizes gives a size that the runs, or the record, contradict.
func attributeSizes(m *mutation) bool {
	return m.record(isUser, func(h *home, r *record, b []byte) {
		a, ok := pick(m, r.attrs)
		if !ok {
			return
		}
		m.notef("attribute 0x%x at 0x%x", a.kind, a.off)
		if !a.nonResident {
			le.PutUint32(b[a.off+0x10:], []uint32{uint32(a.n), 0x7fffffff, uint32(a.n) + 64}[m.IntN(3)])
			return
		}
		field := []int{0x18, 0x28, 0x30, 0x38}[m.IntN(4)]
		allocated, size := le.Uint64(b[a.off+0x28:]), le.Uint64(b[a.off+0x30:])
		values := map[int][]uint64{
			0x18: {le.Uint64(b[a.off+0x18:]) + 1, le.Uint64(b[a.off+0x18:]) - 1, 1 << 40},
			0x28: {allocated + uint64(h.tree.ClusterSize()), 0, 1 << 62},
			0x30: {allocated + 1, allocated + 1<<30, 1 << 63},
			0x38: {size + 1, allocated + 1, 1 << 62},
		}[field]
		v := values[m.IntN(3)]
		le.PutUint64(b[a.off+field:], v)
		m.notef("0x%x is 0x%x", field, v)
	})
}

// systemRecord spoils the record of a system file, in one of several ways.
func (m *mutation) systemRecord(number uint64) bool {
	is := func(_ *home, r *record) bool { return r.number == number }
	switch m.IntN(4) {
	case 0:
		return m.whole(is, func(b []byte) { m.spoil(b) })
	case 1:
		return m.whole(is, func(b []byte) { m.spoil(b[len(b)/2:]) })
	case 2:
		return m.record(is, func(_ *home, r *record, b []byte) {
			for range 1 + m.IntN(6) {
				off := 8 + m.IntN(int(le.Uint32(b[0x18:]))-8)
				if number != 0 && !witnessed(r, off) {
					m.blind = "values of a record are there once"
				}
				b[off] = byte(m.Uint32())
				m.notef("0x%x", off)
			}
		})
	default:
		return m.record(is, func(_ *home, r *record, b []byte) {
			a, ok := pick(m, r.attrs)
			if ok && a.nonResident {
				p := b[a.pairs[0]:][:a.pairs[1]]
				p[m.IntN(min(len(p), 8))] = byte(m.Uint32())
				if number != 0 && a.kind == attrData {
					m.blind = "mapping pairs are there once"
				}
			} else if ok {
				b[a.off+4+m.IntN(12)] = byte(m.Uint32())
			}
			m.notef("attribute 0x%x", a.kind)
		})
	}
}

// boot changes the boot sector of a volume as imaged, or its copy.
func (m *mutation) boot(backup bool, change func(m *mutation, b []byte)) bool {
	v, ok := pick(m, m.seed.volumes)
	if !ok || v.Filesystem != "ntfs" {
		return false
	}
	off := int64(0)
	if t, err := v.Current().Files(); err != nil {
		return false
	} else if backup {
		if off = t.Size(); off+512 > v.Block.Size() {
			return false
		}
	}
	m.what = v.Name
	return m.edit(resolved(v.Block, off, 512), func(b []byte) { change(m, b) })
}

func bootField(m *mutation, b []byte) {
	f := []struct{ off, n int }{{3, 8}, {0x0b, 2}, {0x0d, 1}, {0x28, 8}, {0x30, 8}, {0x38, 8}, {0x40, 1}, {0x44, 1}, {0x48, 8}, {0x1fe, 2}}[m.IntN(10)]
	if f.off == 0x48 || f.off == 0x44 {
		m.blind = "which of two serial numbers, or unused sizes, is right is not told"
	}
	switch m.IntN(3) {
	case 0:
		clear(b[f.off:][:f.n])
	case 1:
		m.garbage(b[f.off:][:f.n])
	default:
		b[f.off] += byte(1 + m.IntN(3))
	}
	m.notef("0x%x", f.off)
}
