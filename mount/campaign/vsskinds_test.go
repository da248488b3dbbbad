package campaign

import (
	"fmt"

	"snapmount/diffstore/vsstest"
)

// vssKinds are mutations of the catalog, and of the records of stores.
var vssKinds = []kind{
	{"VSS header", func(m *mutation) bool {
		if !m.seed.stores {
			m.blind = "no files of VSS are listed on this volume"
		}
		return m.vss(vsstest.TypeVolume, func(b []byte) {
			if m.IntN(2) == 0 {
				m.spoil(b)
			} else {
				m.garbage(b[[]int{0, 0x10, 0x14, 0x30}[m.IntN(4)]:][:4])
			}
		})
	}},
	{"catalog block spoiled", func(m *mutation) bool { return m.vss(vsstest.TypeCatalog, func(b []byte) { m.spoil(b) }) }},
	{"catalog block's header", func(m *mutation) bool { return m.vss(vsstest.TypeCatalog, m.vssHead) }},
	{"catalog entry zeroed", func(m *mutation) bool {
		return m.slot(func(e []byte) {
			clear(e)
			if m.IntN(2) == 0 {
				le.PutUint32(e, 1)
			}
		})
	}},
	{"catalog entry's type", func(m *mutation) bool {
		return m.slot(func(e []byte) { le.PutUint32(e, []uint32{0, 1, 2, 3, 9}[m.IntN(5)]) })
	}},
	{"catalog entry's fields", func(m *mutation) bool {
		return m.slot(func(e []byte) {
			f := []int{0x08, 0x10, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48}[m.IntN(8)]
			if le.Uint32(e) == 2 && (f == 0x20 || f == 0x28) {
				m.blind = "positions and flags of snapshots are there once"
			}
			switch m.IntN(3) {
			case 0:
				clear(e[f:][:8])
			case 1:
				m.garbage(e[f:][:8])
			default:
				le.PutUint64(e[f:], le.Uint64(e[f:])+vsstest.BlockSize)
			}
			m.notef("0x%x", f)
		})
	}},
	{"store header spoiled", func(m *mutation) bool { return m.vss(vsstest.TypeStore, func(b []byte) { m.spoil(b) }) }},
	{"store header's header", func(m *mutation) bool { return m.vss(vsstest.TypeStore, m.vssHead) }},
	{"block list spoiled", func(m *mutation) bool { return m.vss(vsstest.TypeList, func(b []byte) { m.spoil(b) }) }},
	{"block list: torn", func(m *mutation) bool {
		return m.vss(vsstest.TypeList, func(b []byte) {
			clear(b[512*(1+m.IntN(31)):])
			m.newestBlind("a list ends at its first free slot, and blocks of the store file behind the last one that it tells of may be left from before")
		})
	}},
	{"block list's header", func(m *mutation) bool { return m.vss(vsstest.TypeList, m.vssHead) }},
	{"descriptor zeroed", func(m *mutation) bool { return m.descriptor(func(d []byte) { clear(d) }) }},
	{"descriptor: unused", func(m *mutation) bool {
		return m.descriptor(func(d []byte) {
			d[0x18] |= 4
			m.newestBlind("Windows, too, skips a descriptor that is marked so")
		})
	}},
	{"descriptor: relative", func(m *mutation) bool { return m.descriptor(func(d []byte) { m.shift(d[0x08:]) }) }},
	{"descriptor: store offset", func(m *mutation) bool { return m.descriptor(func(d []byte) { m.shift(d[0x10:]) }) }},
	{"descriptor: original", func(m *mutation) bool {
		return m.descriptor(func(d []byte) {
			m.shift(d)
			m.newestBlind("which block a copy is of is told by its descriptor alone")
		})
	}},
	{"descriptor: flags", func(m *mutation) bool {
		return m.descriptor(func(d []byte) { d[0x18] ^= []byte{1, 2, 3, 8, 0x10}[m.IntN(5)] })
	}},
	{"range list", func(m *mutation) bool {
		return m.vss(vsstest.TypeRanges, func(b []byte) {
			switch m.IntN(3) {
			case 0:
				m.spoil(b[0x80:])
			case 1:
				m.shift(b[0x80+8*m.IntN(3):])
			default:
				m.vssHead(b)
			}
		})
	}},
	{"VSS bitmap spoiled", func(m *mutation) bool { return m.vss(vsstest.TypeBitmap, func(b []byte) { m.spoil(b) }) }},
	{"VSS bitmap: bits", func(m *mutation) bool {
		return m.vss(vsstest.TypeBitmap, func(b []byte) {
			m.newestBlind("of the current bitmap of the newest store nothing is there twice")
			m.spoilBits(b[0x80 : 0x80+m.seed.size/vsstest.BlockSize/8])
		})
	}},
	{"VSS bitmap: header", func(m *mutation) bool { return m.vss(vsstest.TypeBitmap, m.vssHead) }},
}

// shift moves an offset by some blocks.
func (m *mutation) shift(b []byte) {
	le.PutUint64(b, le.Uint64(b)+uint64(m.IntN(9)+1)*vsstest.BlockSize*uint64(1-2*m.IntN(2)))
}

// vssHead changes what a metadata block says of itself.
func (m *mutation) vssHead(b []byte) {
	f := []int{0, 0x14, 0x18, 0x20, 0x28}[m.IntN(5)]
	if m.IntN(2) == 0 {
		m.shift(b[f:])
	} else {
		clear(b[f:][:8])
	}
	m.notef("0x%x", f)
}

// vss changes a block of VSS of a type.
func (m *mutation) vss(kind uint32, change func(b []byte)) bool {
	var fit []*vssBlock
	for i := range m.seed.vss {
		if m.seed.vss[i].kind == kind {
			fit = append(fit, &m.seed.vss[i])
		}
	}
	x, ok := pick(m, fit)
	if !ok {
		return false
	}
	m.what, m.newest = fmt.Sprintf("block of type %d at 0x%x", kind, x.at[0].off), x.newest
	return m.edit(x.at, change)
}

// slot changes an entry of a catalog that is in use.
func (m *mutation) slot(change func(e []byte)) bool {
	return m.vss(vsstest.TypeCatalog, func(b []byte) {
		var used []int
		for off := 0x80; off+0x80 <= len(b); off += 0x80 {
			if t := le.Uint32(b[off:]); t == 2 || t == 3 {
				used = append(used, off)
			}
		}
		if off, ok := pick(m, used); ok {
			m.notef("entry of type %d at 0x%x", le.Uint32(b[off:]), off)
			change(b[off:][:0x80])
		}
	})
}

// newestBlind says why nothing tells of a change of the newest store. Of others the previous bitmap of the next one does.
func (m *mutation) newestBlind(why string) {
	if m.newest {
		m.blind = why
	}
}

// descriptor changes one of a block list.
func (m *mutation) descriptor(change func(d []byte)) bool {
	return m.vss(vsstest.TypeList, func(b []byte) {
		var used []int
		for off := 0x80; off+0x20 <= len(b); off += 0x20 {
			if le.Uint64(b[off+8:]) != 0 || le.Uint64(b[off:]) != 0 {
				used = append(used, off)
			}
		}
		if off, ok := pick(m, used); ok {
			m.notef("descriptor at 0x%x", off)
			last := off == used[len(used)-1]
			if change(b[off:][:0x20]); last && m.blind == "" && le.Uint64(b[off:]) == 0 && le.Uint64(b[off+8:]) == 0 {
				m.newestBlind("a list ends at its first free slot, and blocks of the store file behind the last one that it tells of may be left from before")
			}
		}
	})
}
