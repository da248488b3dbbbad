package ntfs

import (
	"errors"
	"fmt"
	"io/fs"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// maxRootEntries is how many entries of the root directory Faults looks at.
const maxRootEntries = 100_000

// Faults tells what of the structures that the volume as a whole rests on is lost, contradicts itself or was taken from a
// copy, an error each: boot sector, $MFT and the records of it that $MFTMirr has, the root directory and its index,
// $Bitmap and $Secure. It reads tables, the first file records and the index
// of the root with the records of the directories in it, and all file records where these are few.
func (t *Tree) Faults() []error {
	list := append([]error{}, t.opened...)
	note := func(what string, err error) {
		if err != nil {
			list = append(list, fmt.Errorf("%s: %w", what, err))
		}
	}
	for number := int64(1); number < mirrored; number++ {
		b, off := make([]byte, t.geo.record), number*int64(t.geo.record)
		err := layer.ReadFull(t.mft, b, off)
		if err == nil {
			err = layout.Protected(b, layout.FileMagic, "file record", off)
		}
		note(fmt.Sprintf("$MFT record %d, which $MFTMirr may stand for", number), err)
	}
	note("$MFT", unkept(t.mft))
	note("root directory", t.rootFault())
	note("file records", t.recordsFault())
	note("$Bitmap", t.streamFault(recordBitmap, "", (t.geo.clusters-1)/8+1))
	if t.major >= 3 {
		note("$Secure", t.secureFault())
	}
	return list
}

// rootFault tells what is wrong with the root directory: its record, or its index.
func (t *Tree) rootFault() error {
	root, err := t.Root()
	if err != nil {
		return err
	}
	d, err := root.directory()
	if err != nil {
		return err
	}
	seen := 0
	l := &listing{d: d, seen: make([]uint64, d.limit/64+1)}
	l.yield = func(e *Entry, _ error) bool {
		if e.Kind == KindDir && e.Ref.Record != recordRoot && t.records > quickRecords { // else recordsFault tells
			_, err := e.Node()
			l.note(err)
		}
		seen++
		return seen < maxRootEntries
	}
	l.note(d.damage)
	if l.walk(d.root, 0); l.problems == 0 {
		l.note(l.unreached())
	}
	return errors.Join(l.errs...)
}

// recordsFault tells which records of a $MFT that is not large are lost.
func (t *Tree) recordsFault() error {
	if t.records > quickRecords {
		return nil
	}
	var lost gapList
	for n, err := range t.Nodes() {
		if err == nil {
			continue
		}
		if state, why := t.RecordState(n.Ref.Record, nil); state == RecordLost {
			lost.add(n.Ref.Record, n.Ref.Record+1, why)
		}
	}
	return lost.err()
}

// streamFault tells whether a stream of a system file is there, of a size at least, and all of it in the image.
func (t *Tree) streamFault(number uint64, name string, size int64) error {
	n, err := t.Node(Ref{Record: number})
	if err != nil {
		return err
	}
	m, err := n.Stream(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no stream %q: %w", name, layer.ErrCorrupt)
	case err != nil:
		return err
	case m.Size() < size:
		return layer.Corrupt("file record", int64(number)*int64(t.geo.record), "%d bytes, want %d", m.Size(), size)
	}
	return unkept(m)
}

// secureFault tells whether the security descriptors are there, as far as the system files have them by number.
func (t *Tree) secureFault() error {
	if err := t.streamFault(recordSecure, "$SDS", minSDSEntry); err != nil {
		return err
	}
	for number := range uint64(recordExtend + 1) {
		n, err := t.Node(Ref{Record: number})
		if err != nil || n.SecurityID == 0 {
			continue // a record that is lost is told as such
		}
		if _, err := t.descriptor(n.SecurityID); err != nil {
			return fmt.Errorf("descriptor 0x%x of %v: %w", n.SecurityID, n.Ref, err)
		}
	}
	return nil
}

// unkept is the first range of m that is not in the image.
func unkept(m layer.Mapper) error {
	for _, err := range layer.Unkept(m) {
		return err
	}
	return nil
}

// hibernationFile is where Windows writes its memory to when it goes to sleep.
const hibernationFile = "hiberfil.sys"

// Hibernated reports whether Windows was hibernated, or not shut down in full, when it left the volume: by the first four
// bytes of hiberfil.sys, "hibr" or "rstr" in either case. Then what it had in memory of files is not on the volume. After
// it woke up they are "wake", or zeros.
func (t *Tree) Hibernated() (bool, error) {
	n, err := t.Lookup(hibernationFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m, err := n.Stream("")
	if err != nil || m.Size() < 4 {
		return false, err
	}
	b := make([]byte, 4)
	if err := layer.ReadFull(m, b, 0); err != nil {
		return false, fmt.Errorf("%s: %w", hibernationFile, err)
	}
	switch string(b) {
	case "hibr", "HIBR", "rstr", "RSTR":
		return true, nil
	}
	return false, nil
}
