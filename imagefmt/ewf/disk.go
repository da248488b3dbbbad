// Package ewf reads the Expert Witness Compression Format, which most forensic tools write: version 1 of EnCase 1 to 7,
// FTK Imager, linen (.E01) and SMART (.s01), and version 2 of EnCase 7 (.Ex01), in any number of segment files. The
// format is as the libewf project documents it.
//
// The disk is kept in chunks, each packed or as it is, and each with an Adler-32 checksum that is verified before a byte
// of it is shown. Opening reads the section descriptors and checks the chunk tables; what the tables say is read again,
// in pieces, when it is asked for.
package ewf

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"

	"snapmount/imagefmt/chunks"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

const (
	maxChunkSize = 64 << 20
	maxChunks    = 1 << 32
)

// Disk is the disk that was acquired, a layer.Mapper: a chunk that is stored as it is is an extent of its segment file,
// given after its checksum was verified once; packed ones are extents of a Source that unpacks them.
type Disk struct {
	size      int64
	chunkSize int64
	sector    int64          // bytes
	tables    []table        // in the order of their chunks
	unread    []format.Range // that were not read when the image was made, in order
	info      format.Info
	stored    format.Hashes
	faults    []error
	later     []check
	hidden    bool // a stored hash may be in what is damaged or missing
	zeroBad   bool
	warn      func(error)

	unpacked *unpacked
	pages    []atomic.Pointer[page]  // by number modulo length
	chunks   *chunks.Cache           // unpacked
	verified []atomic.Pointer[marks] // chunks that are stored as they are and passed their checksum
	zeros    atomic.Pointer[[]byte]  // how this image packs a chunk of zeros
	told     damageLog

	inflaters sync.Pool
}

// Open reads the first segment file, which is in src or, when that is a later one, opened instead of it, and asks for the
// others, which are put in the order of their own numbers. What is in missing or cut segments is layer.Unknown; Warn is
// told. A src without the magic is a layer.ErrFormat.
func Open(src layer.Source, env format.Env) (*Disk, error) {
	env = env.Ready()
	files := &segmentFiles{env: env, why: make(map[int]error)}
	src, err := files.start(src)
	if err != nil {
		return nil, err
	}
	l := &loader{first: files.first, told: env.Warn}
	if err := l.segments(src, files); err != nil {
		return nil, err
	}
	d := &Disk{zeroBad: env.ZeroBad, warn: env.Warn}
	d.unpacked = &unpacked{d}
	if err := l.finish(d); err != nil {
		return nil, err
	}
	return d, nil
}

// prepare makes the caches for what is there.
func (d *Disk) prepare() {
	var total, pages int64
	for i := range d.tables {
		t := &d.tables[i]
		t.page = pages
		pages += (t.count + t.perPage() - 1) / t.perPage()
		total = t.first + t.count
	}
	d.pages = make([]atomic.Pointer[page], max(1, min(pages, pageCacheBytes/pageBytes)))
	d.chunks = chunks.New((d.size+d.chunkSize-1)/d.chunkSize, d.chunkSize, d.load, d.isVerified)
	d.verified = make([]atomic.Pointer[marks], (total+marksChunks-1)/marksChunks)
}

// Size is the size of the disk, in bytes.
func (d *Disk) Size() int64 { return d.size }

// Info implements format.Acquisition.
func (d *Disk) Info() format.Info { return d.info }

// Stored implements format.Acquisition.
func (d *Disk) Stored() format.Hashes { return d.stored }

// ReadAt implements io.ReaderAt.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return layer.Read(d, p, off, layer.Fail) }

// Faults are what opening found to be lost or damaged, or to contradict itself, and what was not read when the image was
// made, which is a layer.UnknownError.
func (d *Disk) Faults() []error {
	if len(d.unread) == 0 {
		return d.faults
	}
	n := int64(0)
	for _, r := range d.unread {
		n += r.Len
	}
	return append(slices.Clone(d.faults), fmt.Errorf("0x%x bytes were not read when the image was made, the first: %w", n, d.unread[0].Err))
}

// At implements layer.Mapper. To keep the promise that data was verified it reads a chunk that is stored as it is, once, and
// with format.Env.ZeroBad a packed one, too: zeros in place of it are marked.
func (d *Disk) At(off, n int64) (layer.Extent, error) {
	c := off / d.chunkSize
	if !d.isThere(c) {
		return layer.Extent{Off: off, Len: min(n, d.nextTable(c)*d.chunkSize-off), Kind: layer.Unknown, Why: layer.Missing}, nil
	}
	skipped, n := d.notAcquired(off, n)
	if skipped {
		return layer.Extent{Off: off, Len: n, Kind: layer.Unknown, Why: layer.NotAcquired}, nil
	}
	in := off - c*d.chunkSize
	e := layer.Extent{Off: off, Len: min(n, d.chunkLen(c)-in)}
	s, err := d.slot(c)
	if err == nil && (d.zeroBad || s.kind == kindPlain) {
		err = d.sound(c, s)
	}
	switch {
	case err != nil && d.forgiven(c, err):
		e.Kind, e.Why = layer.Unknown, layer.Zeroed
	case err != nil:
		return e, err
	case s.kind == kindPlain:
		e.Base, e.BaseOff = s.src, s.off+in
	case s.kind == kindPattern && s.off == 0:
		e.Kind = layer.Zero
	default:
		for !d.zeroBad && e.Len < n && d.isPacked(c+1) {
			c++
			e.Len = min(n, e.Len+d.chunkLen(c))
		}
		e.Base, e.BaseOff = d.unpacked, off
	}
	return e, nil
}

// sound says why a chunk cannot be had.
func (d *Disk) sound(c int64, s slot) error {
	if d.chunks.Follow(c, c); s.kind == kindPlain && d.isVerified(c) {
		return nil
	}
	_, err := d.chunks.Piece(c)
	return err
}

// isThere reports whether a table has chunk c.
func (d *Disk) isThere(c int64) bool {
	t, _ := d.find(c)
	return t != nil
}

// chunkLen is how many bytes of the disk a chunk holds: the last may be shorter.
func (d *Disk) chunkLen(c int64) int64 { return min(d.chunkSize, d.size-c*d.chunkSize) }

// forgiven notes an error of a chunk, and reports whether it is to be read as zeros, and tells that it is.
func (d *Disk) forgiven(c int64, err error) bool {
	if !errors.Is(err, layer.ErrCorrupt) || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err := d.told.add(c, err); err != nil && d.zeroBad {
		d.warn(err)
	}
	return d.zeroBad
}

// damageLog remembers the damaged chunks that were met, up to a number.
type damageLog struct {
	mu     sync.Mutex
	chunks map[int64]error
}

const maxTold = 1000

// add returns what to tell of a chunk: nothing when it was told before, or when enough were.
func (l *damageLog) add(c int64, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.chunks[c] != nil || len(l.chunks) > maxTold {
		return nil
	}
	if l.chunks == nil {
		l.chunks = make(map[int64]error)
	}
	l.chunks[c] = err
	if len(l.chunks) > maxTold {
		return fmt.Errorf("more than %d damaged chunks are read as zeros: the others are not told", maxTold)
	}
	return fmt.Errorf("read as zeros: %w", err)
}
