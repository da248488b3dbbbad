package bitlocker

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// A Volume is what the metadata of a locked volume says. It is immutable, and safe for any number of goroutines.
type Volume struct {
	ID          wintype.GUID
	Version     int       // of the metadata: 1 of Vista, 2 of Windows 7 and later
	Method      Method    // of the sectors
	State       State     // of the conversion
	Next        State     // what the conversion leads to
	OnWrite     bool      // encryption is not complete, and done piece by piece as they are written: pieces all over the volume are encrypted
	Encrypted   int64     // bytes that are encrypted, from the start but with OnWrite; the Size where all is
	Created     time.Time // when encryption was turned on
	Description string    // computer, label and date of then; it does not follow a rename
	Protectors  []Protector
	Warnings    []error // copies of the metadata that are damaged, and what contradicts itself

	src        layer.Mapper
	boot       *bootSector // nil where it is lost
	sector     int64
	meta       *block
	others     []*block    // copies that hold, too, and differ
	protectors []protector // in the order of Protectors
	pieces     []piece
	refused    error // why it is not to be read, with a key or without
}

// A protector has what lies beside its key.
type protector struct {
	Protector
	entries []entry
}

// maxProtectors bounds what is believed; 12 were seen.
const maxProtectors = 256

// Open reads the metadata of a volume. It is a layer.ErrFormat where none of BitLocker is, and damaged where no copy of the
// metadata holds. Without a boot sector, copies are looked for in the first 48 MiB, where Windows puts the first one, and at
// the offsets given.
func Open(src layer.Mapper, at ...int64) (*Volume, error) {
	v := &Volume{src: src}
	b := make([]byte, layer.Clip(src.Size(), 0, 512))
	readErr := layer.ReadFull(src, b, 0)
	if readErr == nil {
		v.boot, _ = decodeBoot(b)
	}
	if err := v.choose(at); err != nil {
		if readErr != nil && v.boot == nil {
			err = fmt.Errorf("BitLocker boot sector: %w", readErr)
		}
		return nil, err
	}
	if v.boot == nil {
		v.warn(layer.Corrupt("BitLocker boot sector", 0, "it is lost: the volume was found by the metadata block at 0x%x, and if encryption was not complete, what is not encrypted yet reads as noise", v.meta.off))
	}
	m := v.meta
	v.ID, v.Version, v.Method, v.State, v.Next, v.Created = m.id, m.version, m.method, m.state, m.next, m.created
	for _, e := range m.find(roleDescription, typeText) {
		v.Description = e.text()
	}
	v.readProtectors()
	v.measure()
	if v.pieces, v.refused = v.regions(); v.refused != nil {
		v.warn(v.refused)
	}
	if _, known := methodWords[v.Method]; !known {
		v.warn(fmt.Errorf("the sectors are encrypted by a method with number 0x%04x: it is not read here, with a key or without: %w", uint16(v.Method), layer.ErrUnsupported))
	}
	return v, nil
}

func (v *Volume) warn(err error) { v.Warnings = append(v.Warnings, err) }

// choose takes the first copy of the metadata that holds, and tells of the others.
func (v *Volume) choose(at []int64) error {
	copies := slices.Clone(at)
	if v.boot != nil {
		copies = append(slices.Clone(v.boot.copies), at...)
	}
	var failed []error
	tried := map[int64]bool{}
	for i := 0; i < len(copies) && v.meta == nil; i++ {
		b, err := readBlock(v.src, copies[i])
		if err != nil && !tried[copies[i]] {
			failed = append(failed, err)
		}
		v.meta, tried[copies[i]] = b, true
	}
	if v.meta == nil {
		v.meta = v.search()
	}
	switch {
	case v.meta != nil:
	case v.boot == nil && len(failed) == 0:
		return fmt.Errorf("BitLocker: no boot sector of it, and no metadata in the first %d MiB: %w", LostReach>>20, layer.ErrFormat)
	case len(failed) == 0:
		return layer.Corrupt("BitLocker boot sector", 0, "names no place of metadata, and there is none in the first %d MiB", LostReach>>20)
	default:
		return fmt.Errorf("BitLocker: no copy of the metadata holds, and there is none in the first %d MiB: %w", LostReach>>20, joined(failed))
	}
	for _, err := range failed {
		v.warn(err)
	}
	v.witnesses(tried)
	return nil
}

// joined are errors on one line. What all of them are is what it is: unknown where all are, else damage.
func joined(list []error) error {
	err := list[0]
	for _, next := range list[1:] {
		err = fmt.Errorf("%w; %w", err, next)
	}
	return err
}

// witnesses holds the copies that were not tried against the chosen one, and its places against the boot sector's.
func (v *Volume) witnesses(tried map[int64]bool) {
	m := v.meta
	if m.damage != nil {
		v.warn(fmt.Errorf("metadata block at 0x%x: its checksum is right, but not all of its entries: %w", m.off, m.damage))
	}
	if !slices.Contains(m.copies[:], m.off) {
		v.warn(layer.Corrupt("metadata block", m.off, "it names 0x%x as the places of its copies, and not its own", m.copies))
	}
	if v.boot != nil && !slices.ContainsFunc(v.boot.copies, func(off int64) bool { return slices.Contains(m.copies[:], off) }) {
		v.warn(layer.Corrupt("BitLocker boot sector", 0, "it names 0x%x as the places of metadata, which is at 0x%x", v.boot.copies, m.copies))
	}
	for _, off := range m.copies {
		if off == m.off || tried[off] {
			continue
		}
		tried[off] = true
		switch other, err := readBlock(v.src, off); {
		case err != nil:
			v.warn(err)
		case other.id != m.id:
			v.warn(layer.Corrupt("metadata block", off, "it is of volume %v, and the one at 0x%x of %v", other.id, m.off, m.id))
		case string(other.raw) != string(m.raw):
			v.others = append(v.others, other)
			v.warn(layer.Corrupt("metadata block", off, "it differs from the one at 0x%x, which is used", m.off))
		}
	}
}

// readProtectors decodes the protectors: GUID, FILETIME, u16, u16 kind, entries.
func (v *Volume) readProtectors() {
	for _, e := range v.meta.find(roleProtector, typeProtector) {
		if len(v.protectors) == maxProtectors {
			v.warn(fmt.Errorf("there are more than %d protectors: the others are left out", maxProtectors))
			break
		}
		list, err := e.nested(28)
		if err != nil {
			v.warn(fmt.Errorf("protector: %w", err))
		}
		if len(e.data) < 28 {
			continue
		}
		p := protector{Protector{ID: guidAt(e.data), Kind: Kind(le.Uint16(e.data[26:])), Created: filetime(e.data[16:])}, list}
		v.protectors, v.Protectors = append(v.protectors, p), append(v.Protectors, p.Protector)
	}
}

// measure finds how many bytes a sector has, which two places tell: the boot sector, and the relocated sectors by their
// number and their size.
func (v *Volume) measure() {
	witness := int64(0)
	if _, n, ok := v.meta.boot(); ok && v.meta.version == 2 && v.meta.sectors > 0 && n%v.meta.sectors == 0 {
		witness = n / v.meta.sectors
	}
	if witness != 512 && witness != 4096 {
		witness = 0
	}
	if v.boot != nil {
		v.sector = v.boot.sector
	}
	if v.boot != nil && witness > 0 && v.sector != witness {
		v.warn(layer.Corrupt("BitLocker boot sector", 0, "sectors of %d bytes, but the relocated ones have %d", v.boot.sector, witness))
		v.sector = witness
	}
	if v.sector == 0 && witness == 0 {
		v.warn(layer.Corrupt("metadata block", v.meta.off, "nothing tells how many bytes a sector has: taken for 512"))
	}
	if v.sector = cmp.Or(v.sector, witness, 512); v.sector != 512 && v.sector != maxSector {
		v.warn(fmt.Errorf("sectors of %d bytes are not read here: %w", v.sector, layer.ErrUnsupported))
	}
}
