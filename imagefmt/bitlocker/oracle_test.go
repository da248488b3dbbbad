package bitlocker

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"snapmount/imagefmt/layer"
)

var errBad = errors.New("bad")

// counting counts what is read.
type counting struct {
	*bytes.Reader
	n atomic.Int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.n.Add(int64(len(p)))
	return c.Reader.ReadAt(p, off)
}

// randomCase is a volume of random pieces over a random disk.
type randomCase struct {
	size   int64
	src    *disk
	pieces []piece
	method Method
	raw    []byte // what the disk has
	ok     []bool // by byte of it
	good   []bool // by sector of it
	plain  []byte // each sector of it decrypted
	sector int64
}

func newCase(r *rand.Rand, method Method, sector int) *randomCase {
	size := 1 + r.Int64N(1<<(8+r.IntN(11)))
	c := &randomCase{size: size, method: method, raw: noise(int(size), r.Uint64()), ok: make([]bool, size), sector: int64(sector)}
	files := []*bytes.Reader{bytes.NewReader(make([]byte, 64<<10+size)), bytes.NewReader(noise(3*int(size), r.Uint64()))}
	c.src = &disk{bad: map[int]error{}}
	c.cover(r, func(off, n int64) {
		e := layer.Extent{Off: off, Len: n}
		good := true
		switch k := r.IntN(10); k {
		case 0:
			e.Kind = layer.Zero
		case 1:
			e.Kind, e.Why, good = layer.Unknown, layer.Missing, false
		case 2:
			c.src.bad[len(c.src.list)], good = errBad, false
		default:
			file := files[k%2]
			e.Base, e.BaseOff = file, r.Int64N(file.Size()-n+1)
			_, _ = file.ReadAt(c.raw[off:][:n], e.BaseOff) // cannot fail
		}
		if e.Base == nil {
			clear(c.raw[off:][:n])
		}
		for i := range n {
			c.ok[off+i] = good
		}
		c.src.list = append(c.src.list, e)
	})
	cipher, err := newSectorCipher(method, testKey(method), sector)
	if err != nil {
		panic(err)
	}
	c.plain = bytes.Clone(c.raw)
	spare := new(scratch)
	for at := int64(0); at+c.sector <= size; at += c.sector {
		c.good = append(c.good, !slices.Contains(c.ok[at:][:sector], false))
		cipher.decrypt(c.plain[at:][:sector], spare, at)
	}
	c.cover(r, func(off, n int64) {
		p := piece{off: off, n: n, kind: pieceKind(r.IntN(9)), from: off}
		switch {
		case p.kind > pieceRefused:
			p.kind = pieceCipher
		case p.kind == piecePatch:
			p.data = noise(int(n), r.Uint64())
		case p.kind == pieceRefused:
			p.err = errBad
		}
		if p.kind == pieceCipher && r.IntN(3) == 0 {
			p.from = r.Int64N(size - n + 1) // the bytes were moved, and the sectors are those of there
		}
		c.pieces = append(c.pieces, p)
	})
	return c
}

// cover calls emit for ranges that follow each other, which are sectors mostly.
func (c *randomCase) cover(r *rand.Rand, emit func(off, n int64)) {
	for off := int64(0); off < c.size; {
		n := 1 + r.Int64N(1<<r.IntN(18))
		if r.IntN(4) > 0 {
			n = max(c.sector, n/c.sector*c.sector)
		}
		n = min(n, c.size-off)
		emit(off, n)
		off += n
	}
}

// byte is what is at an offset of the volume, if that can be told.
func (c *randomCase) byte(off int64) (byte, bool) {
	for _, p := range c.pieces {
		in := off - p.off
		if in >= p.n {
			continue
		}
		at := p.from + in
		switch p.kind {
		case pieceZero:
			return 0, true
		case piecePatch:
			return p.data[in], true
		case piecePlain:
			return c.raw[at], c.ok[at]
		case pieceRefused:
			return 0, false
		}
		n := at / c.sector
		return c.plain[at], n < int64(len(c.good)) && c.good[n]
	}
	return 0, false
}
