package timeline

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

// records are what a change journal holds: records from number first to last, each at its USN, zeros before them.
func records(first, last int) []byte {
	var b []byte
	le := binary.LittleEndian
	for i := range last {
		name := fmt.Sprintf("event %04d", i)
		r := make([]byte, 60+2*len(name)) // a multiple of 8
		if room := 4096 - len(b)%4096; room < len(r) {
			b = append(b, make([]byte, room)...)
		}
		le.PutUint32(r[0:], uint32(len(r)))
		le.PutUint16(r[4:], 2)
		le.PutUint64(r[8:], 5<<48|64)
		le.PutUint64(r[16:], 5<<48|5)
		le.PutUint64(r[24:], uint64(len(b)))
		le.PutUint64(r[32:], uint64(wintype.FiletimeOf(time.Unix(1_700_000_000+int64(i), 0))))
		le.PutUint32(r[40:], 0x100)
		le.PutUint16(r[56:], uint16(2*len(name)))
		le.PutUint16(r[58:], 60)
		for k, c := range name {
			r[60+2*k] = byte(c)
		}
		if i < first {
			clear(r)
		}
		b = append(b, r...)
	}
	return b
}

// TestEvents has a journal that loses its head and grows from point to point, with damage at two of them: each record is
// told once, at the oldest point that has it sound.
func TestEvents(t *testing.T) {
	v := &Volume{Points: make([]Point, 5)}
	next, at := map[int]int{}, -1
	failed := 0
	r := rower{ctx: t.Context(), v: v, dirs: &Dirs{kept: map[span][]Segment{}}, yield: func(row *Row, err error) bool {
		if err != nil {
			failed++
			return true
		}
		n := int(row.Event.Time.Time().Unix() - 1_700_000_000)
		if p, twice := next[n]; twice || row.First != at || row.Path != fmt.Sprintf("/event %04d", n) {
			t.Errorf("record %d (%s) at point %d, before at %d (%v)", n, row.Path, row.First, p, twice)
		}
		next[n] = row.First
		return true
	}}
	j := &journal{}
	for p, b := range [][]byte{records(0, 300), records(100, 500), records(450, 501), records(450, 900), records(600, 900)} {
		at = p
		damaged := map[int]int{1: 400, 3: 700} // records 400 and 700 are damaged at one point
		if n, ok := damaged[p]; ok {
			i := bytes.Index(b, binary.LittleEndian.AppendUint64(nil, uint64(wintype.FiletimeOf(time.Unix(1_700_000_000+int64(n), 0)))))
			b[i-32] ^= 1
		}
		m, err := layer.Section(bytes.NewReader(b), 0, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if !r.journal(j, p, m) {
			t.Fatal("stopped")
		}
	}
	for n := range 900 {
		want := 0
		for _, end := range []int{300, 500, 501} {
			if n >= end {
				want++
			}
		}
		if n == 700 {
			want = 4
		}
		if got, ok := next[n]; n != 400 && (!ok || got != want) || n == 400 && ok {
			t.Errorf("record %d at point %d (%v), want %d", n, got, ok, want)
		}
	}
	if failed != 2 {
		t.Errorf("%d errors, want 2", failed)
	}
}

func TestMissing(t *testing.T) {
	j := &journal{}
	for _, x := range []run{{8192, 20000}, {40000, 50000}, {19000, 21000}} {
		j.add(x)
	}
	want := []ntfs.Range{{Off: 0, Len: 8192}, {Off: 20480, Len: 40000 - 20480}, {Off: 49152, Len: 60000 - 49152}}
	if got := j.missing(60000); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	for off, want := range map[int64]bool{8191: false, 8192: true, 21000: true, 21001: false, 45000: true} {
		if j.has(off) != want {
			t.Errorf("%d: %v", off, !want)
		}
	}
}
