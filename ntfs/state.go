package ntfs

import (
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// RecordState is what is known of the use of a file record.
type RecordState uint8

const (
	RecordFree    RecordState = iota // not in use: never, or its file was deleted
	RecordInUse                      // of a file, or an extension record of one
	RecordLost                       // it was in use, and cannot be read
	RecordUnknown                    // it cannot be read, and nothing else tells whether it was in use
)

func (s RecordState) String() string {
	return [...]string{"free", "in use", "lost", "unknown"}[s]
}

// RecordState tells whether the record of that number is in use, and why that is lost or unknown. A record that can be
// read says so itself, unless $MFT:$BITMAP and directories contradict it. Of others $MFT:$BITMAP is asked and, where it
// calls a record of zeros free, what else may say that it was in use: records that name it as their parent or base, and
// the index entries of those names that the record has at another point in time. Names may be nil.
func (t *Tree) RecordState(number uint64, names []Name) (RecordState, error) {
	r, err := t.record(number)
	switch {
	case err == nil:
		return t.readState(&r, names)
	case number >= t.records:
		if number < uint64(t.mft.size)/uint64(t.geo.record) {
			return RecordUnknown, fmt.Errorf("file record %d: %w", number, errUnmapped)
		}
		return RecordFree, nil
	}
	b := make([]byte, t.geo.record)
	if layer.ReadFull(t.mft, b, int64(number)*int64(t.geo.record)) != nil || !isZero(b) {
		if used, err2 := t.allocated(number); err2 == nil && used {
			return RecordLost, fmt.Errorf("file record %d: in use by $MFT:$BITMAP, and lost: %w", number, err)
		}
		return RecordUnknown, fmt.Errorf("file record %d: %w", number, err)
	}
	if state, err := t.zeroState(number); state != RecordFree {
		return state, err
	}
	if why := t.namedBy(number, names); why != "" {
		return RecordLost, lostRecord(number, why)
	}
	return RecordFree, nil
}

// namedBy says who else has a record in use, "" for nobody.
func (t *Tree) namedBy(number uint64, names []Name) string {
	if len(t.roll().in(number)) > 0 || len(t.survey().extensionsOf(number)) > 0 {
		return "other file records name it"
	}
	for _, name := range names {
		if t.indexHas(name, Ref{Record: number}) {
			return fmt.Sprintf("directory %v has an entry of it", name.Parent)
		}
	}
	return ""
}

// readState is RecordState of a record that can be read.
func (t *Tree) readState(r *fileRecord, names []Name) (RecordState, error) {
	if err := t.contradicted(r); err != nil {
		return RecordUnknown, err
	}
	if r.flags&layout.RecordInUse != 0 {
		return RecordInUse, nil
	}
	for _, name := range names {
		if t.indexHas(name, r.ref) {
			return RecordUnknown, fmt.Errorf("%v: not in use by its own record, though directory %v has an entry of it: %w", r.ref, name.Parent, layer.ErrCorrupt)
		}
	}
	return RecordFree, nil
}

func lostRecord(number uint64, why string) error {
	return fmt.Errorf("file record %d: all zeros, though %s: %w", number, why, layer.ErrCorrupt)
}

// zeroState tells by $MFT:$BITMAP what a record of zeros is: free, lost or unknown. What was never written is free.
func (t *Tree) zeroState(number uint64) (RecordState, error) {
	size := int64(t.geo.record)
	if e, err := t.mft.At(int64(number)*size, size); err == nil && e.Kind == layer.Zero && e.Len >= size {
		return RecordFree, nil
	}
	used, err := t.allocated(number)
	switch {
	case err != nil:
		return RecordUnknown, fmt.Errorf("file record %d: all zeros, and whether it was in use is not known: %w", number, err)
	case used:
		return RecordLost, lostRecord(number, "in use by $MFT:$BITMAP")
	}
	return RecordFree, nil
}

// zeroRecord is nil for a record of zeros that was never in use, as far as $MFT:$BITMAP tells.
func (t *Tree) zeroRecord(number uint64) error {
	_, err := t.zeroState(number)
	return err
}

// allocated reports whether $MFT:$BITMAP has the record in use. It is read at the first call.
func (t *Tree) allocated(number uint64) (bool, error) {
	t.bitmapRead.Do(func() { t.inUse, t.bitmapErr = t.readBitmap() })
	if t.bitmapErr != nil {
		return false, t.bitmapErr
	}
	if number/8 >= uint64(len(t.inUse)) {
		return false, fmt.Errorf("$MFT:$BITMAP: %d bytes: %w", len(t.inUse), layer.ErrCorrupt)
	}
	return t.inUse[number/8]>>(number%8)&1 != 0, nil
}

// readBitmap reads $MFT:$BITMAP. One that has not even $MFT itself in use tells nothing.
func (t *Tree) readBitmap() ([]byte, error) {
	if len(t.bitmapAt) == 0 {
		return nil, fmt.Errorf("$MFT:$BITMAP: missing: %w", layer.ErrCorrupt)
	}
	b, err := t.bitmapAt[0].value, t.bitmapAt[0].err
	if err == nil && !t.bitmapAt[0].resident {
		var s *stream
		if s, err = t.newStream(t.bitmapAt, func() string { return "$MFT:$BITMAP" }); err == nil {
			b = make([]byte, layer.Clip(s.size, 0, int64(t.records/8+1)))
			err = layer.ReadFull(s, b, 0)
		}
	}
	if err == nil && (len(b) == 0 || b[0]&1 == 0) {
		err = layer.Corrupt("bitmap", 0, "$MFT:$BITMAP has $MFT itself as free")
	}
	return b, err
}
