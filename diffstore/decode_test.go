package diffstore

import (
	"bytes"
	"slices"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/wintype"
)

func guid(first byte) (g wintype.GUID) {
	for i := range g {
		g[i] = first + byte(i)
	}
	return g
}

func TestDecode(t *testing.T) {
	h, ok := decodeHeader(vsstest.Header{Version: 2, Catalog: 3, MaxSize: 4, Volume: guid(5), Storage: guid(6), Application: 7, Protection: 8}.Bytes())
	if want := (Header{2, 3, 4, guid(5), guid(6), 7, 8, [2]uint64{headerOffset, headerOffset}}); h != want || !ok {
		t.Errorf("header %+v, %v, want %+v", h, ok, want)
	}
	s := vsstest.SnapshotEntry{Size: 1, Store: guid(2), Position: 3, Flags: 4, Created: 5}.Bytes()
	s[4] = 6
	if got, want := decodeSnapshotEntry(s), (snapshotEntry{6, 1, guid(2), 3, 4, 5}); got != want {
		t.Errorf("snapshot entry %+v, want %+v", got, want)
	}
	e := vsstest.StoreEntry{List: 1, Store: guid(2), Header: 3, Ranges: 4, Current: 5, File: 6, Allocated: 7, Previous: 8, Older: 9}
	if got, want := decodeStoreEntry(e.Bytes()), (storeEntry{1, guid(2), 3, 4, 5, 6, 7, 8, 9}); got != want {
		t.Errorf("store entry %+v, want %+v", got, want)
	}
	d := vsstest.Descriptor{Original: 1, Relative: 2, Kept: 3, Flags: 4, Sectors: 5}.Append(nil)
	if got, want := decodeDescriptor(d), (descriptor{1, 2, 3, 4, 5}); got != want {
		t.Errorf("descriptor %+v, want %+v", got, want)
	}
	b := vsstest.Block(typeStore, vsstest.Place{Offset: 1, Relative: 2}, 3, make([]byte, 4))
	if r, ok := decodeRecord(b); !ok || r != (record{1, typeStore, 2, 1, 3, 4}) {
		t.Errorf("record %+v, %v", r, ok)
	}
	b[15] ^= 1
	if _, ok := decodeRecord(b); ok {
		t.Error("a wrong last byte of the identifier went unnoticed")
	}
}

func TestDecodeInformation(t *testing.T) {
	b := vsstest.Information{Format: guid(1), Copy: guid(2), Set: guid(3), Context: 4, Count: 5, Attributes: 6, Machine: "möre", Service: "𝄞"}.Bytes()
	want := information{guid(1), guid(2), guid(3), 4, 5, 6, "möre", "𝄞"}
	if got, ok := decodeInformation(b); got != want || !ok {
		t.Errorf("got %+v, %v, want %+v", got, ok, want)
	}
	want.machine, want.service = "", ""
	for _, cut := range []int{0x40, 0x41, 0x44, len(b) - 1} {
		if got, ok := decodeInformation(b[:cut]); got != want || ok {
			t.Errorf("cut to %d: %+v, %v, want no strings", cut, got, ok)
		}
	}
	odd := bytes.Clone(b)
	odd[0x40]--
	if _, ok := decodeInformation(odd); ok {
		t.Error("a string of odd length was taken")
	}
}

func TestAttributes(t *testing.T) {
	for _, c := range []struct {
		a                 Attributes
		text, consistency string
	}{
		{0, "", ""},
		{0x0002001d, "persistent, client accessible, no auto release, no writers, differential", "crash"},
		{0x00420009, "persistent, no auto release, differential, auto recover", "application"},
		{0x80000100 | Persistent, "persistent, 0x80000100", "application"},
	} {
		if c.a.String() != c.text || c.a.Consistency() != c.consistency {
			t.Errorf("0x%x: %q, %q, want %q, %q", uint32(c.a), c.a, c.a.Consistency(), c.text, c.consistency)
		}
	}
}

// TestFlatten states rules 5 to 8 on one store.
func TestFlatten(t *testing.T) {
	const x, y, z = 3 * BlockSize, 4 * BlockSize, 5 * BlockSize
	const d1, d2 = 10 * BlockSize, 11 * BlockSize
	reg := func(o, at uint64) descriptor { return descriptor{original: o, kept: at} }
	fwd := func(o, to uint64) descriptor { return descriptor{original: o, relative: to, flags: flagMoved} }
	for _, c := range []struct {
		name string
		in   []descriptor
		want []row
	}{
		{"copy", []descriptor{reg(x, d1)}, []row{{3, 0, d1, 0, regular, false}}},
		{"last copy wins", []descriptor{reg(x, d1), reg(x, d2)}, []row{{3, 0, d2, 0, regular, false}}},
		{"unused and empty", []descriptor{{}, {original: x, kept: d1, flags: 5}, {original: x}}, nil},
		{"unknown flags", []descriptor{{original: x, kept: d1, flags: 0x188}}, []row{{3, 0, d1, 0, regular, false}}},
		{"move", []descriptor{fwd(x, y)}, []row{{3, 0, 4, 0, moved, false}, {4, 0, 0, 0, target, false}}},
		{"move, then copy of the target", []descriptor{fwd(x, y), reg(y, d1)}, []row{{3, 0, d1, 0, regular, false}}},
		{"re-keyed once", []descriptor{fwd(x, y), reg(y, d1), reg(y, d2)}, []row{{3, 0, d1, 0, regular, false}, {4, 0, d2, 0, regular, false}}},
		{"moved on", []descriptor{fwd(x, y), fwd(y, z)}, []row{{3, 0, 5, 0, moved, false}, {5, 0, 0, 0, target, false}}},
		{"home", []descriptor{fwd(x, y), fwd(y, x)}, nil},
		{"home, then copy", []descriptor{fwd(x, y), fwd(y, x), reg(x, d1)}, []row{{3, 0, d1, 0, regular, false}}},
		{"to itself", []descriptor{reg(x, d1), fwd(x, x)}, nil},
		{"copy, then move", []descriptor{reg(x, d1), fwd(x, y)}, []row{{3, 0, d1, 0, regular, false}, {4, 0, 0, 0, target, false}}},
		{"move, then copy", []descriptor{fwd(x, y), reg(x, d1)}, []row{{3, 0, d1, 0, regular, false}, {4, 0, 0, 0, target, false}}},
		{"overlay is not re-keyed", []descriptor{fwd(x, y), {original: y, kept: d1, flags: flagOverlay, sectors: 7}},
			[]row{{3, 0, 4, 0, moved, false}, {4, 7, d1, 0, overlay, false}, {4, 0, 0, 0, target, false}}},
		{"overlay and moved", []descriptor{{original: x, kept: d1, flags: 3, sectors: 7}}, []row{{3, 7, d1, 0, overlay, false}}},
		{"overlays stay in order before a copy", []descriptor{{original: x, kept: d1, flags: 2, sectors: 7}, reg(x, d2), {original: x, relative: 1, kept: d2, flags: 2, sectors: 6}},
			[]row{{3, 7, d1, 0, overlay, false}, {3, 6, d2, 0, overlay, false}, {3, 0, d2, 0, regular, false}}},
		{"past the end", []descriptor{{original: 100 * BlockSize, kept: d1}}, nil},
		{"target past the end", []descriptor{fwd(x, 100*BlockSize)}, []row{{3, 0, lostData, 0, moved, false}}},
	} {
		l := &loader{s: &Snapshot{vol: &Volume{span: 100}}, pending: map[block]block{}}
		for _, d := range c.in {
			if err := l.add(d, 0); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		l.targets()
		if got := flatten(sortByBlock(l.rows)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestContextInWords(t *testing.T) {
	for c, want := range map[Context]string{0x1d: "client accessible", 0x0d: "client accessible, with writers", 0x09: "application rollback", 0x77: "context 0x77"} {
		if got := c.String(); got != want {
			t.Errorf("0x%x is %q, want %q", uint32(c), got, want)
		}
	}
}
