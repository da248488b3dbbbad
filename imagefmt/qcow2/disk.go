// Package qcow2 reads the disk images of QEMU: versions 2 and 3, compressed and zero clusters, subclusters, and
// backing files. The format is docs/interop/qcow2.txt of QEMU's sources. Internal snapshots are not looked at: the
// active state is shown.
package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"snapmount/imagefmt/layer"
)

// Options may be left zero.
type Options struct {
	// Warn is told what is worth knowing and does not stop the reading; nil drops it.
	Warn func(error)
	// OpenBacking opens the backing file that the header names; format is "" when the header has none. It decides
	// what names may reach. nil refuses every backing file.
	OpenBacking func(name, format string) (layer.Source, error)
}

const (
	tableCacheBytes = 32 << 20 // L2 tables kept in memory
	dataCacheBytes  = 16 << 20 // unpacked clusters kept in memory
)

// Disk is the virtual disk, a layer.Mapper: its data clusters are extents of the image file, its unallocated ones of
// the backing file, and each compressed one is a small Source of its own.
type Disk struct {
	src         layer.Source
	backing     layer.Source // nil for none
	size        int64
	version     uint32
	clusterBits uint32
	l2Bits      uint32
	extended    bool
	compression byte

	l1Off  int64 // bytes, in the file
	l1     []uint64
	tables []atomic.Pointer[table] // by L1 index modulo length
	units  []atomic.Pointer[unit]  // by a hash of the L2 entry, see cached
	turn   atomic.Uint32

	inflaters, zstds, buffers sync.Pool
}

// Open reads the header and the L1 table of the image in src. A src without the magic is a layer.ErrFormat.
func Open(src layer.Source, opts Options) (*Disk, error) {
	h, err := readHeader(src)
	if err != nil {
		return nil, err
	}
	if h.incompatible&featCorrupt != 0 && opts.Warn != nil {
		opts.Warn(errors.New("header: the corrupt bit is set: QEMU found damaged tables in this image"))
	}
	d := &Disk{
		src: src, size: int64(h.size), version: h.version, clusterBits: h.clusterBits, l2Bits: h.l2Bits(),
		extended: h.incompatible&featExtendedL2 != 0, compression: h.compression,
	}
	if err := d.readL1(int64(h.l1Off), int(h.l1Need())); err != nil {
		return nil, err
	}
	d.tables = make([]atomic.Pointer[table], slots(tableCacheBytes, h.clusterBits, len(d.l1)))
	d.units = make([]atomic.Pointer[unit], slots(dataCacheBytes, h.clusterBits, 1<<12))
	if h.backing == "" {
		return d, nil
	}
	if opts.OpenBacking == nil {
		return nil, fmt.Errorf("backing file %q: not opened: %w", h.backing, layer.ErrUnsupported)
	}
	if d.backing, err = opts.OpenBacking(h.backing, h.backingFormat); err != nil {
		return nil, fmt.Errorf("backing file %q: %w", h.backing, err)
	}
	return d, nil
}

// slots is the number of clusters that fit into bytes, at most limit and at least one.
func slots(bytes int, clusterBits uint32, limit int) int {
	return max(1, min(bytes>>clusterBits, limit))
}

// readL1 reads the entries of the L1 table that the size asks for.
func (d *Disk) readL1(off int64, n int) error {
	b := make([]byte, n*8)
	if err := layer.ReadFull(d.src, b, off); err != nil {
		return fmt.Errorf("L1 table: %w", err)
	}
	d.l1Off, d.l1 = off, bigEndianWords(b)
	return nil
}

func bigEndianWords(b []byte) []uint64 {
	w := make([]uint64, len(b)/8)
	for i := range w {
		w[i] = binary.BigEndian.Uint64(b[i*8:])
	}
	return w
}

// Size is the size of the virtual disk, in bytes.
func (d *Disk) Size() int64 { return d.size }

// ReadAt implements io.ReaderAt.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return layer.ReadAt(d, p, off) }
