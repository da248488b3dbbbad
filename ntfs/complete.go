package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// What an index does not tell, because of damage, the file records do: each names the directories that it is in. So a
// directory is complete as long as all records can be read. One roll of them serves the whole tree.

// A claim is a name that a record gives itself in a directory.
type claim struct {
	node *Node
	fileName
}

// claims yields the names that the file records of those numbers give themselves in the directory, 8.3 names too, until f
// reports false.
func (d *directory) claims(numbers []uint64, f func(claim) bool) {
	for _, number := range numbers {
		n, err := d.t.Node(Ref{Record: number})
		if err != nil {
			continue // a gap of the roll, or what a list says wrongly
		}
		list, _ := n.attributes()
		for i := range list {
			if list[i].typ != typeFileName || list[i].err != nil {
				continue
			}
			name, ok := decodeFileName(list[i].value)
			if ok && name.parent == d.ref && !n.isRootName(name.name) && !f(claim{n, name}) {
				return
			}
		}
	}
}

// isRootName reports whether the name is that of the root in itself.
func (n *Node) isRootName(name []byte) bool {
	return n.Ref.Record == recordRoot && string(name) == ".\x00"
}

// complete gives what the file records have in the directory and the index has not. What is wrong with the index is a
// warning then, unless there are records that cannot be read.
func (l *listing) complete() {
	given := map[string]bool{}
	for _, x := range l.nodes {
		eachEntry(x, func(e *indexEntry) bool {
			given[string(e.name())] = true
			return true
		})
	}
	all := l.d.t.roll()
	l.d.claims(all.in(l.d.ref.Record), func(c claim) bool {
		if c.namespace == NamespaceDOS || given[string(c.name)] {
			return !l.done
		}
		given[string(c.name)] = true
		l.giveClaim(c)
		return !l.done
	})
	if all.gap != nil {
		l.note(all.gap)
		return
	}
	l.d.t.warn(fmt.Errorf("directory %v: completed from file records: %w", l.d.ref, errors.Join(l.errs...)))
	l.problems, l.errs = 0, nil
}

// giveClaim yields an entry that a file record stands for.
func (l *listing) giveClaim(c claim) {
	n := c.node
	if l.long == nil {
		l.long = map[uint64]bool{}
	}
	l.long[n.Ref.Record] = true
	l.entry = Entry{Name: wintype.DecodeUTF16(c.name), Ref: n.Ref, Attr: n.Attr, Kind: n.Kind, Size: n.Size, Times: n.Times,
		FromRecord: true, meta: isMetafile(n.Ref.Record, c.parent.Record), tree: l.d.t, dir: l.d.ref}
	l.done = !l.yield(&l.entry, nil)
}

// complete searches the names that file records give themselves. A name that they do not have is not there then, unless
// there are records that cannot be read.
func (s *search) complete() {
	all := s.d.t.roll()
	s.d.claims(all.as(s.d.ref.Record, s.key.table.key(bytesUTF16(s.key.exact))), func(c claim) bool {
		if s.key.compare(c.name) == 0 {
			s.takeName(&c.fileName, c.node.Ref)
		}
		return s.rank < rankSame
	})
	if all.gap != nil {
		s.err = errors.Join(s.err, all.gap)
		return
	}
	s.d.t.warn(fmt.Errorf("directory %v: completed from file records: %w", s.d.ref, s.err))
	s.err = nil
}

// meant returns the node that an index entry of the directory means, which leads to ref by that name though err speaks
// against it. Another record that gives itself the name is the file. Else the record that the entry leads to is it, if
// it has a name that no entry of any directory leads to it by: then one of both is damaged.
func (n *Node) meant(name []byte, ref Ref, err error) (*Node, error) {
	d, err2 := n.directory()
	if err2 != nil || !errors.Is(err, layer.ErrCorrupt) {
		return nil, err
	}
	var found *Node
	d.claims(d.t.roll().as(d.ref.Record, d.t.upcase().key(name)), func(c claim) bool {
		if c.node.Ref.Record != ref.Record && bytes.Equal(c.name, name) {
			found = c.node
		}
		return found == nil
	})
	if found != nil {
		n.tree.warn(fmt.Errorf("directory %v: entry %q leads to record %v, and record %v has that name: %w", n.Ref, wintype.DecodeUTF16(name), ref, found.Ref, err))
		return found, nil
	}
	target, err2 := n.tree.Node(ref)
	if err2 != nil {
		return nil, err
	}
	names, err2 := target.Names()
	if err2 != nil || !slices.ContainsFunc(names, func(x Name) bool {
		return !isDOS(x) && !n.tree.indexHas(x, Ref{Record: ref.Record})
	}) {
		return nil, err
	}
	n.tree.warn(fmt.Errorf("directory %v: entry %q leads to record %v, whose own name no entry has: %w", n.Ref, wintype.DecodeUTF16(name), ref, err))
	return target, nil
}

// encodeUTF16 is a WTF-8 name as the disk has it.
func encodeUTF16(name string) []byte { return bytesUTF16(wintype.EncodeUTF16(name)) }

func bytesUTF16(units []uint16) []byte {
	b := make([]byte, 0, 2*len(units))
	for _, c := range units {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}
