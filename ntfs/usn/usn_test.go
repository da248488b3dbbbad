package usn

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"
	"unicode/utf16"

	"snapmount/imagefmt/layer"
)

// named encodes a record of version 2 or 3 with all its fields different.
func named(major uint16, usn int64, name string) []byte {
	le := binary.LittleEndian
	var b []byte
	if major == 2 {
		b = le.AppendUint64(le.AppendUint64(b, 0x0807060504030201), 0x100f0e0d0c0b0a09)
	} else {
		for _, v := range []uint64{0x1807060504030201, 0x11, 0x200f0e0d0c0b0a09, 0x22} {
			b = le.AppendUint64(b, v)
		}
	}
	b = le.AppendUint64(le.AppendUint64(b, uint64(usn)), 132444736000000005)
	for _, v := range []uint32{uint32(DataExtend | Close), uint32(AuxiliaryData), 0x31323334, 0x41424344} {
		b = le.AppendUint32(b, v)
	}
	units := utf16.Encode([]rune(name))
	b = le.AppendUint16(le.AppendUint16(b, uint16(2*len(units))), uint16(len(b)+12))
	for _, u := range units {
		b = le.AppendUint16(b, u)
	}
	return headed(major, b)
}

// ranged encodes a record of version 4, by the documented layout.
func ranged(usn int64, remaining uint32, size uint16, extents ...Extent) []byte {
	le := binary.LittleEndian
	var b []byte
	for _, v := range []uint64{1, 2, 3, 4, uint64(usn)} {
		b = le.AppendUint64(b, v)
	}
	for _, v := range []uint32{uint32(DataOverwrite), uint32(DataManagement), remaining} {
		b = le.AppendUint32(b, v)
	}
	b = le.AppendUint16(le.AppendUint16(b, uint16(len(extents))), size)
	for _, e := range extents {
		b = le.AppendUint64(le.AppendUint64(b, uint64(e.Off)), uint64(e.Len))
		b = append(b, make([]byte, size-lenExtent)...)
	}
	return headed(4, b)
}

func headed(major uint16, b []byte) []byte {
	b = append(b, make([]byte, align(len(b))-len(b))...)
	h := binary.LittleEndian.AppendUint32(nil, uint32(len(b)+8))
	h = append(h, byte(major), 0, 0, 0)
	return append(h, b...)
}

func TestDecode(t *testing.T) {
	both := Record{Offset: 0x5000, USN: 0x1122334455667788, Time: 132444736000000005, Reason: DataExtend | Close, Source: AuxiliaryData,
		SecurityID: 0x31323334, Attr: 0x41424344, Name: "näme😀"}
	v2, v3 := both, both
	v2.Major, v2.File, v2.Parent = 2, FileID{Low: 0x0807060504030201}, FileID{Low: 0x100f0e0d0c0b0a09}
	v3.Major, v3.File, v3.Parent = 3, FileID{0x1807060504030201, 0x11}, FileID{0x200f0e0d0c0b0a09, 0x22}
	extents := []Extent{{0x10000, 0x4000}, {0x80000, 0x8000}}
	v4 := Record{Offset: 0x5000, USN: 0x77, Major: 4, File: FileID{1, 2}, Parent: FileID{3, 4}, Reason: DataOverwrite, Source: DataManagement, Remaining: 9, Extents: extents}
	for _, c := range []struct {
		b    []byte
		want Record
	}{
		{named(2, 0x1122334455667788, "näme😀"), v2}, {named(3, 0x1122334455667788, "näme😀"), v3},
		{ranged(0x77, 9, 16, extents...), v4}, {ranged(0x77, 9, 24, extents...), v4},
	} {
		got, n, err := decode(append(c.b, 1, 2, 3), 0x5000)
		if err != nil || n != len(c.b) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v, %d, %v, want %+v, %d", got, n, err, c.want, len(c.b))
		}
		for n := range c.b {
			if _, _, err := decode(c.b[:n], 0); !errors.Is(err, layer.ErrCorrupt) {
				t.Errorf("cut to %d bytes: error %v", n, err)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := named(2, 0, "name.txt")
	for _, c := range []struct {
		what  string
		off   int
		value byte
	}{
		{"length off by 8", 0, good[0] + 8}, {"odd length", 0, good[0] - 1}, {"length of 2^24", 3, 1}, {"version 1", 4, 1}, {"version 5", 4, 5},
		{"negative USN", 31, 0x80}, {"negative time", 39, 0x80}, {"name length 0", 56, 0}, {"odd name length", 56, 15}, {"name too short", 56, 2},
		{"name elsewhere", 58, 62}, {"NUL in the name", 62, 0},
	} {
		b := bytes.Clone(good)
		b = append(b, make([]byte, 16)...)
		b[c.off] = c.value
		if r, _, err := decode(b, 0); !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%s: %+v, error %v", c.what, r, err)
		}
	}
	for what, b := range map[string][]byte{"extents of 8 bytes": ranged(0, 0, 16)[:64], "negative extent": ranged(0, 0, 16, Extent{-1, 1})} {
		if what[0] == 'e' {
			b[62] = 8
		}
		if r, _, err := decode(b, 0); !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%s: %+v, error %v", what, r, err)
		}
	}
}

// journal lays records out as Windows does, from offset start on: none crosses a page.
func journal(start int64, n int, damage ...func([]byte)) []byte {
	b := make([]byte, start)
	for i := range n {
		r := named(2+uint16(i%2), 0, fmt.Sprintf("file %03d", i))
		if len(b)%pageSize+len(r) > pageSize {
			b = append(b, make([]byte, pageSize-len(b)%pageSize)...)
		}
		binary.LittleEndian.PutUint64(r[24+16*(i%2):], uint64(len(b)))
		b = append(b, r...)
	}
	for _, f := range damage {
		f(b)
	}
	return b
}

func mapper(b []byte) layer.Mapper {
	m, _ := layer.Section(bytes.NewReader(b), 0, int64(len(b)))
	return m
}

// collect returns the names of the records, those that are moved, and the errors with their offsets.
func collect(m layer.Mapper) (names []string, moved int, errs []string) {
	for r, err := range Records(context.Background(), m) {
		if err != nil {
			errs = append(errs, fmt.Sprintf("0x%x", r.Offset))
			continue
		}
		names = append(names, r.Name)
		if r.Moved() {
			moved++
		}
	}
	return names, moved, errs
}

func TestRecords(t *testing.T) {
	const n = 200 // of 80 and 96 bytes alternately: 46 in a page
	for _, c := range []struct {
		what   string
		b      []byte
		lost   []int
		moved  int
		errors []string
	}{
		{"sound", journal(0, n), nil, 0, nil},
		{"after zeros", journal(3*pageSize, n), nil, 0, nil},
		{"copied without its hole", journal(3*pageSize, n)[3*pageSize:], nil, n, nil},
		{"one length", journal(0, n, func(b []byte) { b[0] = 0xff }), []int{0}, 0, []string{"0x0"}},
		{"three records", journal(0, n, func(b []byte) { copy(b[176:], bytes.Repeat([]byte{0xa5}, 256)) }), []int{2, 3, 4}, 0, []string{"0xb0"}},
		{"two ranges", journal(0, n, func(b []byte) { b[0] = 1; b[176] = 1 }), []int{0, 2}, 0, []string{"0x0", "0xb0"}},
		{"a page and more", journal(0, n, func(b []byte) { copy(b[3872:], bytes.Repeat([]byte{0xff}, 224+pageSize)) }), span(44, 92), 0, []string{"0xf20"}},
		{"the end", journal(0, 3, func(b []byte) { b[180] = 9 }), []int{2}, 0, []string{"0xb0"}},
		{"cut within a record", journal(0, n)[:pageSize+90], span(47, n), 0, []string{"0x1050"}},
		{"only zeros", make([]byte, 3*pageSize), span(0, n), 0, nil},
	} {
		names, moved, errs := collect(mapper(c.b))
		var want []string
		for i := range n {
			if !slices.Contains(c.lost, i) && (i < 3 || c.what != "the end") {
				want = append(want, fmt.Sprintf("file %03d", i))
			}
		}
		if !slices.Equal(names, want) || moved != c.moved || !slices.Equal(errs, c.errors) {
			t.Errorf("%s: %d records (%.120q), %d moved, errors at %v; want %d, %d, %v", c.what, len(names), names, moved, errs, len(want), c.moved, c.errors)
		}
	}
}

func span(from, to int) (out []int) {
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// sparse is a journal of which a head, and one page further on, have gone: that cannot be read, or is a hole.
type sparse struct {
	head int64
	b    []byte
	lost int64
	hole bool
}

func (s *sparse) Size() int64                             { return s.head + int64(len(s.b)) }
func (s *sparse) ReadAt(p []byte, off int64) (int, error) { return layer.Read(s, p, off, layer.Live) }
func (s *sparse) At(off, n int64) (layer.Extent, error) {
	src, gone := bytes.NewReader(s.b), s.head+s.lost
	switch {
	case off < s.head:
		return layer.Extent{Off: off, Len: min(n, s.head-off), Kind: layer.Zero}, nil
	case off < gone:
		return layer.Extent{Off: off, Len: min(n, gone-off), Base: src, BaseOff: off - s.head}, nil
	case off >= gone+pageSize:
		return layer.Extent{Off: off, Len: n, Base: src, BaseOff: off - s.head}, nil
	case s.hole:
		return layer.Extent{Off: off, Len: min(n, gone+pageSize-off), Kind: layer.Zero}, nil
	}
	return layer.Extent{Off: off, Len: min(n, gone+pageSize-off)}, io.ErrUnexpectedEOF
}

// TestSparseHead has a hole of 2^55 bytes before the records, and a page that cannot be read between them.
func TestSparseHead(t *testing.T) {
	start := time.Now()
	const head = 1 << 55
	names, moved, errs := collect(&sparse{head: head, b: journal(0, 200), lost: pageSize})
	if len(names) != 200-46 || moved != len(names) || !slices.Equal(errs, []string{fmt.Sprintf("0x%x", head+pageSize)}) {
		t.Errorf("%d records, %d moved, errors at %v", len(names), moved, errs)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	garbage := &sparse{b: bytes.Repeat([]byte{0xff}, 3*pageSize), lost: pageSize, hole: true}
	if names, _, errs := collect(garbage); len(names) != 0 || !slices.Equal(errs, []string{"0x0", "0x2000"}) {
		t.Errorf("two damaged pages beside a hole: %q, errors at %v", names, errs)
	}
}

func TestStops(t *testing.T) {
	b := journal(0, 200, func(b []byte) { b[0] = 1; copy(b[pageSize:], bytes.Repeat([]byte{0xff}, pageSize)) })
	for stop := range 100 {
		count := 0
		for range Records(context.Background(), mapper(b)) {
			if count++; count > stop {
				break
			}
		}
		if count != stop+1 {
			t.Errorf("%d records, want %d", count, stop+1)
		}
	}
}

func TestWords(t *testing.T) {
	for want, r := range map[string]Reason{"data extend|close": DataExtend | Close, "rename: new name": RenameNewName, "": 0, "file create|0x00000008": FileCreate | 8} {
		if got := r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	var all Reason
	for _, w := range reasonWords {
		if all&w.bit != 0 || w.bit&(w.bit-1) != 0 {
			t.Errorf("%s: 0x%x", w.word, uint32(w.bit))
		}
		all |= w.bit
	}
	if all != 0x81ffff77 {
		t.Errorf("reasons 0x%x", uint32(all))
	}
	for want, id := range map[string]FileID{"5-6": {Low: 6<<48 | 5}, "0x00000000000000010000000000000002": {Low: 2, High: 1}} {
		if got := id.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzUSN(f *testing.F) {
	f.Add(journal(0, 50))
	f.Add(append(ranged(0, 1, 16, Extent{1, 2}), named(3, 0, "x")...))
	f.Add(journal(0, 60, func(b []byte) { b[0] = 1; copy(b[pageSize:], "garbage!") }))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		at, start := int64(-1), time.Now()
		for r, err := range Records(context.Background(), mapper(b)) {
			if r.Offset <= at || r.Offset >= int64(len(b)) || (err == nil && r.Offset/pageSize == at/pageSize && at >= 0 && r.Offset < at+8) {
				t.Fatalf("record at 0x%x after 0x%x", r.Offset, at)
			}
			at = r.Offset
			if 16*len(r.Extents) > pageSize || len(r.Name) > pageSize {
				t.Fatalf("%d extents, name of %d bytes", len(r.Extents), len(r.Name))
			}
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Fatalf("took %v", took)
		}
	})
}
