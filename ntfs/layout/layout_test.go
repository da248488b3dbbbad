package layout

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// The tables of the records once more, whole and with their gaps, for encoding/binary to read.

type bootTable struct {
	Jump              [3]byte
	OEM               [8]byte
	BytesPerSector    uint16
	SectorsPerCluster uint8
	_                 [0x28 - 0x0e]byte
	Sectors           uint64
	MFT, Mirror       uint64
	ClustersPerRecord uint8
	_                 [7]byte
	Serial            uint64
	_                 [BootSectorLen - 0x50]byte
}

type recordTable struct {
	Magic              [4]byte
	FixupOff, FixupLen uint16
	LSN                uint64
	Seq, Links         uint16
	First, Flags       uint16
	Used, Allocated    uint32
	Base               uint64
	NextID, _          uint16
	Number             uint32
}

type attributeTable struct {
	Type, Len            uint32
	NonResident, NameLen uint8
	NameOff, Flags, ID   uint16
}

type residentTable struct {
	attributeTable
	ValueLen uint32
	ValueOff uint16
	Indexed  uint8
	_        uint8
}

type nonResidentTable struct {
	attributeTable
	Low, High                    uint64
	PairsOff                     uint16
	Unit                         uint8
	_                            [5]byte
	Allocated, Size, Initialized uint64
	Total                        uint64
}

// numbered is n bytes that are all different from their neighbours.
func numbered(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + 1)
	}
	return b
}

// read reads a table from b, which may end before it.
func read(t *testing.T, b []byte, table any) {
	t.Helper()
	n := binary.Size(table)
	if _, err := binary.Decode(append(bytes.Clone(b[:min(n, len(b))]), make([]byte, n)...), binary.LittleEndian, table); err != nil {
		t.Fatal(err)
	}
}

func FuzzBootSector(f *testing.F) {
	f.Add(numbered(BootSectorLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < BootSectorLen {
			return
		}
		var want bootTable
		read(t, b, &want)
		var got BootSector
		got.Decode(b)
		if got != (BootSector{want.OEM, want.BytesPerSector, want.SectorsPerCluster, want.Sectors, want.MFT, want.Mirror, want.ClustersPerRecord, want.Serial}) {
			t.Errorf("%+v, want %+v", got, want)
		}
		if got.Cluster() > 1<<47 || got.Record() > 1<<54 {
			t.Errorf("clusters of %d bytes, records of %d", got.Cluster(), got.Record())
		}
	})
}

func FuzzFileRecord(f *testing.F) {
	f.Add(numbered(FileRecordLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < FileRecordLen {
			return
		}
		var want recordTable
		read(t, b, &want)
		var got FileRecord
		got.Decode(b)
		if got != (FileRecord{want.LSN, want.Seq, want.First, want.Flags, want.Used, want.Base, want.Number}) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func FuzzAttribute(f *testing.F) {
	f.Add(numbered(AttributeLen))
	f.Add(numbered(NonResidentLen))
	f.Add(numbered(TotalLen + 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < AttributeLen {
			return
		}
		var want residentTable
		read(t, b, &want)
		var got Attribute
		got.Decode(b)
		if got != (Attribute{want.Type, want.Len, want.NonResident, want.NameLen, want.NameOff, want.Flags, want.ID}) {
			t.Errorf("%+v, want %+v", got, want)
		}
		if len(b) < ResidentLen {
			return
		}
		var value Resident
		if value.Decode(b); value != (Resident{want.ValueLen, want.ValueOff}) {
			t.Errorf("%+v, want %+v", value, want)
		}
	})
}

func FuzzNonResident(f *testing.F) {
	f.Add(numbered(NonResidentLen))
	long := numbered(TotalLen + 8)
	f.Add(long)
	short := bytes.Clone(long)
	short[0x20], short[0x21] = NonResidentLen, 0
	f.Add(short)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < NonResidentLen {
			return
		}
		var want nonResidentTable
		read(t, b, &want)
		if want.PairsOff < TotalLen || len(b) < TotalLen {
			want.Total = want.Allocated
		}
		var got NonResident
		got.Decode(b)
		if got != (NonResident{want.Low, want.High, want.PairsOff, want.Unit, want.Allocated, want.Size, want.Initialized}) || got.Total(b) != want.Total {
			t.Errorf("%+v with a total of %d, want %+v", got, got.Total(b), want)
		}
	})
}

// FuzzProtected holds that a sound update sequence gives back what it protects, and that nothing else is touched.
func FuzzProtected(f *testing.F) {
	f.Add(numbered(1024), uint16(0x30))
	f.Add(numbered(512), uint16(510))
	f.Fuzz(func(t *testing.T, b []byte, at uint16) {
		b = append(b[:len(b):len(b)], make([]byte, Stride)...)
		b = b[:min(len(b)/Stride, 128)*Stride]
		_ = Protected(bytes.Clone(b), "FILE", "record", 0) // whatever it holds
		count := len(b)/Stride + 1
		copy(b, FileMagic)
		binary.LittleEndian.PutUint16(b[4:], at)
		binary.LittleEndian.PutUint16(b[6:], uint16(count))
		if int(at) < 8 || int(at)+2*count > Stride-2 {
			if Protected(b, FileMagic, "record", 0) == nil {
				t.Errorf("an update sequence at 0x%x", at)
			}
			return
		}
		want := bytes.Clone(b)
		for i := 1; i < count; i++ {
			copy(want[int(at)+2*i:], want[i*Stride-2:][:2]) // what is protected is kept here
		}
		copy(b, want)
		for i := 1; i < count; i++ {
			copy(b[i*Stride-2:i*Stride], b[at:][:2])
		}
		if err := Protected(b, FileMagic, "record", 0); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%v, or other bytes", err)
		}
	})
}

func TestNoAllocations(t *testing.T) {
	b := numbered(1024)
	var (
		boot     BootSector
		record   FileRecord
		attr     Attribute
		resident Resident
		mapped   NonResident
	)
	if n := testing.AllocsPerRun(100, func() {
		for _, r := range []interface{ Decode([]byte) }{&boot, &record, &attr, &resident, &mapped} {
			r.Decode(b)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
