package diskfile

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
)

const (
	perL2      = cluster / 8 // entries of a table of 8 bytes
	perRefs    = cluster / 2 // counts of 2 bytes in a block
	used       = 1 << 63     // of an entry: what it leads to has one reference
	readsZero  = 1           // of an entry: zeros, whatever is below
	backingExt = 0xe2792aca
	maxBacking = 1023
)

// A plan says where the parts of a qcow2 lie, in clusters: header, table of level 1, table and blocks of reference counts,
// tables of level 2, and the content in the order of the disk.
type plan struct {
	l1, l2, data     int64 // how many
	refTable, refs   int64
	l1At, refTableAt int64 // where
	refsAt, l2At     int64
	dataAt, all      int64
}

func ceil(n, by int64) int64 { return (n + by - 1) / by }

// planOf counts the clusters of a file with content clusters of data and tables of level 2.
func planOf(size, tables, data int64) plan {
	p := plan{l1: ceil(ceil(ceil(size, cluster), perL2)*8, cluster), l2: tables, data: data}
	for { // reference counts count themselves
		p.all = 1 + p.l1 + p.refTable + p.refs + p.l2 + p.data
		refs := ceil(p.all, perRefs)
		if table := ceil(refs*8, cluster); refs == p.refs && table == p.refTable {
			break
		} else {
			p.refs, p.refTable = refs, table
		}
	}
	p.l1At = 1
	p.refTableAt = p.l1At + p.l1
	p.refsAt = p.refTableAt + p.refTable
	p.l2At = p.refsAt + p.refs
	p.dataAt = p.l2At + p.l2
	return p
}

// qcow2 writes a qcow2 of version 3, as docs/interop/qcow2.txt of qemu has it; integers are big-endian.
func (w *writer) qcow2(backing *Backing) error {
	var below layer.Mapper
	if backing != nil {
		below = backing.Disk
	}
	list, err := w.clusters(below)
	if err != nil {
		return err
	}
	tables, data := int64(0), int64(0)
	last := int64(-1)
	for _, c := range list {
		first, end := c.off/cluster/perL2, (c.off+c.n-1)/cluster/perL2
		tables += end - max(first-1, last)
		last = end
		if !c.zero {
			data += c.n / cluster
		}
	}
	p := planOf(w.size, tables, data)
	head, err := w.header(p, backing)
	if err != nil {
		return err
	}
	if err := w.f.Truncate(p.all * cluster); err != nil {
		return err
	}
	if err := w.counts(p); err != nil {
		return err
	}
	if err := w.tables(p, list); err != nil {
		return err
	}
	at := p.dataAt * cluster
	for _, c := range list {
		if c.zero {
			continue
		}
		if err := w.copy(c, at); err != nil {
			return err
		}
		at += c.n
	}
	_, err = w.f.WriteAt(head, 0) // last: a file that is cut short is none
	return err
}

// header is 104 bytes: 0 magic, 4 version, 8 and 16 offset and length of the backing name, 20 bits of a cluster, 24 size, 36
// entries and 40 offset of level 1, 48 offset and 56 clusters of the table of reference counts, 96 bits of a count as a
// power, 100 its own length; then the format of the backing file as an extension, an empty one, and the name.
func (w *writer) header(p plan, backing *Backing) ([]byte, error) {
	be := binary.BigEndian
	b := make([]byte, 104)
	copy(b, "QFI\xfb")
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], clusterBits)
	be.PutUint64(b[24:], uint64(w.size))
	be.PutUint32(b[36:], uint32(ceil(ceil(w.size, cluster), perL2)))
	be.PutUint64(b[40:], uint64(p.l1At*cluster))
	be.PutUint64(b[48:], uint64(p.refTableAt*cluster))
	be.PutUint32(b[56:], uint32(p.refTable))
	be.PutUint32(b[96:], 4)
	be.PutUint32(b[100:], 104)
	if backing == nil {
		return append(b, make([]byte, 8)...), nil
	}
	if n := len(backing.Name); n == 0 || n > maxBacking {
		return nil, fmt.Errorf("the name of the image has %d bytes, a qcow2 takes 1 to %d: %w", n, maxBacking, layer.ErrUnsupported)
	}
	b = be.AppendUint32(be.AppendUint32(b, backingExt), uint32(len(backing.Format)))
	b = append(b, backing.Format...)
	b = append(b, make([]byte, (8-len(backing.Format)%8)%8+8)...)
	be.PutUint64(b[8:], uint64(len(b)))
	be.PutUint32(b[16:], uint32(len(backing.Name)))
	return append(b, backing.Name...), nil
}

// counts writes the table of reference counts and its blocks: each cluster of the file is used once.
func (w *writer) counts(p plan) error {
	be := binary.BigEndian
	var table []byte
	for i := range p.refs {
		table = be.AppendUint64(table, uint64((p.refsAt+i)*cluster))
	}
	if _, err := w.f.WriteAt(table, p.refTableAt*cluster); err != nil {
		return err
	}
	block := make([]byte, cluster)
	for i := range p.refs {
		n := min(p.all-i*perRefs, perRefs)
		clear(block)
		for k := range n {
			be.PutUint16(block[2*k:], 1)
		}
		if _, err := w.f.WriteAt(block, (p.refsAt+i)*cluster); err != nil {
			return err
		}
	}
	return nil
}

// tables writes both levels of the tables that lead to the content.
func (w *writer) tables(p plan, list []clusters) error {
	be := binary.BigEndian
	l1 := make([]byte, p.l1*cluster)
	l2, at, table := make([]byte, cluster), p.l2At, int64(-1)
	flush := func() error {
		if table < 0 {
			return nil
		}
		be.PutUint64(l1[table*8:], uint64(at*cluster)|used)
		_, err := w.f.WriteAt(l2, at*cluster)
		at++
		clear(l2)
		return err
	}
	data := p.dataAt
	for _, c := range list {
		for i, end := c.off/cluster, (c.off+c.n)/cluster; i < end; i++ {
			if t := i / perL2; t != table {
				if err := flush(); err != nil {
					return err
				}
				table = t
			}
			entry := uint64(readsZero)
			if !c.zero {
				entry = uint64(data*cluster) | used
				data++
			}
			be.PutUint64(l2[i%perL2*8:], entry)
		}
	}
	if err := flush(); err != nil {
		return err
	}
	_, err := w.f.WriteAt(l1, p.l1At*cluster)
	return err
}
