package compressed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"snapmount/imagefmt/layer"
)

const (
	seekMagic     = 0x8f92eab1
	seekFooterLen = 9
	maxSeekFrames = 1 << 27  // of the format
	maxSeekFrame  = 32 << 20 // bytes, of a frame that is unpacked as a whole
	seekEntries   = 1 << 13  // read at a time
)

var errNoLength = errors.New("a frame does not tell its length")

// seekTable reads the table of the seekable format, which ends a file as a skippable frame: little-endian packed and
// unpacked sizes of all frames as uint32, perhaps followed by checksums, then their number, flags and a magic. It returns
// the largest window as well, nil when there is no table, and an error when it does not describe the file.
//
// Nothing protects the table itself, and one wrong size moves all that follows. So it is believed only where the header of
// every frame, against which a frame is checked when it is unpacked, says the same.
func seekTable(src layer.Source) (*index, uint64, error) {
	var b [seekFooterLen]byte
	at := src.Size() - seekFooterLen
	if at < 8 || layer.ReadFull(src, b[:], at) != nil || binary.LittleEndian.Uint32(b[5:]) != seekMagic {
		return nil, 0, nil
	}
	n, flags := int64(binary.LittleEndian.Uint32(b[:])), b[4]
	entry := int64(8)
	if flags&0x80 != 0 {
		entry = 12
	}
	begin := at - n*entry - 8
	if flags&0x7c != 0 || n > maxSeekFrames || begin < 0 {
		return nil, 0, layer.Corrupt("seek table", at, "0x%x frames with flags 0x%02x, of a file of 0x%x bytes", n, flags, src.Size())
	}
	if err := layer.ReadFull(src, b[:8], begin); err != nil {
		return nil, 0, fmt.Errorf("seek table: %w", err)
	}
	magic, size := binary.LittleEndian.Uint32(b[:]), int64(binary.LittleEndian.Uint32(b[4:]))
	if magic != skippableMagic|0xe || size != n*entry+seekFooterLen {
		return nil, 0, layer.Corrupt("seek table", begin, "magic 0x%08x and length 0x%x, want 0x184d2a5e and 0x%x", magic, size, n*entry+seekFooterLen)
	}
	t := tableReader{src: src, builder: newBuilder(nil)}
	t.spacing = 1 // each frame is a checkpoint as long as these are not too many
	if err := t.read(begin, n, entry); errors.Is(err, errNoLength) {
		return nil, 0, nil
	} else if err != nil {
		return nil, 0, err
	}
	return &t.index, t.window, nil
}

// tableReader makes an index of a seek table.
type tableReader struct {
	*builder
	src    layer.Source
	c      checkpoint // where the next frame begins
	window uint64
}

// read reads n entries of the table at begin.
func (t *tableReader) read(begin, n, entry int64) error {
	t.c = unitAt(0)
	t.put(t.c)
	buf := make([]byte, min(n, seekEntries)*entry)
	for i := int64(0); i < n; i += seekEntries {
		b := buf[:min(n-i, seekEntries)*entry]
		if err := layer.ReadFull(t.src, b, begin+8+i*entry); err != nil {
			return fmt.Errorf("seek table: %w", err)
		}
		for ; len(b) > 0; b = b[entry:] {
			if err := t.frame(int64(binary.LittleEndian.Uint32(b)), int64(binary.LittleEndian.Uint32(b[4:])), begin); err != nil {
				return err
			}
		}
	}
	if t.c.at.Offset != begin*8 {
		return layer.Corrupt("seek table", begin, "frames of 0x%x bytes in all, want 0x%x", t.c.at.Offset/8, begin)
	}
	t.size = t.c.out
	return nil
}

// frame takes the sizes of the next frame.
func (t *tableReader) frame(packed, unpacked, end int64) error {
	at := t.c.at.Offset / 8
	var b [frameHeaderLen]byte
	head := b[:layer.Clip(end, at, min(packed, frameHeaderLen))]
	if err := layer.ReadFull(t.src, head, at); err != nil {
		return fmt.Errorf("frame at 0x%x: %w", at, err)
	}
	var f frame
	skippable := len(head) >= 4 && binary.LittleEndian.Uint32(head)&^15 == skippableMagic
	if err := f.decode(head); !skippable && err != nil {
		return blame("frame", at, err)
	}
	switch {
	case f.size == math.MaxUint64:
		return errNoLength
	case f.size != uint64(unpacked):
		return layer.Corrupt("frame", at, "of 0x%x bytes, want 0x%x as the seek table says", f.size, unpacked)
	case unpacked > maxSeekFrame:
		return fmt.Errorf("frame at 0x%x: 0x%x bytes are too many to unpack as a whole: %w", at, unpacked, layer.ErrUnsupported)
	}
	t.window, t.largest = max(t.window, f.window), max(t.largest, unpacked)
	t.c.at.Offset += packed * 8
	t.c.out += unpacked
	if cost(t.points[len(t.points)-1], t.c) >= t.spacing {
		t.put(t.c)
	}
	return nil
}
