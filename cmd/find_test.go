package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/report"
	"snapmount/ntfs/restore"
)

// finds runs find and returns what it found.
func finds(t *testing.T, wantCode int, args ...string) (hits []report.Hit) {
	t.Helper()
	code, out, errs := run(append([]string{"find", "--json"}, args...)...)
	if code != wantCode {
		t.Errorf("%q: exit %d, want %d: %s", args, code, wantCode, errs)
	}
	for dec := json.NewDecoder(strings.NewReader(out)); ; {
		var h report.Hit
		if err := dec.Decode(&h); err == io.EOF {
			return hits
		} else if err != nil {
			t.Fatal(err)
		}
		hits = append(hits, h)
	}
}

// TestFindAll compares the intervals of all files with what was written to each state of the demo.
func TestFindAll(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.json"))
	var volumes map[string]map[string]map[string]string // label, point, path
	if err = errors.Join(err, json.Unmarshal(b, &volumes)); err != nil {
		t.Fatal(err)
	}
	points := map[string][]string{"Documents": {"2026-03-02T180000Z", "2026-03-03T180000Z", "2026-03-04T180000Z", "current"},
		"Archive": {"2026-03-02T180000Z", "2026-03-04T180000Z", "current"}}
	for label, names := range points {
		got, want := map[string]int{}, map[string]int{}
		for i, p := range names {
			key := fmt.Sprintf("vss%d", i+1)
			if p == "current" {
				key = p
			}
			for path, sum := range volumes[label][key] {
				if sum != "link" && !strings.HasPrefix(path, "System Volume") {
					want[p+" /"+path]++
				}
			}
		}
		last := ""
		for _, h := range finds(t, exitOK, demo(t)+":"+label, "*", "--type", "f") {
			if string(h.Path) < last {
				t.Errorf("%s after %s", h.Path, last)
			}
			last = string(h.Path)
			for i := slices.Index(names, h.First); i <= slices.Index(names, h.Last); i++ {
				got[names[i]+" "+string(h.Path)]++
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", label, got, want)
		}
	}
}

func TestFindFlags(t *testing.T) {
	d := demo(t)
	for _, c := range []struct {
		args string // by spaces
		want string // paths, by commas
	}{
		{":p1 OFFER.*", "/Letters/offer.txt"},
		{":p1 OFFER.* --case", ""},
		{":p1@vss1 plan*.txt", "/Projects/plan (also).txt,/Projects/plan.txt"},
		{":p1:/Letters *.txt", "/Letters/offer.txt,/Letters/thanks (sent).txt,/Letters/thanks.txt"},
		{":p1 *.raw --deleted", "/Photos/harbour.raw,/Pictures/harbour.raw"},
		{":p1 auth* --ads", "/Letters/offer.txt:author"},
		{":p1 ^/ph.*raw$ --regex", "/Photos/bridge.raw,/Photos/harbour.raw"},
		{":p1 * --type l", "/My Letters,/Projects/latest offer.txt"},
		{":p1 *.txt --mtime 2026-03-04", "/Projects/notes.txt"},
		{":p1 * --size +200k --btime ..2026-12-31", "/Photos/bridge.raw,/Photos/harbour.raw,/Pictures/bridge.raw,/Pictures/harbour.raw"},
		{":p1 * --content harbour..?fee --type f", "/Projects/budget.csv"},
		{":p1 * --content BELONG.to", "/READ ME TO GET YOUR FILES BACK.txt"},
		{":p1 $MFT* --system", "/$MFT,/$MFTMirr"},
		{":p1 * --attr hidden", ""},
	} {
		f := strings.Split(c.args, " ")
		f[0] = d + f[0]
		var got []string
		for _, h := range finds(t, exitOK, f...) {
			if k := len(got) - 1; k < 0 || got[k] != string(h.Path) {
				got = append(got, string(h.Path))
			}
		}
		if strings.Join(got, ",") != c.want {
			t.Errorf("%s: %q, want %s", c.args, got, c.want)
		}
	}
	for _, bad := range [][]string{{"--size", "x"}, {"--mtime", "tomorrow"}, {"--type", "x"}, {"--attr", "blue"}, {"--content", "("}, {"--encoding", "ebcdic"}, {"--mtime", "-7q"}} {
		if code, _, errs := run(append([]string{"find", d, "*"}, bad...)...); code != exitUsage || !strings.Contains(errs, bad[0]) {
			t.Errorf("%q: exit %d, %s", bad, code, errs)
		}
	}
}

func TestTimelineFile(t *testing.T) {
	d, dir := demo(t), t.TempDir()
	start := map[string]string{"bodyfile": "0|/p1-Documents/", "csv": "date,time,timezone,MACB,", "jsonl": `{"datetime":"20`, "parquet": "PAR1"}
	for format, want := range start {
		path := filepath.Join(dir, format)
		code, out, errs := run("timeline", d, "-o", path, "--format", format, "--usn")
		b, err := os.ReadFile(path)
		if code != 0 || out != "" || errs != "" || err != nil || !strings.HasPrefix(string(b), want) {
			t.Errorf("%s: exit %d, %s, %v, %.40q", format, code, errs, err, b)
		}
		if _, again, _ := run("timeline", d, "-o", "-", "--format", format, "--usn"); again != string(b) {
			t.Errorf("%s: the second time is not as the first", format)
		}
	}
	for _, bad := range [][]string{{"--format", "xml", "-o", "x"}, {"--format", "csv"}, {"-o", "x"}, {"--format", "csv", "-o", "x", "--points", "--distinct"}} {
		if code, _, errs := run(append([]string{"timeline", d}, bad...)...); code != exitUsage {
			t.Errorf("%q: exit %d, %s", bad, code, errs)
		}
	}
	path := filepath.Join(dir, "none")
	err := restore.Whole(path, true, nil, nil, func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, errors.New("disk full"))
	})
	if err == nil || !strings.Contains(err.Error(), "not written: disk full") {
		t.Error(err)
	}
	if code := Main([]string{"timeline", d, "-o", "-", "--format", "csv"}, full{}, io.Discard); code != exitError {
		t.Errorf("full output: exit %d", code)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != len(start) {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
