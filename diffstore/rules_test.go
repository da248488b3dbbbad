package diffstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// A volume made by hand has user blocks 0 to 99, metadata from 100 on, and data blocks d0, d1, ... from dataBlock on.
const (
	dataBlock = 200
	lastBlock = 309
	handBytes = (lastBlock + 1) * blockSize
)

// handStore is a snapshot with its store, whose rows and bits are given. Zero fields are the usual values.
type handStore struct {
	rows     []vsstest.Descriptor
	free     []uint32 // set bits of the current bitmap
	previous []uint32 // set bits of the previous bitmap; nil for no such bitmap
	flags    uint64
	position uint64
	created  wintype.Filetime
	size     uint64 // bytes
}

const mib = 1 << 20

func kept(o, d uint64, flags ...uint32) vsstest.Descriptor {
	r := vsstest.Descriptor{Original: o * blockSize, Relative: 0x40000, Kept: (dataBlock + d) * blockSize}
	for _, f := range flags {
		r.Flags |= f
	}
	return r
}

func over(o, d uint64, sectors uint32) vsstest.Descriptor {
	return vsstest.Descriptor{Original: o * blockSize, Relative: 1, Kept: (dataBlock + d) * blockSize, Flags: 2, Sectors: sectors}
}

func move(o, t uint64) vsstest.Descriptor {
	return vsstest.Descriptor{Original: o * blockSize, Relative: t * blockSize, Kept: 7, Flags: 1}
}

type rows = []vsstest.Descriptor

func bits(n ...uint32) []uint32 { return append([]uint32{}, n...) }

// handMade writes a volume; order puts the catalog entries elsewhere, points before stores unless it is nil.
func handMade(t testing.TB, stores []handStore, order func(entries [][]byte) [][]byte) *vsstest.Memory {
	t.Helper()
	m := vsstest.NewMemory(handBytes)
	next := uint64(104)
	write := func(kind uint32, payload []byte, blocks int) uint64 {
		var places []vsstest.Place
		for range blocks {
			places = append(places, vsstest.Place{Offset: next * blockSize})
			next++
		}
		if err := vsstest.WriteChain(m, kind, places, payload); err != nil {
			t.Fatal(err)
		}
		return places[0].Offset
	}
	bitmap := func(set []uint32) uint64 {
		b := make([]byte, 16256)
		for _, n := range set {
			b[n/8] |= 1 << (n % 8)
		}
		return write(vsstest.TypeBitmap, b, 1)
	}
	var entries [][]byte
	for i, s := range stores {
		id := wintype.GUID{byte(i + 1), 7}
		var list []byte
		for _, r := range s.rows {
			list = r.Append(list)
		}
		e := vsstest.StoreEntry{Store: id, List: write(vsstest.TypeList, list, 1+len(s.rows)/508), Header: write(vsstest.TypeStore, vsstest.Information{Copy: id}.Bytes(), 1), Current: bitmap(s.free)}
		if s.previous != nil {
			e.Previous = bitmap(s.previous)
		}
		p := vsstest.SnapshotEntry{Size: handBytes, Store: id, Position: uint64(i + 1), Flags: 0x40 | s.flags, Created: wintype.Filetime(i + 1)}
		if s.position != 0 {
			p.Position = s.position
		}
		if s.created != 0 {
			p.Created = s.created
		}
		if s.size != 0 {
			p.Size = s.size
		}
		entries = append(entries, p.Bytes(), e.Bytes())
	}
	if order != nil {
		entries = order(entries)
	}
	if err := vsstest.WriteChain(m, vsstest.TypeCatalog, []vsstest.Place{{Offset: 100 * blockSize}}, slices.Concat(entries...)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.WriteAt(vsstest.Header{Version: 1, Catalog: 100 * blockSize}.Bytes(), vsstest.HeaderOffset); err != nil {
		t.Fatal(err)
	}
	return m
}

// origin says where n bytes of block b come from: "live", "b7" for live block 7, "d3" for data block 3, "0" for zeros, each
// with "?" when it is unknown, or "error"; with the sectors when there are several.
func origin(v *diffstore.View, b, n int64) string {
	var parts []string
	for e, err := range layer.Extents(v, b*blockSize, n) {
		text := "0"
		if e.Base != nil {
			if n := e.BaseOff/blockSize - dataBlock; n >= 0 && n < 100 {
				text = fmt.Sprint("d", n)
			} else if text = "live"; e.BaseOff != e.Off {
				text = fmt.Sprint("b", e.BaseOff/blockSize)
			}
			if e.Base.Size() < e.BaseOff+e.Len || e.BaseOff%blockSize != e.Off%blockSize {
				text = "impossible"
			}
		}
		if e.Kind == layer.Unknown {
			text = "?" + text
		}
		if err != nil {
			text = "error"
		}
		if e.Len < n {
			text += fmt.Sprintf("[%d-%d]", (e.Off-b*blockSize)/512, (e.Off+e.Len-b*blockSize)/512-1)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

// TestRules is the reading rules of the package by example. A read "2:5=d1" is of snapshot 2, block 5.
func TestRules(t *testing.T) {
	const zeros, offline = 0x400, 0x100
	entry := func(i int, b []byte) func([][]byte) [][]byte {
		return func(e [][]byte) [][]byte { return slices.Insert(e, i, b) }
	}
	for _, c := range []struct {
		name   string
		stores []handStore // the oldest first
		order  func([][]byte) [][]byte
		reads  string
	}{
		// Rule 1: the stack.
		{"copy", []handStore{{rows: rows{kept(5, 1)}}, {rows: rows{kept(6, 2)}}}, nil, "1:5=d1, 1:6=d2, 2:5=live, 2:6=d2, 1:7=live"},
		{"newer copy is not asked when there is an older", []handStore{{rows: rows{kept(5, 1)}}, {rows: rows{kept(5, 2)}}}, nil, "1:5=d1, 2:5=d2"},
		{"offline newest stays in the chain", []handStore{{}, {flags: offline, rows: rows{kept(5, 1)}}}, nil, "1:5=d1, 2:5=d1, 1:6=live"},
		{"offline store in the middle", []handStore{{}, {flags: offline, rows: rows{kept(5, 1)}}, {rows: rows{kept(6, 2)}}}, nil, "1:5=d1, 1:6=d2, 1:7=live"},
		{"positions that start late", []handStore{{position: 5}, {position: 6, rows: rows{kept(5, 1)}}}, nil, "1:5=d1, 1:6=live"},
		{"gap in the positions", []handStore{{position: 1, rows: rows{kept(5, 1)}}, {position: 2}, {position: 4, rows: rows{kept(6, 2)}}}, nil,
			"1:5=d1, 1:6=?live, 1:7=?live, 2:6=?live, 3:6=d2, 3:7=live"},
		{"equal times", []handStore{{created: 9}, {created: 9, rows: rows{kept(5, 1)}}}, nil, "1:5=d1, 2:5=d1"},
		{"reversed times", []handStore{{created: 9, rows: rows{kept(5, 1)}}, {created: 8, rows: rows{kept(5, 2)}}}, nil, "1:5=d1, 2:5=d2"},

		// Rule 2: pairing.
		{"stores before snapshots", []handStore{{rows: rows{kept(5, 1)}}, {rows: rows{kept(5, 2)}}},
			func(e [][]byte) [][]byte { return [][]byte{e[3], e[1], e[2], e[0]} }, "1:5=d1, 2:5=d2"},
		{"stores crosswise", []handStore{{rows: rows{kept(5, 1)}}, {rows: rows{kept(5, 2)}}},
			func(e [][]byte) [][]byte { return [][]byte{e[0], e[3], e[2], e[1]} }, "1:5=d1, 2:5=d2"},
		{"newest first", []handStore{{rows: rows{kept(5, 1)}}, {rows: rows{kept(5, 2)}}},
			func(e [][]byte) [][]byte { return [][]byte{e[2], e[3], e[0], e[1]} }, "1:5=d1, 2:5=d2"},
		{"foreign store entry", []handStore{{rows: rows{kept(5, 1)}}}, entry(1, vsstest.StoreEntry{Store: wintype.GUID{99}, List: 104 * blockSize}.Bytes()), "1:5=d1, 1:6=live"},
		{"foreign store entry at the end", []handStore{{rows: rows{kept(5, 1)}}}, entry(2, vsstest.StoreEntry{Store: wintype.GUID{99}, List: 0x4000}.Bytes()), "1:5=d1, 1:6=live"},
		{"second store entry, impossible", []handStore{{rows: rows{kept(5, 1)}}}, entry(2, vsstest.StoreEntry{Store: wintype.GUID{1, 7}, List: 1 << 40}.Bytes()), "1:5=d1"},
		{"free slots and unknown entries between", []handStore{{rows: rows{kept(5, 1)}}}, func(e [][]byte) [][]byte {
			return [][]byte{make([]byte, 0x80), {127: 0, 0: 1}, e[0], {127: 0, 0: 9}, e[1]}
		}, "1:5=d1"},

		// Rule 5: rows and flags.
		{"withdrawn", []handStore{{rows: rows{kept(5, 1, 4), kept(6, 2)}}}, nil, "1:5=live, 1:6=d2"},
		{"withdrawn after a copy", []handStore{{rows: rows{kept(5, 1), kept(5, 2, 4)}}}, nil, "1:5=d1"},
		{"withdrawn overlay and move", []handStore{{rows: rows{{Original: 5 * blockSize, Kept: dataBlock * blockSize, Flags: 6, Sectors: 1}, {Original: 6 * blockSize, Relative: 7 * blockSize, Flags: 5}}}}, nil, "1:5=live, 1:6=live"},
		{"flags 0x8", []handStore{{rows: rows{kept(5, 1, 0x8)}}}, nil, "1:5=d1"},
		{"flags 0x10", []handStore{{rows: rows{kept(5, 1, 0x10)}}}, nil, "1:5=d1"},
		{"flags 0x20", []handStore{{rows: rows{kept(5, 1, 0x20)}}}, nil, "1:5=d1"},
		{"flags 0x28", []handStore{{rows: rows{kept(5, 1, 0x28)}}}, nil, "1:5=d1"},
		{"flags 0x40", []handStore{{rows: rows{kept(5, 1, 0x40)}}}, nil, "1:5=d1"},
		{"flags 0x80", []handStore{{rows: rows{kept(5, 1, 0x80)}}}, nil, "1:5=d1"},
		{"flags 0x88", []handStore{{rows: rows{kept(5, 1, 0x88)}}}, nil, "1:5=d1"},
		{"flags 0x100", []handStore{{rows: rows{kept(5, 1, 0x100)}}}, nil, "1:5=d1"},
		{"moved and overlay", []handStore{{rows: rows{{Original: 5 * blockSize, Relative: 6 * blockSize, Kept: (dataBlock + 1) * blockSize, Flags: 3, Sectors: 1}}}}, nil, "1:5=d1[0-0] live[1-31]"},
		{"all-zero row inside a table", []handStore{{rows: rows{kept(5, 1), {}, {}, kept(6, 2)}}}, nil, "1:5=d1, 1:6=d2, 1:0=live"},
		{"row without data", []handStore{{rows: rows{kept(5, 1), {Original: 6 * blockSize}, kept(7, 2)}}}, nil, "1:5=d1, 1:6=live, 1:7=d2"},
		{"more rows than a block has", []handStore{{rows: append(slices.Repeat(rows{kept(5, 1)}, 700), kept(5, 2), kept(6, 3))}}, nil, "1:5=d2, 1:6=d3"},
		{"data outside of the volume", []handStore{{rows: rows{kept(5, 500), kept(6, 1)}}}, nil, "1:5=error, 1:6=d1"},
		{"original past the end", []handStore{{rows: rows{kept(lastBlock+1, 1), kept(6, 1)}}}, nil, "1:5=live, 1:6=d1"},
		{"move past the end", []handStore{{rows: rows{move(5, lastBlock+1)}}}, nil, "1:5=error, 1:6=live"},

		// Rule 6: moves.
		{"move", []handStore{{rows: rows{move(5, 6)}}}, nil, "1:5=b6, 1:6=live"},
		{"move, read through", []handStore{{}, {rows: rows{move(5, 6)}}}, nil, "1:5=b6"},
		{"the target copied later in the store", []handStore{{rows: rows{move(5, 6), kept(6, 1)}}}, nil, "1:5=d1, 1:6=live"},
		{"the target copied twice: once the moved block, once its own", []handStore{{rows: rows{move(5, 6), kept(6, 1), kept(6, 2)}}}, nil, "1:5=d1, 1:6=d2"},
		{"the target copied before the move", []handStore{{rows: rows{kept(6, 1), move(5, 6)}}}, nil, "1:5=b6, 1:6=d1"},
		{"moved on in the store", []handStore{{rows: rows{move(5, 6), move(6, 7)}}}, nil, "1:5=b7, 1:6=live"},
		{"chain across stores", []handStore{{rows: rows{move(5, 6)}}, {rows: rows{move(6, 7)}}, {rows: rows{kept(7, 1)}}}, nil, "1:5=d1, 1:6=d1, 2:6=d1, 2:5=live, 3:6=live"},
		{"chain across stores to the live volume", []handStore{{rows: rows{move(5, 6)}}, {rows: rows{move(6, 7)}}}, nil, "1:5=b7, 2:6=b7, 2:5=live"},
		{"never again in the same store", []handStore{{rows: rows{kept(6, 1), move(5, 6)}}, {rows: rows{kept(6, 2)}}}, nil, "1:5=d2, 1:6=d1"},
		{"a pending move does not reach other stores", []handStore{{rows: rows{move(5, 6)}}, {rows: rows{kept(6, 1)}}}, nil, "1:5=d1, 2:5=live, 2:6=d1"},
		{"target marked unused, newest", []handStore{{rows: rows{move(5, 6)}, free: bits(6, 7)}}, nil, "1:5=b6, 1:6=?live, 1:7=?0"},
		{"target marked unused, newest, zeros", []handStore{{flags: zeros, rows: rows{move(5, 6)}, free: bits(6)}}, nil, "1:5=b6, 1:6=?0"},
		{"target marked unused, copied", []handStore{{rows: rows{move(5, 6), kept(6, 1)}, free: bits(6)}}, nil, "1:5=d1, 1:6=?0"},
		{"target marked unused, older", []handStore{{rows: rows{move(5, 6)}, free: bits(6)}, {previous: bits()}}, nil, "1:5=b6, 1:6=?live"},

		// Rule 7: copies against moves.
		{"copy, then move", []handStore{{rows: rows{kept(5, 1), move(5, 6)}}}, nil, "1:5=d1, 1:6=live"},
		{"move, then copy", []handStore{{rows: rows{move(5, 6), kept(5, 1)}}}, nil, "1:5=d1, 1:6=live"},
		{"last copy wins", []handStore{{rows: rows{kept(5, 1), kept(5, 2)}}}, nil, "1:5=d2"},

		// Rule 8: home.
		{"there and back", []handStore{{rows: rows{move(5, 6), move(6, 5)}}}, nil, "1:5=live, 1:6=live"},
		{"there and back, then copied", []handStore{{rows: rows{move(5, 6), move(6, 5), kept(5, 1)}}}, nil, "1:5=d1"},
		{"around three", []handStore{{rows: rows{move(5, 6), move(6, 7), move(7, 5)}}, {rows: rows{kept(5, 1)}}}, nil, "1:5=d1"},
		{"to itself", []handStore{{rows: rows{move(5, 5)}}}, nil, "1:5=live"},
		{"copy, then to itself", []handStore{{rows: rows{kept(5, 1), move(5, 5)}}}, nil, "1:5=live"},

		// Rule 9: overlays.
		{"overlay without base", []handStore{{rows: rows{over(5, 1, 0x80000003)}}}, nil, "1:5=d1[0-1] live[2-30] d1[31-31]"},
		{"overlay after overlay, own data", []handStore{{rows: rows{over(5, 1, 0x3), over(5, 2, 0xc)}}}, nil, "1:5=d1[0-1] d2[2-3] live[4-31]"},
		{"later overlay wins", []handStore{{rows: rows{over(5, 1, 0xf), over(5, 2, 0x6)}}}, nil, "1:5=d1[0-0] d2[1-2] d1[3-3] live[4-31]"},
		{"overlay, then copy", []handStore{{rows: rows{over(5, 1, 0x1), kept(5, 2)}}}, nil, "1:5=d1[0-0] d2[1-31]"},
		{"copy, then overlay", []handStore{{rows: rows{kept(5, 2), over(5, 1, 0x1)}}}, nil, "1:5=d1[0-0] d2[1-31]"},
		{"overlay and move", []handStore{{rows: rows{over(5, 1, 0x1), move(5, 6)}}}, nil, "1:5=d1[0-0] b6[1-31]"},
		{"overlay at the target of a move is not moved", []handStore{{rows: rows{move(5, 6), over(6, 1, 0x1), kept(6, 2)}}}, nil, "1:5=d2, 1:6=d1[0-0] live[1-31]"},
		{"overlay not seen from an older snapshot", []handStore{{}, {rows: rows{over(5, 1, 0x1), kept(5, 2)}}}, nil, "1:5=d2, 2:5=d1[0-0] d2[1-31]"},
		{"overlay alone not seen from an older snapshot", []handStore{{rows: rows{over(5, 3, 0x2)}}, {rows: rows{over(5, 1, 0x1)}}}, nil, "1:5=live[0-0] d3[1-1] live[2-31], 2:5=d1[0-0] live[1-31]"},
		{"overlay over what is marked unused", []handStore{{rows: rows{over(5, 1, 0x1)}, free: bits(5)}}, nil, "1:5=d1[0-0] ?0[1-31]"},

		// Rules 10 and 11: what no store has.
		{"free in the newest", []handStore{{free: bits(5)}}, nil, "1:5=?0, 1:6=live"},
		{"free in the newest, offline", []handStore{{}, {flags: offline, free: bits(5)}}, nil, "1:5=live, 2:5=?0"},
		{"free in an older one", []handStore{{free: bits(5)}, {}}, nil, "1:5=?live, 2:5=live"},
		{"free in an older one, kept by a newer", []handStore{{free: bits(5)}, {rows: rows{kept(5, 1)}}}, nil, "1:5=?d1, 2:5=d1"},
		{"free, but kept", []handStore{{free: bits(5), rows: rows{kept(5, 1)}}}, nil, "1:5=d1"},
		{"zeros in an older one only", []handStore{{flags: zeros, free: bits(5)}, {free: bits(6)}}, nil, "1:5=?0, 1:6=live, 2:5=live, 2:6=?0"},
		{"zeros in the middle only", []handStore{{free: bits(7)}, {flags: zeros, free: bits(5)}, {}}, nil, "1:5=?0, 1:7=?live, 2:5=?0, 3:5=live"},
		{"zeros in the newest only", []handStore{{free: bits(5, 7)}, {flags: zeros, free: bits(5, 6)}}, nil, "1:5=?0, 1:6=?0, 1:7=?live, 2:6=?0"},
		{"needed by an older one", []handStore{{}, {free: bits(5, 6), previous: bits(6)}}, nil, "1:5=live, 1:6=?live, 2:5=live, 2:6=?0"},
		{"previous bitmap says kept or needless, current and list not", []handStore{{}, {free: bits(), previous: bits(5)}}, nil, "1:5=?live, 2:5=live"},
		{"no previous bitmap: nothing said of older ones", []handStore{{}, {free: bits(5)}}, nil, "1:5=live, 2:5=?0"},
		{"previous bitmap shorter: an older one was smaller", []handStore{{size: mib}, {free: bits(63, 64, 65), previous: bits(64)}}, nil, "1:63=live, 2:63=live, 2:64=?0, 2:65=?0, 2:66=live"},
		{"previous bitmap longer: an older one was larger", []handStore{{}, {size: mib, free: bits(62, 63), previous: bits(63, 70)}}, nil, "2:62=live, 2:63=?0, 1:62=live, 1:70=?live"},
		{"after a move no bitmap counts", []handStore{{rows: rows{move(5, 6)}}, {free: bits(6), previous: bits(6)}}, nil, "1:5=b6, 2:6=?0"},
		{"after a move no zeros either", []handStore{{rows: rows{move(5, 6)}}, {flags: zeros, free: bits(6)}}, nil, "1:5=b6, 2:6=?0"},

		// Rule 13: sizes.
		{"grown", []handStore{{size: mib}, {rows: rows{kept(5, 1)}}}, nil, "1:5=d1, 1:63=live, 1:64=, 2:64=live"},
		{"shrunk", []handStore{{size: handBytes + mib}, {}}, nil, "1:309=live, 1:310=error, 2:310="},
		{"shrunk, kept before", []handStore{{size: handBytes + mib, rows: rows{kept(320, 1)}}, {}}, nil, "1:320=d1, 1:321=error"},
		{"shrunk between, and grown again", []handStore{{}, {size: mib, previous: bits()}, {}}, nil, "1:64=?live, 1:63=live, 3:64=live"},
		{"moved to what was cut off between", []handStore{{rows: rows{move(5, 70)}}, {size: mib}}, nil, "1:5=?b70"},
		{"last block partial", []handStore{{size: mib + 1024, rows: rows{kept(64, 1), over(64, 2, 0x2)}}}, nil, "1:64=d1[0-0] d2[1-1]"},
		{"last block partial, live", []handStore{{size: mib + 1024}}, nil, "1:64=live[0-1]"},
		{"impossible size", []handStore{{size: 1 << 60}}, nil, "1:309=live, 1:310="},
	} {
		t.Run(c.name, func(t *testing.T) { checkReads(t, handMade(t, c.stores, c.order), len(c.stores), c.reads) })
	}
}

// TestRulesOfDamage is rules 11 and 12 where a block of metadata is lost. Each store takes list, header, current and
// perhaps previous bitmap from block 104 on.
func TestRulesOfDamage(t *testing.T) {
	const zeros = 0x400
	long := append(rows{kept(5, 1), move(6, 7)}, slices.Repeat(rows{kept(8, 8)}, 506)...)
	long = append(long, kept(9, 2)) // in the second block of the list
	for _, c := range []struct {
		name   string
		stores []handStore
		lost   int64 // block
		reads  string
	}{
		{"current bitmap", []handStore{{free: bits(5)}}, 106, "1:5=live, 1:6=live"},
		{"current bitmap of a snapshot with zeros", []handStore{{flags: zeros, free: bits(5)}}, 106, "1:5=?live, 1:6=?live"},
		{"previous bitmap", []handStore{{}, {free: bits(5), previous: bits()}}, 110, "1:5=?live, 1:6=live, 2:5=?live, 2:6=live"},
		{"end of a block list", []handStore{{rows: long}}, 105, "1:5=d1, 1:6=?b7, 1:8=d8, 1:9=?live, 1:10=?live"},
		{"end of a block list: a move may have been followed", []handStore{{rows: long}, {rows: rows{kept(7, 3)}}}, 105, "1:6=?d3, 2:7=d3"},
		{"end of a newer block list", []handStore{{rows: rows{kept(4, 4)}}, {rows: long}, {rows: rows{kept(10, 3)}}}, 108, "1:4=d4, 1:5=d1, 1:6=?b7, 1:9=?live, 1:10=?d3, 3:10=d3, 3:9=live"},
		{"store header", []handStore{{rows: rows{kept(5, 1)}}}, 105, "1:5=d1, 1:6=live"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := handMade(t, c.stores, nil)
			if _, err := m.WriteAt(make([]byte, blockSize), c.lost*blockSize); err != nil {
				t.Fatal(err)
			}
			checkReads(t, m, len(c.stores), c.reads)
		})
	}
}

// checkReads compares what reads say.
func checkReads(t *testing.T, img layer.Source, snapshots int, reads string) {
	t.Helper()
	vol, err := diffstore.Open(img, diffstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(vol.Snapshots()); n != snapshots {
		t.Fatalf("%d snapshots, want %d", n, snapshots)
	}
	for _, read := range strings.Split(reads, ", ") {
		place, want, _ := strings.Cut(read, "=")
		var k, b int64
		if _, err := fmt.Sscanf(place, "%d:%d", &k, &b); err != nil {
			t.Fatalf("%q: %v", read, err)
		}
		v, err := vol.Snapshots()[k-1].Open()
		if err != nil {
			t.Fatal(err)
		}
		if got := origin(v, b, blockSize); got != want {
			t.Errorf("snapshot %d, block %d: %q, want %q", k, b, got, want)
		}
	}
}
