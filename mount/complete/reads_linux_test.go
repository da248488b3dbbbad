package complete_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/complete"
)

// TestReads counts what completion reads, as the system counts it: how long that takes is a matter of the disk.
func TestReads(t *testing.T) {
	demo := filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")
	for word, most := range map[string][2]int{":p": {100, 1 << 20}, "@": {100, 1 << 20}, ":p1:/Letters/": {100, 1 << 20}, ":p1@vss1:/Letters/": {150, 1 << 20}} {
		complete.Location(t.Context(), open, demo+word)
		calls, bytes := reads(t)
		if len(complete.Location(t.Context(), open, demo+word)) == 0 {
			t.Errorf("%s: nothing", word)
		}
		calls2, bytes2 := reads(t)
		t.Logf("%s: %d reads of %d bytes", word, calls2-calls, bytes2-bytes)
		if calls2-calls > most[0] || bytes2-bytes > most[1] {
			t.Errorf("%s: %d reads of %d bytes, want %v at most", word, calls2-calls, bytes2-bytes, most)
		}
	}
}

// reads is how many reads there were in this process, and of how many bytes.
func reads(t *testing.T) (calls, bytes int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", os.Getpid()))
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	m := regexp.MustCompile(`rchar: (\d+)\nwchar: \d+\nsyscr: (\d+)`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("%s", b)
	}
	bytes, _ = strconv.Atoi(string(m[1]))
	calls, _ = strconv.Atoi(string(m[2]))
	return calls, bytes
}
