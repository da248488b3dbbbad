package bitlocker

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"runtime"
	"sync"

	"snapmount/imagefmt/layer"
)

// volumeCipher is what decrypts a volume.
type volumeCipher struct {
	sectorCipher
	sector int64
	id     [8]byte // of method, key and sector: the same for the same of them
	spare  sync.Pool
}

func newVolumeCipher(method Method, key []byte, sector int) (*volumeCipher, error) {
	c, err := newSectorCipher(method, key, sector)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, []uint32{uint32(method), uint32(sector)}) // cannot fail
	h.Write(key)
	v := &volumeCipher{sectorCipher: c, sector: int64(sector)}
	copy(v.id[:], h.Sum(nil))
	v.spare.New = func() any { return new(scratch) }
	return v, nil
}

// A leaf decrypts what lies at the same offsets of the source below, nil for zeros. Leaves are compared by value.
type leaf struct {
	cipher *volumeCipher
	below  layer.Source // a leaf; a layer.Mapper only where the last sector does not lie in one
	shift  int64        // from an offset here to the one in the volume
	end    int64        // of the sectors in the volume
}

// Size implements layer.Source.
func (l leaf) Size() int64 {
	if l.below == nil {
		return l.end - l.shift
	}
	return min(l.end-l.shift, l.below.Size())
}

// Describe implements layer.Described.
func (l leaf) Describe() string { return "decrypted sectors of a BitLocker volume" }

// Packed implements layer.Packed.
func (l leaf) Packed() (layer.Mapper, error) {
	switch l.below.(type) {
	case nil:
		return zeros(l.Size()), nil
	case layer.Mapper:
		return layer.Section(l.below, l.end-l.cipher.sector, l.cipher.sector)
	}
	return layer.Section(l.below, 0, l.Size())
}

// Method implements layer.Packed: the same key makes of the same bytes the same only where they lie alike in the volume.
func (l leaf) Method() int64 {
	h := sha256.New()
	h.Write(l.cipher.id[:])
	_ = binary.Write(h, binary.LittleEndian, []int64{l.shift, l.end}) // cannot fail
	return int64(binary.LittleEndian.Uint64(h.Sum(nil)))
}

// ReadAt implements io.ReaderAt. It reads and decrypts whole sectors only, and no more of them than are asked for.
func (l leaf) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, l.Size(), l.read)
}

func (l leaf) read(p []byte, off int64) (n int, err error) {
	s := l.cipher.spare.Get().(*scratch)
	defer l.cipher.spare.Put(s)
	sector := l.cipher.sector
	if in := (off + l.shift) % sector; in > 0 {
		if n, err = l.part(p, off-in, in, s); err != nil {
			return 0, err
		}
	}
	if whole := int64(len(p)-n) / sector * sector; whole > 0 {
		k, err := l.sectors(p[n:][:whole], off+int64(n), s)
		if n += k; err != nil {
			return n, err
		}
	}
	if n < len(p) {
		k, err := l.part(p[n:], off+int64(n), 0, s)
		return n + k, err
	}
	return n, nil
}

// part copies what lies from in on in the sector at off.
func (l leaf) part(p []byte, off, in int64, s *scratch) (int, error) {
	b := s.sector[:l.cipher.sector]
	if _, err := l.run(b, off, s); err != nil {
		return 0, err
	}
	return copy(p, b[in:]), nil
}

const (
	minShare = 64 << 10  // bytes for which another goroutine is worth its start
	readSize = 128 << 10 // bytes that are read at once, to be decrypted while they are in the cache
)

// sectors reads and decrypts whole sectors, many of them on all cores.
func (l leaf) sectors(p []byte, off int64, s *scratch) (int, error) {
	shares := min(len(p)/minShare, runtime.GOMAXPROCS(0))
	if shares < 2 {
		return l.run(p, off, s)
	}
	return l.share(p, off, shares, s)
}

// share is run by several goroutines.
func (l leaf) share(p []byte, off int64, shares int, s *scratch) (int, error) {
	type result struct {
		want, n int
		err     error
	}
	results := make([]result, shares)
	each := len(p) / shares / maxSector * maxSector
	var all sync.WaitGroup
	for i := 1; i < shares; i++ {
		part := p[i*each : (i+1)*each]
		if i == shares-1 {
			part = p[i*each:]
		}
		all.Go(func() {
			s := l.cipher.spare.Get().(*scratch)
			defer l.cipher.spare.Put(s)
			n, err := l.run(part, off+int64(i*each), s)
			results[i] = result{len(part), n, err}
		})
	}
	n, err := l.run(p[:each], off, s)
	all.Wait()
	if err != nil {
		return n, err
	}
	for _, r := range results[1:] {
		if n += r.n; r.n < r.want {
			return n, r.err
		}
	}
	return n, nil
}

// run reads and decrypts whole sectors one after the other.
func (l leaf) run(p []byte, off int64, s *scratch) (done int, err error) {
	for done < len(p) && err == nil {
		b := p[done:min(len(p), done+readSize)]
		at := off + int64(done)
		n := len(b)
		if l.below == nil {
			clear(b)
		} else if n, err = l.below.ReadAt(b, at); n == len(b) {
			err = nil
		} else if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		n -= n % int(l.cipher.sector)
		for b = b[:n]; len(b) > 0; b = b[min(len(b), scratchSize):] {
			now := b[:min(len(b), scratchSize)]
			l.cipher.decrypt(now, s, at+l.shift)
			at += int64(len(now))
		}
		done += n
	}
	return done, err
}

// zeros is a layer of holes.
type zeros int64

func (z zeros) Size() int64 { return int64(z) }

func (z zeros) ReadAt(p []byte, off int64) (int, error) { return layer.Read(z, p, off, layer.Fail) }

func (z zeros) At(off, n int64) (layer.Extent, error) {
	return layer.Extent{Off: off, Len: n, Kind: layer.Zero}, nil
}

// patch is a leaf of bytes that were made. Two are the same when their bytes are.
type patch string

// Size implements layer.Source.
func (d patch) Size() int64 { return int64(len(d)) }

// Describe implements layer.Described.
func (d patch) Describe() string { return "made of the metadata of BitLocker" }

// ReadAt implements io.ReaderAt.
func (d patch) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, d.Size(), func(p []byte, off int64) (int, error) { return copy(p, d[off:]), nil })
}
