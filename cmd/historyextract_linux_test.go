package cmd

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"snapmount/ntfs/ntfstest"
)

// TestHistoryExtractHoles extracts sparse files: holes stay holes.
func TestHistoryExtractHoles(t *testing.T) {
	image, dir := ntfstest.Feat512.Build(t), t.TempDir()
	if code, _, errs := run("history", "--extract", dir, image+":/sparse"); code != 0 {
		t.Fatalf("exit %d, %s", code, errs)
	}
	got, want := sumsBelow(t, dir), map[string]string{}
	for _, claim := range ntfstest.Manifest(t, image) {
		if name, ok := strings.CutPrefix(claim.Path, "/sparse/"); ok && claim.Type == "file" {
			want[strings.TrimSuffix(name, ".bin")+".current.bin"] = claim.SHA256
		}
	}
	if len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(dir, "allhole.current.bin"), &st); err != nil || st.Size < 1<<20 || st.Blocks*512 > st.Size/2 {
		t.Errorf("%v, %d bytes in %d blocks", err, st.Size, st.Blocks)
	}
}

// TestHistoryExtractDamage damages what an image has of one file: that fails, and the other is there.
func TestHistoryExtractDamage(t *testing.T) {
	image, _ := damagedChunk(t, "Photos/bridge.raw")
	truth, dir := demoTruth(t)["Documents"], t.TempDir()
	code, _, errs := run("history", "--extract", dir, image+":p1@vss1:/Photos")
	want := map[string]string{"harbour.2026-03-02T180000Z.raw": truth["vss1"]["Photos/harbour.raw"]}
	if got := sumsBelow(t, dir); code != exitPartial || !maps.Equal(got, want) || !strings.Contains(errs, "bridge.raw: --extract: bridge.2026-03-02T180000Z.raw: ") {
		t.Errorf("exit %d, %s\ngot  %v\nwant %v", code, errs, got, want)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != len(want) {
		t.Errorf("%v, %v", all, err)
	}
}
