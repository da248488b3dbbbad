package ntfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// Numbers of system files.
const (
	recordMFT    = 0
	recordVolume = 3
	recordRoot   = 5
	recordBitmap = 6
	recordUpcase = 10
	recordExtend = 11
	firstUser    = 16
)

var (
	// ErrStale says that a reference leads to a record that now is of another file, or of none. It is a layer.ErrCorrupt:
	// what refers so is not up to date.
	ErrStale = fmt.Errorf("stale reference: %w", layer.ErrCorrupt)
	// ErrNotDir says that a node has no children because it is no directory.
	ErrNotDir = errors.New("not a directory")

	errTooShort = fmt.Errorf("too short: %w", layer.ErrCorrupt)
)

// Options tune a Tree. The zero value works.
type Options struct {
	Unknown layer.Policy
	// Ciphertext gives files encrypted by EFS as the bytes on the disk, up to a whole block of 512. Else they are refused.
	Ciphertext bool
	// ForeignReparse gives files that have a reparse point of another program, and all of whose data is there, as they are
	// on the volume. Else they are refused.
	ForeignReparse bool
	Cache          *Cache      // shared with other trees; nil is one of its own
	Warn           func(error) // is told what was wrong and could be helped; called concurrently
}

// Tree is an NTFS volume.
type Tree struct {
	src     layer.Source
	opts    Options
	geo     boot
	mft     *stream
	records uint64
	label   string
	major   uint8
	minor   uint8
	flags   uint16 // of $VOLUME_INFORMATION

	cache  *Cache
	recent [recentChunks]atomic.Pointer[chunk]
	upcase func() *upcase
	free   func() (int64, error)
	secure atomic.Pointer[secureFile]

	opened   []error // what Open found to be wrong
	mirrored bool    // the record of $MFT is taken from $MFTMirr, though it looks sound

	surveyed   sync.Once
	found      survey
	rolled     sync.Once
	all        roll
	count      census
	bitmapRead sync.Once
	inUse      []byte // $MFT:$BITMAP
	bitmapErr  error
	bitmapAt   []attribute // the extents of $MFT:$BITMAP
}

// Open reads the boot sector and the first file records of s. It wraps layer.ErrFormat when s holds no NTFS volume.
func Open(s layer.Source, opts Options) (*Tree, error) {
	t := &Tree{src: s, opts: opts}
	var err error
	if t.geo, err = readBoot(s, t.fault); err != nil {
		return nil, fmt.Errorf("ntfs: %w", err)
	}
	if t.geo.size > s.Size() {
		t.fault(fmt.Errorf("the volume is truncated: %d bytes are there of %d", s.Size(), t.geo.size))
	}
	if err := t.openMFT(); err != nil {
		return nil, fmt.Errorf("ntfs: $MFT: %w", err)
	}
	if t.cache = opts.Cache; t.cache == nil {
		t.cache = NewCache(0)
	}
	t.upcase = sync.OnceValue(t.readUpcase)
	t.free = sync.OnceValues(t.countFree)
	t.count.reached = sync.OnceValue(t.readReached)
	if err := t.readVolumeInfo(); err != nil {
		t.fault(fmt.Errorf("$Volume: label and version are not known: %w", err))
	}
	return t, nil
}

// fault warns of what Open found, and keeps it for Faults.
func (t *Tree) fault(err error) {
	t.opened = append(t.opened, err)
	t.warn(err)
}

func (t *Tree) warn(err error) {
	if t.opts.Warn != nil {
		t.opts.Warn(err)
	}
}

// countRecords counts the records that have clusters.
func (t *Tree) countRecords() {
	size := min(t.mft.size, t.mft.runs.coverage()*int64(t.geo.cluster), t.geo.size)
	t.records = uint64(size) / uint64(t.geo.record)
}

func (t *Tree) readVolumeInfo() error {
	r, err := t.record(recordVolume)
	if err != nil {
		return err
	}
	all, err := t.attributes(&r)
	found := false
	for i := range all.list {
		a := &all.list[i]
		switch {
		case a.typ == typeVolumeName:
			t.label = wintype.DecodeUTF16(a.value)
		case a.typ == typeVolumeInformation && len(a.value) >= 12:
			t.major, t.minor, t.flags = a.value[8], a.value[9], binary.LittleEndian.Uint16(a.value[10:])
			found = true
		}
	}
	if err == nil && !found {
		err = fmt.Errorf("no $VOLUME_INFORMATION: %w", layer.ErrCorrupt)
	}
	return err
}

// Label is the volume's name, as WTF-8.
func (t *Tree) Label() string { return t.label }

// ClusterSize is in bytes.
func (t *Tree) ClusterSize() int { return t.geo.cluster }

// RecordSize is that of a file record, in bytes.
func (t *Tree) RecordSize() int { return t.geo.record }

// SectorSize is in bytes.
func (t *Tree) SectorSize() int { return t.geo.sector }

// Size is the file system's, in bytes; the partition is one sector larger or more.
func (t *Tree) Size() int64 { return t.geo.size }

// Serial is the volume serial number; Windows shows its low 32 bits.
func (t *Tree) Serial() uint64 { return t.geo.serial }

// Version is that of the format: 3.1 since Windows XP.
func (t *Tree) Version() (major, minor uint8) { return t.major, t.minor }

// Dirty reports whether the volume asks for a check. Mounted volumes and snapshots of them often do.
func (t *Tree) Dirty() bool { return t.flags&1 != 0 }

// Records is the number of file records, used or not: their numbers are below it.
func (t *Tree) Records() uint64 { return t.records }

// FreeClusters counts the clear bits of $Bitmap, on the first call.
func (t *Tree) FreeClusters() (int64, error) { return t.free() }

// FreeBytes is FreeClusters in bytes.
func (t *Tree) FreeBytes() (int64, error) {
	n, err := t.free()
	return n * int64(t.geo.cluster), err
}

func (t *Tree) countFree() (int64, error) {
	n, err := t.Node(Ref{Record: recordBitmap})
	if err != nil {
		return 0, fmt.Errorf("$Bitmap: %w", err)
	}
	s, err := n.Stream("")
	if err != nil {
		return 0, fmt.Errorf("$Bitmap: %w", err)
	}
	if s.Size() < (t.geo.clusters-1)/8+1 {
		return 0, fmt.Errorf("$Bitmap: %d bytes for %d clusters: %w", s.Size(), t.geo.clusters, layer.ErrCorrupt)
	}
	b := make([]byte, 1<<20)
	free := t.geo.clusters
	for off := int64(0); off*8 < t.geo.clusters; off += int64(len(b)) {
		n := min(int64(len(b)), (t.geo.clusters-1)/8+1-off)
		if err := layer.ReadFull(s, b[:n], off); err != nil {
			return 0, fmt.Errorf("$Bitmap: %w", err)
		}
		if past := (off+n)*8 - t.geo.clusters; past > 0 { // bits past the last cluster are set, and do not count
			b[n-1] &= 0xff >> past
		}
		clear(b[n:])
		for at := 0; at < int(n); at += 8 {
			free -= int64(bits.OnesCount64(binary.LittleEndian.Uint64(b[at:])))
		}
	}
	return free, nil
}

// Root returns the root directory.
func (t *Tree) Root() (*Node, error) { return t.Node(Ref{Record: recordRoot}) }

// Lookup finds a node by its slash-separated path, below or beside a leading slash; "" is the root. Each name is
// found as by Child; links are not followed.
func (t *Tree) Lookup(path string) (*Node, error) {
	n, err := t.Root()
	if err != nil {
		return nil, fmt.Errorf("root directory: %w", err)
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		next, err := n.Child(name)
		if errors.Is(err, ErrNotDir) {
			err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", path, err)
		}
		n = next
	}
	return n, nil
}
