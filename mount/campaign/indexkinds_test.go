package campaign

// indexKinds are mutations of directories, attribute lists and runs.
var indexKinds = []kind{
	{"index block zeroed", func(m *mutation) bool { return m.block(func(b []byte) { m.spoil(b) }) }},
	{"index block torn", func(m *mutation) bool { return m.block(func(b []byte) { m.spoil(b[512*(1+m.IntN(7)):]) }) }},
	{"index block with garbage", func(m *mutation) bool {
		return m.index(func(b []byte) {
			for range 1 + m.IntN(6) {
				off := 8 + m.IntN(min(len(b), int(le.Uint32(b[0x1c:]))+0x18)-8)
				m.garbage(b[off : off+min(len(b)-off, 1+m.IntN(16))])
				m.notef("0x%x", off)
			}
		})
	}},
	{"index block's sizes", func(m *mutation) bool {
		return m.index(func(b []byte) {
			off := []int{0x10, 0x18, 0x1c, 0x20, 0x24}[m.IntN(5)]
			le.PutUint32(b[off:], []uint32{0, le.Uint32(b[off:]) + 8, le.Uint32(b[off:]) - 8, 0x10000, le.Uint32(b[off:]) / 2 &^ 7}[m.IntN(5)])
			m.notef("0x%x", off)
		})
	}},
	{"index entry's reference", func(m *mutation) bool {
		return m.entry(func(b []byte, at, n int) {
			ref := le.Uint64(b[at:])
			le.PutUint64(b[at:], []uint64{ref + 1, ref + 1<<48, ref - 1, 0, ref ^ 4}[m.IntN(5)])
		})
	}},
	{"index entry's name", func(m *mutation) bool {
		return m.entry(func(b []byte, at, n int) {
			if length := int(b[at+0x10+0x40]); length > 0 {
				b[at+0x52+2*m.IntN(length)] ^= byte(1 + m.IntN(7))
			}
		})
	}},
	{"index entry removed", func(m *mutation) bool {
		return m.entry(func(b []byte, at, n int) {
			end := 0x18 + int(le.Uint32(b[0x1c:]))
			copy(b[at:], b[at+n:end])
			le.PutUint32(b[0x1c:], le.Uint32(b[0x1c:])-uint32(n))
		})
	}},
	{"index root", func(m *mutation) bool {
		return m.record(isDir, func(_ *home, r *record, b []byte) {
			a := r.attr(attrRoot)
			if a == nil || a.nonResident {
				return
			}
			v := b[a.value[0]:][:a.value[1]]
			if m.IntN(2) == 0 {
				m.spoil(v[m.IntN(len(v)):])
			} else {
				for range 1 + m.IntN(3) {
					v[m.IntN(len(v))] = byte(m.Uint32())
				}
			}
		})
	}},
	{"index root entry removed", func(m *mutation) bool {
		return m.record(isDir, func(_ *home, r *record, b []byte) {
			a := r.attr(attrRoot)
			if a == nil || a.nonResident || a.value[1] < 0x20 {
				return
			}
			v := b[a.value[0]:][:a.value[1]]
			first, end := 0x10+int(le.Uint32(v[0x10:])), 0x10+int(le.Uint32(v[0x14:]))
			if n := int(le.Uint16(v[first+8:])); v[first+12]&3 == 0 && first+n < end {
				copy(v[first:], v[first+n:end])
				le.PutUint32(v[0x14:], uint32(end-n-0x10))
			}
		})
	}},
	{"index $BITMAP", func(m *mutation) bool {
		return m.record(isDir, func(_ *home, r *record, b []byte) {
			if a := r.attr(attrBitmap); a != nil && !a.nonResident {
				m.spoilBits(b[a.value[0]:][:a.value[1]])
			}
		})
	}},
	{"index without its blocks", func(m *mutation) bool {
		return m.record(isDir, func(_ *home, r *record, b []byte) {
			if a := r.attr(attrIndex); a != nil && a.nonResident {
				switch m.IntN(3) {
				case 0:
					clear(b[a.off+0x28:][:24]) // all sizes
				case 1:
					le.PutUint64(b[a.off+0x30:], 4096)
				default:
					m.garbage(b[a.pairs[0]:][:min(a.pairs[1], 4)])
				}
			}
		})
	}},
	{"attribute list: order", func(m *mutation) bool {
		return m.list(func(b []byte, entries [][2]int) {
			i := m.IntN(len(entries) - 1)
			x, y := entries[i], entries[i+1]
			joined := append(append([]byte{}, b[y[0]:][:y[1]]...), b[x[0]:][:x[1]]...)
			copy(b[x[0]:], joined)
		})
	}},
	{"attribute list: ids", func(m *mutation) bool {
		return m.list(func(b []byte, entries [][2]int) {
			e := entries[m.IntN(len(entries))][0]
			le.PutUint16(b[e+0x18:], le.Uint16(b[e+0x18:])+uint16(1+m.IntN(4)))
		})
	}},
	{"attribute list: VCN", func(m *mutation) bool {
		return m.list(func(b []byte, entries [][2]int) {
			e := entries[m.IntN(len(entries))][0]
			le.PutUint64(b[e+8:], []uint64{le.Uint64(b[e+8:]) + 1, 1 << 40, 7}[m.IntN(3)])
		})
	}},
	{"attribute list: references", func(m *mutation) bool {
		return m.list(func(b []byte, entries [][2]int) {
			e := entries[m.IntN(len(entries))][0]
			le.PutUint64(b[e+0x10:], le.Uint64(b[e+0x10:])+[]uint64{1, 1 << 48, 4}[m.IntN(3)])
		})
	}},
	{"attribute list: spoiled", func(m *mutation) bool {
		return m.list(func(b []byte, entries [][2]int) { m.spoil(b[entries[m.IntN(len(entries))][0]:]) })
	}},
	{"attribute list: entry left out", func(m *mutation) bool {
		return m.list(func(b []byte, entries [][2]int) {
			e := entries[m.IntN(len(entries))]
			n := copy(b[e[0]:], b[e[0]+e[1]:])
			clear(b[e[0]+n:])
		})
	}},
	{"runs: a length", func(m *mutation) bool {
		return m.runs(func(h *home, b []byte, r run) { b[r.pair+1] += byte(1 + m.IntN(3)) })
	}},
	{"runs: out of the volume", func(m *mutation) bool {
		return m.runs(func(h *home, b []byte, r run) {
			if n := int(b[r.pair] & 15); b[r.pair]>>4 > 1 {
				b[r.pair+n+int(b[r.pair]>>4)] = 0x7f
			}
		})
	}},
	{"runs: another place", func(m *mutation) bool {
		m.blind = "mapping pairs are there once"
		return m.runs(func(h *home, b []byte, r run) {
			if n := int(b[r.pair] & 15); b[r.pair]>>4 > 0 {
				b[r.pair+1+n] ^= 1
			}
		})
	}},
	{"runs: zeros", func(m *mutation) bool {
		return m.runs(func(h *home, b []byte, r run) { b[r.pair] = 0 })
	}},
}

// block changes an index block as it is on the disk.
func (m *mutation) block(change func(b []byte)) bool {
	h := m.home()
	at, ok := pick(m, h.indexes)
	m.what = h.volume.Name + "@" + h.facts.point.Name
	if ok {
		m.notef("index block at 0x%x", at[0].off)
	}
	return ok && m.edit(at, change)
}

// index changes an index block; its fixups are mended.
func (m *mutation) index(change func(b []byte)) bool {
	h := m.home()
	at, ok := pick(m, h.indexes)
	m.what = h.volume.Name + "@" + h.facts.point.Name
	if ok {
		m.notef("index block at 0x%x", at[0].off)
	}
	return ok && m.protected(at, change)
}

// entry changes an entry of an index block, given by its offset and length.
func (m *mutation) entry(change func(b []byte, at, n int)) bool {
	return m.index(func(b []byte) {
		var list [][2]int
		end := 0x18 + int(le.Uint32(b[0x1c:]))
		for at := 0x18 + int(le.Uint32(b[0x18:])); at+16 <= min(end, len(b)) && b[at+12]&2 == 0; {
			n := int(le.Uint16(b[at+8:]))
			if n < 16 {
				break
			}
			if b[at+12]&1 == 0 { // without blocks below it
				list = append(list, [2]int{at, n})
			}
			at += n
		}
		if e, ok := pick(m, list); ok {
			change(b, e[0], e[1])
			m.notef("entry at 0x%x", e[0])
		}
	})
}

// list changes an attribute list, with the offsets and lengths of its entries.
func (m *mutation) list(change func(b []byte, entries [][2]int)) bool {
	h := m.home()
	var fit []*record
	for i := range h.records {
		if r := &h.records[i]; r.used() && r.attr(attrList) != nil {
			fit = append(fit, r)
		}
	}
	r, ok := pick(m, fit)
	if !ok {
		return false
	}
	m.what = h.volume.Name + "@" + h.facts.point.Name
	m.notef("attribute list of record %d", r.number)
	change2 := func(b []byte) {
		if entries := listEntries(b); len(entries) > 1 {
			change(b, entries)
		}
	}
	a := r.attr(attrList)
	if !a.nonResident {
		return m.protected(r.at, func(b []byte) { change2(b[a.value[0]:][:a.value[1]]) })
	}
	cluster := int64(h.tree.ClusterSize())
	return m.edit(resolved(h.tree.Volume(), a.runs[0].lcn*cluster, min(a.runs[0].n*cluster, int64(le.Uint64(r.b[a.off+0x30:])))), change2)
}

func listEntries(b []byte) (out [][2]int) {
	for off := 0; off+26 <= len(b); {
		n := int(le.Uint16(b[off+4:]))
		if n < 26 || off+n > len(b) {
			break
		}
		out = append(out, [2]int{off, n})
		off += n
	}
	return out
}

// runs changes a mapping pair of the content of a file.
func (m *mutation) runs(change func(h *home, b []byte, r run)) bool {
	return m.record(with(attrData, true), func(h *home, r *record, b []byte) {
		if x, ok := pick(m, r.attr(attrData).runs); ok && !x.hole {
			change(h, b, x)
			m.notef("pair at 0x%x", x.pair)
		}
	})
}
