package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"sync"

	"snapmount/imagefmt/layer"
)

const (
	typeSecurityDescriptor = 0x50
	recordSecure           = 9

	sdsHeaderLen = 20
	// sdsBlock is what $SDS is made of: each block is followed by a copy of it, and no entry crosses its end.
	sdsBlock = 256 << 10
	// minSDSEntry is an entry whose descriptor is a header alone.
	minSDSEntry = sdsHeaderLen + 20
	// maxSDSScan is how much of $SDS is searched when its index is of no use.
	maxSDSScan = 256 << 20
	// maxBadEntries is how many entries of one block are checked in vain.
	maxBadEntries = 8
)

// Security returns the node's self-relative security descriptor as it is on the volume; package security decodes it.
// It is the one of SecurityID in $Secure, or one of the node's own. It wraps fs.ErrNotExist when the node has none.
func (n *Node) Security() ([]byte, error) {
	if n.SecurityID != 0 {
		b, err := n.tree.descriptor(n.SecurityID)
		if err != nil {
			err = fmt.Errorf("%v: security descriptor 0x%x: %w", n.Ref, n.SecurityID, err)
		}
		return b, err
	}
	b, err := n.value(typeSecurityDescriptor, "", sdsBlock)
	if errors.Is(err, fs.ErrNotExist) && n.Damage != nil { // it may have had an id
		err = n.Damage
	}
	if err != nil {
		err = fmt.Errorf("security descriptor: %w", err)
	}
	return b, err
}

// descriptor returns a copy of the descriptor of that id in $Secure.
func (t *Tree) descriptor(id uint32) ([]byte, error) {
	s := t.secure.Load()
	if s == nil {
		var err error
		if s, err = t.openSecure(); err != nil {
			return nil, fmt.Errorf("$Secure: %w", must(err))
		}
		t.secure.Store(s) // another goroutine may have been faster: its copy is as good
	}
	b, err := s.descriptor(id)
	return bytes.Clone(b), err
}

// A secureFile is $Secure: all descriptors of a volume in a stream, and an index of them by id.
type secureFile struct {
	sds      layer.Source
	index    *view // nil with indexErr
	indexErr error
	scanned  func() (map[uint32]sdsEntry, error)
	cache    *Cache
}

// keptBytes is a descriptor in a Cache.
type keptBytes []byte

func (b keptBytes) cost() int { return cap(b) }

func (t *Tree) openSecure() (*secureFile, error) {
	n, err := t.Node(Ref{Record: recordSecure})
	if err != nil {
		return nil, err
	}
	sds, err := n.Stream("$SDS")
	if err != nil {
		return nil, err
	}
	s := newSecureFile(sds, t.cache)
	s.index, err = n.view("$SII")
	s.indexErr = must(err)
	return s, nil
}

func newSecureFile(sds layer.Source, c *Cache) *secureFile {
	s := &secureFile{sds: sds, cache: c}
	s.scanned = sync.OnceValues(func() (map[uint32]sdsEntry, error) { return scanSDS(sds) })
	return s
}

// descriptor returns a descriptor by the index, or where that is of no use, by what a search of all of $SDS found.
func (s *secureFile) descriptor(id uint32) ([]byte, error) {
	k := key{kind: keptDescriptor, base: s, number: int64(id)}
	if b, ok := load[keptBytes](s.cache, k); ok {
		return b, nil
	}
	var b []byte
	e, err := s.lookup(id)
	if err == nil {
		b, err = s.read(e)
	}
	if err != nil {
		all, scanErr := s.scanned()
		e, ok := all[id]
		if !ok {
			return nil, errors.Join(err, scanErr)
		}
		if b, scanErr = s.read(e); scanErr != nil {
			return nil, errors.Join(err, scanErr)
		}
	}
	s.cache.store(k, keptBytes(b))
	return b, nil
}

// lookup asks $SII where a descriptor is.
func (s *secureFile) lookup(id uint32) (sdsEntry, error) {
	if s.indexErr != nil {
		return sdsEntry{}, s.indexErr
	}
	data, ok, err := s.index.find(binary.LittleEndian.AppendUint32(nil, id))
	switch {
	case err != nil:
		return sdsEntry{}, err
	case !ok:
		return sdsEntry{}, fmt.Errorf("not in $SII: %w", layer.ErrCorrupt)
	case len(data) < sdsHeaderLen:
		return sdsEntry{}, fmt.Errorf("$SII entry: %w", errTooShort)
	}
	e := decodeSDSEntry(data)
	if e.id != id {
		return e, fmt.Errorf("$SII entry: id 0x%x: %w", e.id, layer.ErrCorrupt)
	}
	return e, nil
}

// An sdsEntry is the header of a descriptor in $SDS, and the data of its entry in $SII.
type sdsEntry struct {
	hash, id uint32
	off      uint64 // of the header in $SDS; in the copy of a block, that of the original
	size     uint32 // with the header
}

func decodeSDSEntry(b []byte) sdsEntry {
	le := binary.LittleEndian
	return sdsEntry{hash: le.Uint32(b[0:]), id: le.Uint32(b[4:]), off: le.Uint64(b[8:]), size: le.Uint32(b[16:])}
}

// read returns the descriptor of an entry, from the copy of its block where the original is damaged.
func (s *secureFile) read(e sdsEntry) ([]byte, error) {
	size := uint64(s.sds.Size())
	if e.size < minSDSEntry || e.size > sdsBlock || e.off > size || uint64(e.size) > size-e.off {
		return nil, fmt.Errorf("$SDS: entry of 0x%x bytes at 0x%x of 0x%x: %w", e.size, e.off, size, layer.ErrCorrupt)
	}
	var errs []error
	b := make([]byte, e.size)
	for _, off := range []int64{int64(e.off), int64(e.off) + sdsBlock} {
		err := layer.ReadFull(s.sds, b, off)
		if err == nil {
			if found := decodeSDSEntry(b); found != e {
				err = layer.Corrupt("$SDS entry", off, "found %+v, want %+v", found, e)
			} else if hash := hashDescriptor(b[sdsHeaderLen:]); hash != e.hash {
				err = layer.Corrupt("$SDS entry", off, "hash 0x%08x, want 0x%08x", hash, e.hash)
			}
		}
		if err == nil {
			return b[sdsHeaderLen:], nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// hashDescriptor is the hash that $Secure keeps of a descriptor.
func hashDescriptor(b []byte) uint32 {
	var hash uint32
	for ; len(b) >= 4; b = b[4:] {
		hash = bits.RotateLeft32(hash, 3) + binary.LittleEndian.Uint32(b)
	}
	return hash
}

// scanSDS finds the sound entries of $SDS. The error says what could not be searched.
func scanSDS(sds layer.Source) (map[uint32]sdsEntry, error) {
	found := map[uint32]sdsEntry{}
	var errs []error
	b := make([]byte, sdsBlock)
	size := min(sds.Size(), maxSDSScan)
	for off := int64(0); off < size; off += sdsBlock {
		b := b[:min(sdsBlock, size-off)]
		if err := layer.ReadFull(sds, b, off); err != nil {
			if len(errs) < maxIndexErrors {
				errs = append(errs, fmt.Errorf("$SDS: %w", err))
			}
			continue
		}
		scanSDSBlock(b, uint64(off), found)
	}
	if size < sds.Size() {
		errs = append(errs, fmt.Errorf("$SDS: 0x%x of 0x%x bytes searched: %w", size, sds.Size(), layer.ErrUnsupported))
	}
	return found, errors.Join(errs...)
}

// scanSDSBlock adds the sound entries of the block at off. Entries start at multiples of 16 bytes.
func scanSDSBlock(b []byte, off uint64, found map[uint32]sdsEntry) {
	bad := 0
	for at := 0; at+minSDSEntry <= len(b) && bad < maxBadEntries; {
		e := decodeSDSEntry(b[at:])
		here := off + uint64(at)
		if e.off != here && e.off+sdsBlock != here || e.size < minSDSEntry || uint64(e.size) > uint64(len(b)-at) {
			at += 16
			continue
		}
		if hashDescriptor(b[at+sdsHeaderLen:][:e.size-sdsHeaderLen]) != e.hash {
			bad++
			at += 16
			continue
		}
		if _, ok := found[e.id]; !ok {
			found[e.id] = e
		}
		at += (int(e.size) + 15) &^ 15
	}
}
