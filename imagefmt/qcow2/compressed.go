package qcow2

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"snapmount/imagefmt/layer"
)

const (
	maxWindow = 8 << 20 // enough for every level of zstd up to a cluster's 2 MiB
	cacheWays = 4       // slots in which a cluster may be
)

// unitSource is one compressed cluster. It is a value, so that two mappings to the same one compare equal.
type unitSource struct {
	d     *Disk
	entry uint64 // L2 entry
}

// unit is an unpacked cluster in the cache. The first who asks unpacks it; only who wants the same one waits.
type unit struct {
	entry uint64
	once  sync.Once
	data  []byte
	err   error
}

// Size is one cluster.
func (u unitSource) Size() int64 { return 1 << u.d.clusterBits }

func (u unitSource) String() string {
	off, _ := u.d.packed(u.entry)
	return fmt.Sprintf("a compressed cluster at 0x%x", off)
}

// ReadAt implements io.ReaderAt. A read of the whole cluster is unpacked in place, others through the cache.
func (u unitSource) ReadAt(p []byte, off int64) (int, error) {
	size := u.Size()
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	if layer.Clip(size, off, int64(len(p))) == 0 {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	c, slot := u.d.cached(u.entry)
	if c == nil {
		if off == 0 && int64(len(p)) == size {
			if err := u.d.unpack(u.entry, p); err != nil {
				return 0, err
			}
			return len(p), nil
		}
		c = &unit{entry: u.entry}
		slot.Store(c)
	}
	c.once.Do(func() {
		b := make([]byte, size)
		if c.err = u.d.unpack(u.entry, b); c.err == nil {
			c.data = b
		}
	})
	if c.err != nil {
		slot.CompareAndSwap(c, nil) // a failing disk may answer the next time
		return 0, c.err
	}
	n := copy(p, c.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// cached looks for an entry in the few slots that may hold it. Without one it returns the slot to fill: an empty one, or
// each in turn.
func (d *Disk) cached(entry uint64) (*unit, *atomic.Pointer[unit]) {
	n := uint64(len(d.units))
	first := entry * 0x9e3779b97f4a7c15 >> 32 // Fibonacci hashing spreads neighbouring entries
	var free *atomic.Pointer[unit]
	for way := range uint64(cacheWays) {
		slot := &d.units[(first+way)%n]
		c := slot.Load()
		if c != nil && c.entry == entry {
			return c, slot
		}
		if c == nil && free == nil {
			free = slot
		}
	}
	if free == nil {
		free = &d.units[(first+uint64(d.turn.Add(1))%cacheWays)%n]
	}
	return nil, free
}

// packed decodes a compressed L2 entry: an offset in the file, then the number of further 512-byte sectors; the cluster
// size decides where the border is.
func (d *Disk) packed(entry uint64) (off, sectors int64) {
	bits := 70 - d.clusterBits
	return int64(entry & (1<<bits - 1)), int64(entry&(entryCompressed-1)>>bits) + 1
}

// unpack fills dst, one cluster, with what the compressed L2 entry stands for.
func (d *Disk) unpack(entry uint64, dst []byte) error {
	off, sectors := d.packed(entry)
	n := layer.Clip(d.src.Size(), off, sectors*512-off%512)
	if n == 0 || entry&entryCopied != 0 {
		return layer.Corrupt("compressed cluster", off, "entry 0x%x, want an offset in the file of 0x%x bytes", entry, d.src.Size())
	}
	buf, _ := d.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer d.buffers.Put(buf)
	if int64(cap(*buf)) < n {
		*buf = make([]byte, n)
	}
	b := (*buf)[:n]
	if err := layer.ReadFull(d.src, b, off); err != nil {
		return fmt.Errorf("compressed cluster at 0x%x: %w", off, err)
	}
	if err := d.decompress(b, dst); err != nil {
		return layer.Corrupt("compressed cluster", off, "%w", err)
	}
	return nil
}

// decompress fills dst from b; what follows the stream in b is padding.
func (d *Disk) decompress(b, dst []byte) error {
	if d.compression == compressZstd {
		return d.inflateZstd(b, dst)
	}
	z, _ := d.inflaters.Get().(io.ReadCloser)
	if z == nil {
		z = flate.NewReader(nil)
	}
	defer d.inflaters.Put(z)
	if err := z.(flate.Resetter).Reset(bytes.NewReader(b), nil); err != nil {
		return err
	}
	return full(z, dst)
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
