package vsstest

import (
	"bytes"
	"fmt"
	"io"
)

// Write overwrites bytes of the live volume, copying what snapshots need. The sector of the VSS header stays as it is.
func (v *Volume) Write(off int64, p []byte) error {
	if off < 0 || off+int64(len(p)) > v.live.Size() {
		return fmt.Errorf("write of %d bytes at 0x%x, past the end 0x%x", len(p), off, v.live.Size())
	}
	for len(p) > 0 {
		b := uint32(off / BlockSize)
		in := int(off % BlockSize)
		part := p[:min(len(p), BlockSize-in)]
		if err := v.writeBlock(b, in, part); err != nil {
			return err
		}
		off, p = off+int64(len(part)), p[len(part):]
	}
	return nil
}

// writeBlock writes inside block b.
func (v *Volume) writeBlock(b uint32, in int, part []byte) error {
	if v.Reserved(b) {
		return fmt.Errorf("write to block %d, which VSS uses", b)
	}
	old, err := v.read(b)
	if err != nil {
		return err
	}
	content := bytes.Clone(old)
	copy(content[in:], part)
	if b == 0 {
		copy(content[HeaderOffset:], old[HeaderOffset:HeaderOffset+512])
	}
	if err := v.protect(b); err != nil {
		return err
	}
	return v.put(b, old, content)
}

// put makes content the live block b.
func (v *Volume) put(b uint32, old, content []byte) error {
	if !v.cfg.NoTruth {
		if _, ok := v.before[b]; !ok {
			v.before[b] = old
		}
		v.now[b] = content
	}
	n := min(BlockSize, v.live.Size()-int64(b)*BlockSize)
	_, err := v.live.WriteAt(content[:n], int64(b)*BlockSize)
	return err
}

// protect copies block b to the newest store when a snapshot needs it.
func (v *Volume) protect(b uint32) error {
	s := v.newest()
	if s == nil {
		return nil
	}
	owner, pending := s.pending[b]
	if !pending {
		_, gone := s.moved[b]
		if !s.need.has(b) || s.regular[b] || gone {
			return nil
		}
		owner = b
	}
	content, err := v.read(b)
	if err != nil {
		return err
	}
	at, err := s.take()
	if err != nil {
		return err
	}
	if _, err := v.storage.WriteAt(content, int64(at.Offset)); err != nil {
		return err
	}
	delete(s.pending, b)
	delete(s.moved, owner)
	s.regular[owner] = true
	return s.add(Descriptor{Original: uint64(b) * BlockSize, Relative: at.Relative, Kept: at.Offset})
}

// Move does what defragmentation does: the content of from goes to block to, and the store notes that instead of
// keeping a copy.
func (v *Volume) Move(from, to uint32) error {
	n := v.live.Size() / BlockSize
	if from == to || from == 0 || to == 0 || int64(max(from, to)) >= n || v.Reserved(from) || v.Reserved(to) {
		return fmt.Errorf("move of block %d to %d", from, to)
	}
	if err := v.protect(to); err != nil {
		return err
	}
	content, err := v.read(from)
	if err != nil {
		return err
	}
	old, err := v.read(to)
	if err != nil {
		return err
	}
	if s := v.newest(); s != nil && s.move(from, to) {
		if err := s.add(Descriptor{Original: uint64(from) * BlockSize, Relative: uint64(to) * BlockSize, Flags: 1}); err != nil {
			return err
		}
	}
	return v.put(to, old, content)
}

// move updates the state of s and reports whether the move is to be noted.
func (s *Snapshot) move(from, to uint32) bool {
	_, gone := s.moved[from]
	owner, pending := s.pending[from]
	switch {
	case pending:
		delete(s.pending, from)
	case s.need.has(from) && !s.regular[from] && !gone:
		owner = from
	default:
		return s.regular[from] && s.untouched(to)
	}
	if owner == to {
		delete(s.moved, owner)
		return true
	}
	s.moved[owner], s.pending[to] = to, owner
	return true
}

// untouched reports whether nothing of block b will ever be copied, so that a needless note of a move to it, as
// Windows 10 makes them for blocks already copied, is harmless.
func (s *Snapshot) untouched(b uint32) bool {
	_, gone := s.moved[b]
	_, pending := s.pending[b]
	return !s.need.has(b) && !gone && !pending && !s.regular[b]
}

// WriteSnapshot writes whole 512-byte sectors into the newest snapshot itself.
func (v *Volume) WriteSnapshot(off int64, p []byte) error {
	s := v.newest()
	if s == nil || off%512 != 0 || len(p)%512 != 0 || off < 0 || off+int64(len(p)) > s.Size() {
		return fmt.Errorf("write of %d bytes at 0x%x into the snapshot", len(p), off)
	}
	for len(p) > 0 {
		b, in := uint32(off/BlockSize), int(off%BlockSize)
		part := p[:min(len(p), BlockSize-in)]
		if err := s.overlay(b, in, part); err != nil {
			return err
		}
		off, p = off+int64(len(part)), p[len(part):]
	}
	return nil
}

// overlay writes sectors of block b.
func (s *Snapshot) overlay(b uint32, in int, part []byte) error {
	o, again := s.overlays[b], true
	if o == nil {
		at, err := s.take()
		if err != nil {
			return err
		}
		o, again = &overlay{at: at}, false
		s.overlays[b] = o
	}
	if _, err := s.vol.storage.WriteAt(part, int64(o.at.Offset)+int64(in)); err != nil {
		return err
	}
	if s.truth != nil {
		t, err := s.Block(b)
		if err != nil {
			return err
		}
		t = bytes.Clone(t)
		copy(t[in:], part)
		s.truth[b] = t
	}
	mask := uint32((uint64(1)<<(len(part)/512) - 1) << (in / 512))
	if mask&^o.mask == 0 {
		return nil
	}
	relative := o.at.Relative
	if again {
		relative = 1 // continues an earlier one
	}
	o.mask |= mask
	return s.add(Descriptor{Original: uint64(b) * BlockSize, Relative: relative, Kept: o.at.Offset, Flags: 2, Sectors: mask})
}

// Resize changes the size of the live volume, in bytes, a multiple of 512. Blocks that are cut off are lost to
// snapshots that need them, as with Windows. It grows only when no snapshot is larger than the volume.
func (v *Volume) Resize(size int64) error {
	old := v.live.Size()
	for _, s := range v.snapshots {
		if size > old && s.Size() > old {
			return fmt.Errorf("grow under a larger snapshot")
		}
	}
	if size%512 != 0 || size < v.own.end() {
		return fmt.Errorf("resize to 0x%x", size)
	}
	if size < old {
		if err := v.cut(size); err != nil {
			return err
		}
	}
	return v.live.Truncate(size)
}

// cut keeps the truth of what is lost, and copies the block that is cut in two.
func (v *Volume) cut(size int64) error {
	for b := size / BlockSize; b < blocksOf(v.live.Size()); b++ {
		content, err := v.read(uint32(b))
		if err != nil {
			return err
		}
		if _, ok := v.before[uint32(b)]; !ok && !v.cfg.NoTruth {
			v.before[uint32(b)] = content
		}
		rest := max(0, size-b*BlockSize)
		if rest > 0 {
			if err := v.protect(uint32(b)); err != nil {
				return err
			}
		}
		if !v.cfg.NoTruth {
			v.now[uint32(b)] = append(bytes.Clone(content[:rest]), make([]byte, BlockSize-rest)...)
		}
	}
	return nil
}

// FromStates turns cfg.Volume into a volume whose snapshot k reads as states[k], oldest first, and whose live content
// is live; all have the size of cfg.Volume. Blocks of the diff area are left out. opts has one entry per state, or is nil.
func FromStates(cfg Config, states []io.ReaderAt, live io.ReaderAt, opts []Options) (*Volume, error) {
	v, err := New(cfg)
	if err != nil {
		return nil, err
	}
	for i, state := range append(states[:len(states):len(states)], live) {
		if err := v.become(state); err != nil {
			return nil, fmt.Errorf("state %d: %w", i, err)
		}
		if i == len(states) {
			break
		}
		var o Options
		if opts != nil {
			o = opts[i]
		}
		if _, err := v.Snapshot(o); err != nil {
			return nil, fmt.Errorf("state %d: %w", i, err)
		}
	}
	return v, v.Flush()
}

// become writes the blocks in which state differs from the live volume.
func (v *Volume) become(state io.ReaderAt) error {
	size := v.live.Size()
	want := make([]byte, BlockSize)
	for b := range uint32(blocksOf(size)) {
		if v.Reserved(b) {
			continue
		}
		n := min(BlockSize, size-int64(b)*BlockSize)
		if k, err := state.ReadAt(want[:n], int64(b)*BlockSize); int64(k) < n {
			return fmt.Errorf("block %d: %w", b, err)
		}
		have, err := v.read(b)
		if err != nil {
			return err
		}
		if b == 0 {
			copy(want[HeaderOffset:HeaderOffset+512], have[HeaderOffset:])
		}
		if !bytes.Equal(have[:n], want[:n]) {
			if err := v.writeBlock(b, 0, want[:n]); err != nil {
				return err
			}
		}
	}
	return nil
}
