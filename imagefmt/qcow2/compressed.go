package qcow2

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"snapmount/imagefmt/chunks"
	"snapmount/imagefmt/inflate"
	"snapmount/imagefmt/layer"
)

const maxWindow = 8 << 20 // enough for every level of zstd up to a cluster's 2 MiB

// newUnpacked makes the Source of the compressed clusters.
func (d *Disk) newUnpacked() *chunks.Source {
	size := int64(1) << d.clusterBits
	cache := chunks.New((d.size-1)>>d.clusterBits+1, size, d.load, nil)
	return &chunks.Source{Cache: cache, Piece: size, Bytes: d.size, Name: "compressed clusters of a qcow2 image"}
}

// load returns a compressed cluster by its number on the disk.
func (d *Disk) load(cluster int64) ([]byte, error) {
	i := cluster >> d.l2Bits
	if i >= int64(len(d.l1)) || d.l1[i]&^entryCopied == 0 {
		return nil, fmt.Errorf("cluster 0x%x: no table", cluster)
	}
	at, err := d.table(i)
	if err != nil {
		return nil, err
	}
	t, err := d.piece(at, cluster>>d.pieceBits)
	if err != nil {
		return nil, err
	}
	entry, _, _, err := d.entry(t, cluster&(1<<d.pieceBits-1))
	if err != nil {
		return nil, err
	}
	if entry&entryCompressed == 0 {
		return nil, fmt.Errorf("cluster 0x%x: not compressed", cluster)
	}
	dst := make([]byte, 1<<d.clusterBits)
	return dst, d.unpack(entry, dst)
}

// packed decodes a compressed L2 entry: an offset in the file, then the number of further 512-byte sectors; the cluster
// size decides where the border is.
func (d *Disk) packed(entry uint64) (off, sectors int64) {
	bits := 70 - d.clusterBits
	return int64(entry & (1<<bits - 1)), int64(entry&(entryCompressed-1)>>bits) + 1
}

// worker is what unpacking needs, to be used again.
type worker struct {
	flate inflate.Decoder
	buf   []byte
}

// unpack fills dst, one cluster, with what the compressed L2 entry stands for.
func (d *Disk) unpack(entry uint64, dst []byte) error {
	off, sectors := d.packed(entry)
	n := layer.Clip(d.src.Size(), off, sectors*512-off%512)
	if n == 0 || entry&entryCopied != 0 {
		return layer.Corrupt("compressed cluster", off, "entry 0x%x, want an offset in the file of 0x%x bytes", entry, d.src.Size())
	}
	w, _ := d.workers.Get().(*worker)
	if w == nil {
		w = new(worker)
	}
	defer d.workers.Put(w)
	if int64(cap(w.buf)) < n {
		w.buf = make([]byte, n)
	}
	b := w.buf[:n]
	if err := layer.ReadFull(d.src, b, off); err != nil {
		return fmt.Errorf("compressed cluster at 0x%x: %w", off, err)
	}
	decompress := w.inflate
	if d.compression == compressZstd {
		decompress = d.inflateZstd
	}
	err := decompress(b, dst)
	if err != nil && off+n == d.src.Size() {
		return fmt.Errorf("%w: %w", layer.Cut("compressed cluster", off, sectors*512, d.src.Size()), err)
	}
	if err != nil {
		return layer.Corrupt("compressed cluster", off, "%w", err)
	}
	return nil
}

// inflate fills dst from b. What follows the stream in b is padding, and as for QEMU the stream may hold more, or its end
// may be missing.
func (w *worker) inflate(b, dst []byte) error {
	n, _, err := w.flate.Raw(dst, b)
	if err == inflate.ErrLong || errors.Is(err, io.ErrUnexpectedEOF) && n == len(dst) {
		return nil
	}
	if err == nil && n < len(dst) {
		return fmt.Errorf("unpacks to %d bytes, want %d", n, len(dst))
	}
	return err
}

func (d *Disk) inflateZstd(b, dst []byte) error {
	z, _ := d.zstds.Get().(*zstd.Decoder)
	if z == nil {
		var err error
		z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeBuffersBelow(0))
		if err != nil {
			return err
		}
	}
	defer d.zstds.Put(z)
	if err := z.Reset(bytes.NewReader(b)); err != nil {
		return err
	}
	return full(z, dst)
}

// full fills dst from r, whose early end is damage and never io.EOF.
func full(r io.Reader, dst []byte) error {
	n, err := io.ReadFull(r, dst)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("unpacks to %d bytes, want %d", n, len(dst))
	}
	return err
}
