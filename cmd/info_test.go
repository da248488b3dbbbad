package cmd

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"snapmount/cmd/text"
	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/when"
)

// manyPoints writes an image of a volume with so many points, and a change after each.
func manyPoints(t *testing.T, n int) string {
	t.Helper()
	_, image, errs := run("cat", "--raw", demo(t)+":p2@oldest")
	if len(image) == 0 {
		t.Fatal(errs)
	}
	volume := vsstest.NewMemory(int64(len(image)))
	if _, err := volume.WriteAt([]byte(image), 0); err != nil {
		t.Fatal(err)
	}
	end := uint32(len(image)/vsstest.BlockSize) - 10
	sim, err := vsstest.New(vsstest.Config{Volume: volume, Area: []vsstest.Blocks{{First: end - 700, Count: 700}}, NoTruth: true})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 12, 0, 0, 123456700, time.UTC)
	for i := range n {
		_, err := sim.Snapshot(vsstest.Options{Created: start.AddDate(0, 0, i)})
		if err := errors.Join(err, sim.Write(int64(end-701-uint32(i))*vsstest.BlockSize, []byte{byte(i + 1)})); err != nil {
			t.Fatal(err)
		}
	}
	if err := sim.Flush(); err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(image))
	if _, err := volume.ReadAt(out, 0); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "many.img")
	if err := os.WriteFile(name, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestInfoOfManyPoints holds info of 64 points to a screen or two, at their widest: with the offset of a zone.
func TestInfoOfManyPoints(t *testing.T) {
	image := manyPoints(t, 64)
	dir := filepath.Dir(image)
	t.Chdir(dir) // its name is not what is measured
	zone, err := when.Zone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	here := when.Clock{Now: time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC), Zone: zone}
	if code := mainAt(here, []string{"info", "--tz", "local", "many.img"}, &out, &errs); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for _, line := range lines {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("more than 80 letters: %s", line)
		}
	}
	if len(lines) > 70 {
		t.Errorf("%d lines", len(lines))
	}
	for _, want := range []string{`(?m)^  vss1   2026-01-01 13:00:00 \+01:00  2 months ago  16 KiB +crash-consistent$`, `(?m)^  vss64  2026-03-05 13:00:00 \+01:00  26 days ago `} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("%s\nwant %s", out.String(), want)
		}
	}
	if _, all, _ := run("info", "-v", "many.img"); strings.Count(all, "2026-01-01T12:00:00.1234567Z") != 1 || !strings.Contains(all, "; made on VSSTEST, set ") {
		t.Errorf("-v: %s", all)
	}
	if _, bare, _ := run("many.img"); !strings.Contains(bare, "\nNext:\n  snapmount find many.img '*.txt'\n  snapmount history many.img:/2024/ledger.txt\n") {
		t.Errorf("%s", bare)
	}
}

// TestInfoOfRecovered shows a point of which no time is known.
func TestInfoOfRecovered(t *testing.T) {
	var b bytes.Buffer
	out := text.NewOut(&b)
	it := &infoText{out: out}
	damage := "half of it is lost"
	list := []report.Point{{Kind: "current"}, {Kind: "snapshot", Index: 1, Recovered: true}, {Kind: "snapshot", Index: 2, Recovered: true, Offline: true, Damage: &damage}}
	of := &points.Volume{Points: []*points.Point{{}, {Snapshot: &diffstore.Snapshot{}}, {Snapshot: &diffstore.Snapshot{}}}}
	it.points(of, list)
	want := `  #     created (UTC)  age  changed  state
  vss1  unknown time   ?    ?        recovered
  vss2  unknown time   ?    ?        DAMAGED, recovered
  vss2: deleted by its owner, but still kept
  vss2: DAMAGED: half of it is lost
`
	if _ = out.Flush(); b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}
