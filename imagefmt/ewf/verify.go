package ewf

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"hash"
	"sync"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

const verifyBytes = 1 << 20

// Verify reads the whole disk, whatever format.Env.ZeroBad says, and computes its hashes. The error is the
// cause of the end of ctx.
func (d *Disk) Verify(ctx context.Context, progress layer.Progress) (format.Result, error) {
	r := format.Result{Stored: d.stored}
	per := max(1, verifyBytes/d.chunkSize)
	m, s := startHash(md5.New()), startHash(sha1.New())
	type buffer struct {
		b     []byte
		inUse sync.WaitGroup
	}
	buffers := make([]buffer, 3)
	chunks := (d.size + d.chunkSize - 1) / d.chunkSize
	for c, turn := int64(0), 0; c < chunks && ctx.Err() == nil; turn = (turn + 1) % len(buffers) {
		buf := &buffers[turn]
		if buf.inUse.Wait(); buf.b == nil {
			buf.b = make([]byte, per*d.chunkSize)
		}
		last := min(c+per, chunks) - 1
		n := min((last+1)*d.chunkSize, d.size) - c*d.chunkSize
		d.chunks.Follow(c, last)
		for b := buf.b[:n]; c <= last; c++ {
			k := d.chunkLen(c)
			if err := d.read(c, b[:k], 0); err != nil {
				clear(b[:k])
				addBad(&r, c*d.chunkSize, k, err)
			}
			b = b[k:]
		}
		buf.inUse.Add(2)
		m.add(buf.b[:n], buf.inUse.Done)
		s.add(buf.b[:n], buf.inUse.Done)
		progress.Tell("verifying, MiB", layer.MiB(min(c*d.chunkSize, d.size)), layer.MiB(d.size))
	}
	setHashes(&r.Computed, m.sum(), s.sum())
	return r, context.Cause(ctx)
}

// addBad notes a range, joined to the one before it.
func addBad(r *format.Result, off, n int64, err error) {
	if i := len(r.Bad) - 1; i >= 0 && r.Bad[i].Off+r.Bad[i].Len == off {
		r.Bad[i].Len += n
		return
	}
	r.Bad = append(r.Bad, format.Range{off, n, err})
}

// hashing computes a hash beside the reading.
type hashing struct {
	work chan func(hash.Hash)
	done chan []byte
}

func startHash(h hash.Hash) hashing {
	g := hashing{make(chan func(hash.Hash), 1), make(chan []byte, 1)}
	go func() {
		for f := range g.work {
			f(h)
		}
		g.done <- h.Sum(nil)
	}()
	return g
}

func (g hashing) add(b []byte, done func()) {
	g.work <- func(h hash.Hash) {
		h.Write(b)
		done()
	}
}

func (g hashing) sum() []byte {
	close(g.work)
	return <-g.done
}
