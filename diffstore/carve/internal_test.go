package carve

import (
	"slices"
	"testing"
)

// TestOrder merges evidence, the strongest first, and takes out what has no place.
func TestOrder(t *testing.T) {
	known := map[Evidence][][2]int{
		ByBitmaps: {{0, 1}},
		ByLSN:     {{1, 2}},
		ByFile:    {{2, 0}, {2, 3}}, // the first contradicts
	}
	o := sortBy(5, func(e Evidence, a, b int) int {
		for _, p := range known[e] {
			if p == [2]int{a, b} {
				return -1
			} else if p == [2]int{b, a} {
				return 1
			}
		}
		return 0
	}, func(int) string { return "" })
	if !slices.Equal(o.chain, []int{0, 1, 2, 3}) || !slices.Equal(o.alone, []int{4}) || !slices.Equal(o.by, []Evidence{0, ByBitmaps, ByLSN, ByFile}) {
		t.Errorf("%+v", o)
	}
	odd := sortBy(2, func(e Evidence, _, _ int) int { return map[Evidence]int{ByBitmaps: -1, ByLSN: 1}[e] }, func(int) string { return "" })
	if !slices.Equal(odd.chain, []int{0, 1}) || len(odd.odd) != 1 {
		t.Errorf("%+v", odd)
	}
}

// FuzzChangeTime takes any record.
func FuzzChangeTime(f *testing.F) {
	f.Add(make([]byte, 1024))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if len(b) >= 48 {
			changeTime(b)
			lsnOf(b, 5)
		}
	})
}
