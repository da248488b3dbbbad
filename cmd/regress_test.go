package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/cmd/text"
)

// TestHonesty runs what once answered wrong or nothing without a word.
func TestHonesty(t *testing.T) {
	d, dir := demo(t), t.TempDir()
	rawImage := func(name, location string, cut int64) string {
		_, out, _ := run("cat", "--raw", location)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		if cut > 0 {
			if err := os.Truncate(path, cut); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	archive := rawImage("archive.raw", d+":p2", 0)
	short := rawImage("short.raw", d+":p1", 20<<20+12345)
	noCatalog := rawImage("nocatalog.raw", d+":p1", 5<<20)
	for _, c := range []struct {
		args []string
		code int
		text string // of standard error, or of standard output when code is 0
	}{
		{[]string{"cat", "--raw", archive + "@vss1"}, exitDamaged, "d0c00000-2026-11e3-9d6c-005056c00008"},
		{[]string{"ls", archive + "@vss1"}, exitDamaged, "add the image that holds it"},
		{[]string{"ls", "--with", d, archive + "@vss1"}, 0, "2024"},
		{[]string{"cat", "--raw", short + "@current"}, exitDamaged, "ends, want"},
		{[]string{"ls", noCatalog + "@vss1"}, exitDamaged, "catalog block"},
		{[]string{"ls", d + ":p9"}, exitError, `no volume "p9" (there are: p1-Documents, p2-Archive)`},
		{[]string{"ls", archive + ":p7"}, exitError, `no volume "p7"`},
		{[]string{"ls", archive + ":Nope@vss1:/x"}, exitError, `no volume "Nope"`},
		{[]string{"ls", d + ":P1@vss1:/Letters"}, 0, "offer.txt"},
		{[]string{d, ""}, exitUsage, "empty word"},
		{[]string{"cat", d + ":p1@vss1:/Projects/latest offer.txt"}, 0, "Dear Ms Noether"},
		{[]string{"cat", d + ":p1@vss1:/My Letters/offer.txt"}, 0, "Dear Ms Noether"},
		{[]string{"ls", d + ":p1@vss1:/My Letters/"}, 0, "offer.txt"},
		{[]string{"cat", d + ":p1@vss1:/Letters/offer.txt::$DATA"}, 0, "Dear Ms Noether"},
		{[]string{"cat", d + ":p1@vss1:/Letters/offer.txt:author:$DATA"}, 0, "Emmy"},
		{[]string{"cat", d + ":p1@vss1:/Letters/offer.txt:$DATA"}, 0, "Dear Ms Noether"},
		{[]string{"cat", d + ":p1@vss1:/Letters/offer.txt:$data"}, 0, "Dear Ms Noether"},
		{[]string{"cat", d + ":p1@vss1:/Letters/offer.txt:AUTHOR"}, 0, "Emmy"},
		{[]string{"cat", d + ":p1@vss1:/Letters/offer.txt:nobody"}, exitError, `no stream "nobody" (there are: "author")`},
		{[]string{"cat", d + ":p1@vss1:/Projects/plan.txt:nobody"}, exitError, `no stream "nobody" (no named ones are there)`},
		{[]string{"cat", d + ":p1@vss1:/Letters/offer.txt/"}, exitError, "not a directory"},
		{[]string{"stat", d + ":p1@vss1:/Letters/offer.txt/"}, exitError, "not a directory"},
		{[]string{"cat", d + ":p1@vss1:/Letters/"}, exitError, "is a directory"},
	} {
		code, out, errs := run(c.args...)
		where := errs
		if c.code == 0 {
			where = out
		}
		if code != c.code || !strings.Contains(where, c.text) {
			t.Errorf("%q: exit %d, want %d and %q\n%.300s\n%s", c.args, code, c.code, c.text, out, errs)
		}
	}
}

// full is an output that takes nothing, as a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestFullOutputIsAnError(t *testing.T) {
	d := demo(t)
	for _, args := range [][]string{
		{"info", d}, {"info", "--json", d}, {"ls", "-R", d + ":p1"}, {"ls", "--json", d + ":p1"}, {"stat", d + ":p1:/Letters/offer.txt"},
		{"cat", d + ":p1:/Letters/offer.txt"}, {"cat", "--raw", d}, {"explain", d + ":p1:/Letters/offer.txt"}, {"version"},
	} {
		var errs strings.Builder
		if code := Main(args, full{}, &errs); code == 0 || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%q: exit %d, %s", args, code, errs.String())
		}
	}
}

func TestByteSize(t *testing.T) {
	for given, want := range map[string]text.Size{"1": 1, "500000": 500000, "64M": 64 << 20, "2k": 2048, "1G": 1 << 30, "1536K": 1536 << 10,
		"": 0, "0": 0, "M": 0, "-1": 0, "1MM": 0, "1.5G": 0, "8589934592G": 0, "64MB": 0} {
		var b text.Size
		if err := b.Set(given); b != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v, want %d", given, b, err, want)
		}
		if again := b; b != 0 && (again.Set(b.String()) != nil || again != b) {
			t.Errorf("%q: written as %s", given, b.String())
		}
	}
}
