package format

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
)

// digestBuffers is how many buffers of a Digest may be on their way.
const digestBuffers = 3

// Digest computes all Hashes of what is read, each on a goroutine of its own, beside the reading. It is for one goroutine,
// which must call Sums in the end.
type Digest struct {
	buffers [digestBuffers]struct {
		b     []byte
		inUse sync.WaitGroup
	}
	turn int
	sums [3]hashing
}

// NewDigest makes one whose buffers have n bytes.
func NewDigest(n int64) *Digest {
	d := &Digest{sums: [3]hashing{startHash(md5.New()), startHash(sha1.New()), startHash(sha256.New())}}
	for i := range d.buffers {
		d.buffers[i].b = make([]byte, n)
	}
	return d
}

// Buffer waits for a buffer, to be filled and given to Add. What is in it is of earlier use.
func (d *Digest) Buffer() []byte {
	buf := &d.buffers[d.turn]
	buf.inUse.Wait()
	return buf.b
}

// Add takes the first n bytes of the Buffer.
func (d *Digest) Add(n int64) {
	buf := &d.buffers[d.turn]
	d.turn = (d.turn + 1) % digestBuffers
	buf.inUse.Add(len(d.sums))
	for _, s := range d.sums {
		s.work <- func(h hash.Hash) {
			h.Write(buf.b[:n])
			buf.inUse.Done()
		}
	}
}

// Sums ends the goroutines, and returns the hashes of all that was added.
func (d *Digest) Sums() Hashes {
	var list [3]string
	for i, s := range d.sums {
		close(s.work)
		list[i] = hex.EncodeToString(<-s.done)
	}
	return Hashes{MD5: list[0], SHA1: list[1], SHA256: list[2]}
}

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
