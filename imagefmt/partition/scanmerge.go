package partition

import (
	"cmp"
	"encoding/binary"
	"slices"

	"snapmount/imagefmt/bitlocker"
)

// A guess is a volume that hits could be of.
type guess struct {
	off    int64
	of     hit    // a boot sector, or a copy of it
	marks  []Mark //
	weight int    // anchors that are where it says
	sound  bool   //
}

type guessKey struct {
	off, size int64
	kind      string
}

// merge makes volumes of the hits. Each NTFS boot sector could be the first sector of a volume, or its copy in the last:
// what is where it says, and what the other end holds, decides.
func (s *scanner) merge() []Found {
	used := map[int64]bool{}
	var out []Found
	for _, g := range s.guesses() {
		g.marks = slices.DeleteFunc(g.marks, func(m Mark) bool { return used[m.Off] })
		if len(g.marks) == 0 || g.weight == 0 && g.marks[0].What == BootCopy {
			continue
		}
		for _, m := range g.marks {
			used[m.Off] = true
		}
		size := cmp.Or(g.of.size, s.metadataSize(g))
		out = append(out, Found{Off: g.off, Len: size, Kind: g.of.kind, Sized: size > 0, Sound: g.sound, Marks: g.marks, Outer: -1})
	}
	out = s.addHeaders(out)
	for i := range out {
		slices.SortFunc(out[i].Marks, func(a, b Mark) int { return cmp.Compare(a.Off, b.Off) })
	}
	return s.nest(out)
}

// guesses gives what the boot sectors could be of, the weightiest first.
func (s *scanner) guesses() []*guess {
	var list []*guess
	at := map[guessKey]*guess{}
	add := func(h hit, off int64, what string) {
		key := guessKey{off, h.size, h.kind}
		g := at[key]
		if g == nil {
			g = &guess{off: off, of: h}
			g.weight = s.weight(off, h.geometry)
			g.sound = g.weight > 1 || g.weight == 1 && !h.doubtful || h.kind == "refs"
			at[key], list = g, append(list, g)
		}
		g.marks = append(g.marks, Mark{h.off, what})
	}
	for _, h := range s.hits {
		switch h.kind {
		case "":
			continue
		case aBlock:
			s.addBlock(h.off, add)
			continue
		}
		add(h, h.off, BootSector)
		if h.copy > 0 && h.off >= h.copy {
			add(h, h.off-h.copy, BootCopy)
		}
	}
	slices.SortStableFunc(list, func(a, b *guess) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(len(b.marks), len(a.marks)),
			cmp.Compare(bit(b.off%aligned == 0), bit(a.off%aligned == 0)), cmp.Compare(a.off, b.off))
	})
	return list
}

// addBlock adds the volumes that a metadata block could be of: it does not tell which of the copies it is.
func (s *scanner) addBlock(off int64, add func(h hit, off int64, what string)) {
	starts, copies := s.starts(off)
	for _, start := range starts {
		add(hit{off: off, kind: "bitlocker", doubtful: len(starts) > 1, geometry: bitLockerGeometry(copies)}, start, Metadata)
	}
}

// starts gives where the volume could begin that has metadata at an offset, and where it has all copies.
func (s *scanner) starts(off int64) (starts, copies []int64) {
	block, err := bitlocker.Find(s.disk, off)
	if err != nil {
		return nil, nil
	}
	for _, place := range block.Copies {
		if place > 0 && place <= off && !slices.Contains(starts, off-place) {
			starts = append(starts, off-place)
		}
	}
	return starts, block.Copies[:]
}

// metadataSize is how long a volume of BitLocker is: all of it is encrypted (state 4), up to an offset that the header of
// a metadata block has at 16. 0 when nothing tells.
func (s *scanner) metadataSize(g *guess) int64 {
	if g.of.kind != "bitlocker" {
		return 0
	}
	for _, a := range g.of.anchors {
		b := s.read(g.off+a.off, anchorLen)
		if b != nil && a.is(b) && b[10] == 2 && b[12] == 4 {
			return product(binary.LittleEndian.Uint64(b[16:]), 1)
		}
	}
	return 0
}

// addHeaders adds VSS headers to the volumes that they are of, or as volumes whose boot sectors are lost.
func (s *scanner) addHeaders(list []Found) []Found {
	at := map[int64]int{} // of volumes, the soundest at each place
	for i, f := range list {
		if j, ok := at[f.Off]; !ok || f.Sound && !list[j].Sound {
			at[f.Off] = i
		}
	}
	for _, h := range s.hits {
		if h.kind != "" {
			continue
		}
		off, mark := h.off-vssHeaderOffset, Mark{h.off, VSSHeader}
		if i, ok := at[off]; ok {
			list[i].Marks = append(list[i].Marks, mark)
		} else {
			list = append(list, Found{Off: off, Marks: []Mark{mark}, Outer: -1})
		}
	}
	return list
}

// strength orders volumes by what speaks for them: what is where they say, both ends, and then the size.
func strength(a, b Found) int {
	return cmp.Or(cmp.Compare(bit(b.Sound), bit(a.Sound)), cmp.Compare(bit(b.BothEnds()), bit(a.BothEnds())), cmp.Compare(b.Len, a.Len), cmp.Compare(a.Off, b.Off))
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// nest tells which volumes lie in a sound one for which more speaks, or overlap it, and ends those that do not tell their
// size where the next begins. It returns them in the order of their offsets.
func (s *scanner) nest(list []Found) []Found {
	slices.SortStableFunc(list, strength)
	var outer []Found
	for i := range list {
		f := &list[i]
		end := f.Off + max(f.Len, 1)
		if j := slices.IndexFunc(outer, func(o Found) bool { return f.Off < o.Off+o.Len && o.Off < end }); j >= 0 {
			f.Outer = outer[j].Off
		} else if f.Sound && f.Sized {
			outer = append(outer, *f)
		}
	}
	slices.SortStableFunc(list, func(a, b Found) int { return cmp.Compare(a.Off, b.Off) })
	next := s.disk.Size()
	for i := len(list) - 1; i >= 0; i-- {
		f := &list[i]
		if !f.Sized {
			f.Len = max(next-f.Off, 0)
		}
		if f.Outer < 0 && (f.Sound || !f.Sized) {
			next = f.Off
		}
	}
	return list
}
