package folder_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/report"
	"snapmount/ntfs/ntfstest"
)

// reads is how often this process has read, as the kernel counts.
func reads(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skipf("SKIPPED: the kernel does not count: %v", err)
	}
	n, err := strconv.Atoi(string(regexp.MustCompile(`syscr: (\d+)`).FindSubmatch(b)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMany lists 100,000 entries, in order and each once, by reads of many records each; the first ones come before most of
// the directory is read.
func TestMany(t *testing.T) {
	testenv.NotUnderRace(t)
	p := at(t, open(t, ntfstest.Files200K.Build(t)), "current", "/flat")
	dir, err := p.Point.Walk(p.Path, true)
	if err != nil {
		t.Fatal(err)
	}
	before, first := reads(t), 0
	var names []string
	if err := p.List(t.Context(), dir, nil, func(r report.Row) bool {
		if len(names) == 0 {
			first = reads(t) - before
		}
		names = append(names, string(r.Name))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	all := reads(t) - before
	t.Log(first, "reads before the first row,", all, "in all")
	if len(names) != 100_000 || !slices.IsSorted(names) || len(slices.Compact(names)) != 100_000 {
		t.Errorf("%d names, %s", len(names), fmt.Sprint(names[:3]))
	}
	if first > 100 || all > 10_000 {
		t.Errorf("%d reads before the first row, %d in all", first, all)
	}
}
