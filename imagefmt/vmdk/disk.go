// Package vmdk reads the virtual disks of VMware: a descriptor, inside a sparse extent or in a file of its own, and the
// extents that it names, which are flat, sparse (hosted, COWD and seSparse) or a compressed stream; and snapshots with
// their parents. The format is VMware's Virtual Disk Format 5.0, and what QEMU adds to it for seSparse.
package vmdk

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

const (
	tableCacheBytes = 16 << 20 // pieces of grain tables kept in memory
	maxExtents      = 32 << 10 // 64 TiB in pieces of 2 GiB
	maxMissing      = 64       // extents that may be missing
)

var (
	// ErrExtent says that a file is an extent of a disk and not the disk: its descriptor is another file.
	ErrExtent = errors.New("an extent without its descriptor")
	// ErrOtherDisk says that a parent was written to after its child was made, or is another disk.
	ErrOtherDisk = errors.New("not the parent as it was")
)

// Disk is the virtual disk, a layer.Mapper: flat extents and grains are extents of the files, grains
// that are not there of the parent, or zeros, and compressed grains of a Source that unpacks them.
type Disk struct {
	size    int64
	cid     uint32
	parent  *format.Disk // nil for none
	extents []extent
}

// Open opens the disk whose descriptor is src or is in src, with its extents and parents. An extent that is missing
// among several is told to Warn, and its range is an error. An extent instead of a disk is an ErrExtent, and a src
// without any magic is a layer.ErrFormat.
func Open(src layer.Source, env format.Env) (*Disk, error) {
	env = env.Ready()
	desc, at, self, err := readDescriptor(src)
	if err != nil {
		return nil, err
	}
	if desc.encryption != "" {
		return nil, fmt.Errorf("encrypted (%s): %w", desc.encryption, layer.ErrUnsupported)
	}
	d := &Disk{cid: desc.cid}
	b := builder{disk: d, env: env, files: make(map[string]opened)}
	if err := b.build(desc, at, self); err != nil {
		return nil, err
	}
	if err := d.openParent(desc, at, env.Files); err != nil {
		return nil, err
	}
	return d, nil
}

// readDescriptor finds and parses the descriptor: with it come where it begins, and src if that is the first extent too.
func readDescriptor(src layer.Source) (desc descriptor, at int64, self layer.Source, err error) {
	text, at, self, err := findDescriptor(src)
	if err == nil {
		desc, err = parseDescriptor(text, at)
	}
	return desc, at, self, err
}

// findDescriptor returns the text of the descriptor, where it begins, and src if that is the first extent too.
func findDescriptor(src layer.Source) (text string, at int64, self layer.Source, err error) {
	head := make([]byte, layer.Clip(src.Size(), 0, sectorLen))
	if err := layer.ReadFull(src, head, 0); err != nil {
		return "", 0, nil, fmt.Errorf("header: %w", err)
	}
	n := src.Size()
	switch begins := func(magic string) bool { return strings.HasPrefix(string(head), magic) }; {
	case isDescriptor(string(head)):
	case begins(magicHosted) && len(head) == sectorLen:
		h := decodeHosted(head)
		if h.descriptor == 0 {
			return "", 0, nil, fmt.Errorf("sparse extent: %w", ErrExtent)
		}
		if size := uint64(n); h.descriptor > size/sectorLen || h.descLen > size/sectorLen-h.descriptor {
			return "", 0, nil, layer.Corrupt("sparse header", 28, "descriptor of 0x%x sectors at sector 0x%x, want it within the file of 0x%x bytes",
				h.descLen, h.descriptor, size)
		}
		at, n = int64(h.descriptor)*sectorLen, int64(h.descLen)*sectorLen
		if h.capacity > 0 { // else the file holds nothing but the descriptor
			self = src
		}
	case begins(magicCOWD):
		return "", 0, nil, fmt.Errorf("COWD extent: %w", ErrExtent)
	case begins(magicSESparse):
		return "", 0, nil, fmt.Errorf("seSparse extent: %w", ErrExtent)
	case begins(magicHosted):
		return "", 0, nil, layer.Corrupt("sparse header", 0, "0x%x bytes, want 0x%x", n, sectorLen)
	default:
		return "", 0, nil, fmt.Errorf("neither a descriptor nor a sparse extent: %w", layer.ErrFormat)
	}
	if n > maxDescriptor {
		return "", 0, nil, fmt.Errorf("descriptor of 0x%x bytes, want 0x%x at most: %w", n, maxDescriptor, layer.ErrUnsupported)
	}
	b := make([]byte, n)
	if err := layer.ReadFull(src, b, at); err != nil {
		return "", 0, nil, fmt.Errorf("descriptor: %w", err)
	}
	switch {
	case isDescriptor(string(b)):
		return string(b), at, self, nil
	case strings.Trim(string(b), "\x00") == "": // there is room for one, and it was never written
		return "", 0, nil, fmt.Errorf("sparse extent: %w", ErrExtent)
	}
	return "", 0, nil, layer.Corrupt("descriptor", at, "begins with %q, want version= and createType=", b[:min(len(b), 20)])
}

// openParent opens the disk that a snapshot stands on. Its content id must be the one that it had when the snapshot was
// made: both VMware and QEMU refuse another, because the bytes would be wrong where the parent was written to since.
func (d *Disk) openParent(desc descriptor, at int64, files format.Files) (err error) {
	if desc.parentHint == "" {
		if desc.parentCID != noParent {
			return layer.Corrupt("descriptor", at, "parentCID=%08x without a parentFileNameHint", desc.parentCID)
		}
		return nil
	}
	d.parent, err = files.Parent(format.Lineage{
		Names: desc.parents(), Style: format.Either, ID: fmt.Sprintf("CID %08x", desc.parentCID),
		Check: func(file layer.Source) error {
			below, _, _, err := readDescriptor(file)
			if err == nil && below.cid != desc.parentCID {
				err = fmt.Errorf("%w: CID %08x, want %08x", ErrOtherDisk, below.cid, desc.parentCID)
			}
			return err
		},
		IDs:   []func(format.ID) bool{func(id format.ID) bool { return id == idOf(desc.parentCID) }},
		Alone: true, // a child begins with the content id of its parent
	})
	return err
}

// parents are the names of the parent.
func (d *descriptor) parents() []string {
	if d.parentOther == "" {
		return []string{d.parentHint}
	}
	return []string{d.parentHint, d.parentOther}
}

// newCaches makes caches for extents: as many slots as their tables may fill.
func newCaches(extents []*sparse) *caches {
	var tables int64
	for _, s := range extents {
		tables += 2*s.count()*s.perTable*s.entryLen()/pageLen + 4
	}
	return &caches{pages: make([]atomic.Pointer[page], min(tables, tableCacheBytes/pageLen))}
}
