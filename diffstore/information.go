package diffstore

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// information is the content of a store header block (type 4) after its first 0x80 bytes.
type information struct {
	format     wintype.GUID
	copy, set  wintype.GUID
	context    uint32
	count      uint32 // snapshots in the set
	attributes Attributes
	machine    string
	service    string
}

// decodeInformation keeps the GUIDs of a layout whose strings do not fit, and reports false for it.
func decodeInformation(b []byte) (information, bool) {
	le := binary.LittleEndian
	i := information{
		format:     wintype.GUID(b[0x00:]),
		copy:       wintype.GUID(b[0x10:]),
		set:        wintype.GUID(b[0x20:]),
		context:    le.Uint32(b[0x30:]),
		count:      le.Uint32(b[0x34:]),
		attributes: Attributes(le.Uint32(b[0x38:])),
	}
	machine, rest, ok1 := cutString(b[0x40:])
	service, _, ok2 := cutString(rest)
	if ok1 && ok2 {
		i.machine, i.service = machine, service
	}
	return i, ok1 && ok2
}

// cutString takes a UTF-16 string with its length in bytes before it.
func cutString(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.LittleEndian.Uint16(b))
	if b = b[2:]; n > len(b) || n%2 != 0 {
		return "", nil, false
	}
	return wintype.DecodeUTF16(b[:n]), b[n:], true
}

// readInformation fills s from its store header. A lost header costs the identifiers only.
func (s *Snapshot) readInformation() error {
	var b []byte
	var err error
	areas := s.areas
	if len(areas) == 0 {
		areas = []area{{src: s.storage}}
	}
	for _, a := range areas {
		if b, err = a.readInformation(s.entry.header, s.warn); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	i, ok := decodeInformation(b)
	if !ok {
		s.warn(layer.Corrupt("store information", int64(s.entry.header)+recordSize, "strings do not fit; dropped"))
	}
	s.Format, s.CopyID, s.SetID = i.format, i.copy, i.set
	s.Context, s.SetCount, s.Attributes = Context(i.context), i.count, i.attributes
	if low := uint32(i.attributes) & contextBits; low != i.context&contextBits {
		s.warn(fmt.Errorf("store header: context 0x%x does not fit attributes 0x%x", i.context, uint32(i.attributes)))
	}
	s.Machine, s.ServiceMachine = i.machine, i.service
	return nil
}

// readInformation returns what follows the header of the store header block at off: the first sector, if that has all.
func (a area) readInformation(off uint64, warn func(error)) ([]byte, error) {
	ch := chain{area: a, name: "store header", kind: typeStore, warn: warn}
	at, err := a.place(ch.name, off)
	if err != nil {
		return nil, err
	}
	var b [sectorSize]byte
	if err := layer.ReadFull(a.src, b[:], at); err != nil {
		return nil, &layer.CorruptError{Struct: ch.name, Off: at, Err: err}
	}
	r, err := ch.header(b[:], off)
	if err == nil && r.relative != 0 {
		err = layer.Corrupt(ch.name, int64(off), "its offset in the store file is 0x%x, want 0", r.relative)
	}
	if err != nil || r.info <= sectorSize-recordSize {
		return b[recordSize:], err
	}
	_, all, err := ch.read(off)
	return all, err
}
