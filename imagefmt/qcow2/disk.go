// Package qcow2 reads the disk images of QEMU: versions 2 and 3, compressed and zero clusters, subclusters, backing
// files, external data files and internal snapshots. The format is docs/interop/qcow2.txt of QEMU's sources.
package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"snapmount/imagefmt/chunks"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

const tableCacheBytes = 32 << 20 // L2 tables kept in memory

// Disk is the virtual disk, a layer.Mapper: its data clusters are extents of the image file, its
// unallocated ones of the backing file, and compressed ones of a Source that unpacks them.
type Disk struct {
	src         layer.Source
	data        layer.Source // where the clusters are: src, or the external data file
	backing     *format.Disk // nil for none
	snapshots   []Snapshot
	size        int64
	version     uint32
	clusterBits uint32
	l2Bits      uint32 // log2 of the entries of a table
	pieceBits   uint32 // log2 of the entries of a piece
	extended    bool
	compression byte

	l1Off  int64 // bytes, in the file
	l1     []uint64
	pieces []atomic.Pointer[piece] // by number modulo length

	unpacked       *chunks.Source // what is in compressed clusters
	workers, zstds sync.Pool
}

// Open reads the header and the L1 table of the image in src. A src without the magic is a layer.ErrFormat, a snapshot
// that is not there an fs.ErrNotExist.
func Open(src layer.Source, env format.Env) (*Disk, error) {
	env = env.Ready()
	h, err := readHeader(src)
	if err != nil {
		return nil, err
	}
	if h.incompatible&featCorrupt != 0 {
		env.Fault(errors.New("header: the corrupt bit is set: QEMU found damaged tables in this image"))
	}
	snapshots, err := readSnapshots(src, h)
	if err != nil && env.Snapshot == "" {
		env.Warn(err)
		err = nil
	}
	shown := state{h.size, h.l1Off, h.l1Entries}
	if env.Snapshot != "" && err == nil {
		shown, err = find(snapshots, env.Snapshot)
	}
	if err != nil {
		return nil, err
	}
	d := &Disk{
		src: src, data: src, size: int64(shown.size), version: h.version, clusterBits: h.clusterBits, l2Bits: h.l2Bits(),
		extended: h.incompatible&featExtendedL2 != 0, compression: h.compression, snapshots: snapshots,
	}
	need, err := h.l1Need(shown, src.Size())
	if err != nil {
		return nil, err
	}
	if err := d.readL1(int64(shown.l1Off), need); err != nil {
		return nil, err
	}
	if err := d.checkEnd(h, need); err != nil {
		env.Fault(err)
	}
	lenBits := min(d.clusterBits, pieceLenBits)
	d.pieceBits = d.l2Bits - (d.clusterBits - lenBits)
	d.pieces = make([]atomic.Pointer[piece], slots(tableCacheBytes, lenBits, len(d.l1)<<(d.l2Bits-d.pieceBits)))
	d.unpacked = d.newUnpacked()
	return d, d.openOthers(h, env.Files)
}

// openOthers opens the files that the header names.
func (d *Disk) openOthers(h header, files format.Files) (err error) {
	if h.incompatible&featExternalData != 0 {
		if d.data, err = openData(h.dataFile, files); err != nil {
			return fmt.Errorf("external data file %q: %w", h.dataFile, err)
		}
	}
	if h.backing == "" {
		return nil
	}
	d.backing, err = openBacking(h, files)
	if _, deeper := errors.AsType[*format.ChainError](err); err != nil && !deeper {
		err = fmt.Errorf("backing file %q: %w", h.backing, err)
	}
	return err
}

// slots is the number of pieces of 2^lenBits bytes that fit into n bytes, at most limit and at least one.
func slots(n int, lenBits uint32, limit int) int {
	return max(1, min(n>>lenBits, limit))
}

// readL1 reads the entries of the L1 table that the size asks for, as far as the file has them.
func (d *Disk) readL1(off int64, n int) error {
	b := make([]byte, layer.Clip(d.src.Size(), off, int64(n)*8)&^7)
	if err := layer.ReadFull(d.src, b, off); err != nil {
		return fmt.Errorf("L1 table: %w", err)
	}
	d.l1Off, d.l1 = off, bigEndianWords(b)
	return d.checkL1()
}

// checkL1 refuses an L1 table that names more L2 tables than there are clusters in the file: some are named over and over,
// so that a small file stands for any amount of data. Those past the end of a file that was cut short do not count.
func (d *Disk) checkL1() error {
	inside, room := int64(0), d.src.Size()>>d.clusterBits
	for _, entry := range d.l1 {
		at := bits.RotateLeft64(entry&^entryCopied, -int(d.clusterBits)) // what is no offset of a cluster becomes large
		if at != 0 && at < uint64(room) {
			inside++
		}
	}
	if inside > room {
		return layer.Corrupt("L1 table", d.l1Off, "%d L2 tables in the 0x%x bytes of the file, which has %d clusters", inside, d.src.Size(), room)
	}
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
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return layer.Read(d, p, off, layer.Fail) }
