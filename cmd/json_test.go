package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// changing are values that are other ones each time.
var changing = regexp.MustCompile(`("modified": |"seconds":|"bytes_per_second":|"seconds_left":|"total_files":|"total_bytes":)[^,\n}]+`)

// TestJSON compares what commands write as JSON with the files of testdata/json; UPDATE=1 writes them. What each field means
// is in mount/report/SCHEMA.md.
func TestJSON(t *testing.T) {
	d, dest := demo(t), t.TempDir()
	for name, args := range map[string][]string{
		"info": {"info", "--sets", "--json", d}, "ls": {"ls", "--json", d + ":p1@vss1:/Projects"}, "volumes": {"ls", "--json", d},
		"stat": {"stat", "--json", d + ":p1@vss2:/Letters/offer.txt", d + ":p1@vss1:/My Letters"}, "explain": {"explain", "--json", d + ":p2@vss1:/2024/ledger.txt"},
		"history": {"history", "--hash", "--json", d + ":p1:/Letters"}, "diff": {"diff", "--json", d + ":p1@vss1", "@vss3"},
		"diffstat": {"diff", "--stat", "--json", d + ":p1@vss1"}, "find": {"find", "--ads", "--json", d, "*.txt*"},
		"content": {"find", "--content", "crates at", "--json", d, "*"}, "verify": {"verify", "--json", d}, "scan": {"scan", "--json", d},
		"progress": {"restore", "--progress", "json", d + ":p1@vss1:/Letters", dest},
	} {
		code, out, errs := run(args...)
		if name == "progress" { // the other stream is words
			lines := strings.SplitAfter(errs, "\n")
			out, errs = lines[max(len(lines)-2, 0)], ""
		}
		if code != 0 || errs != "" {
			t.Errorf("%q: exit code %d, %s", args, code, errs)
		}
		out = changing.ReplaceAllString(strings.ReplaceAll(out, d, "$DEMO"), "${1}0")
		golden := filepath.Join("testdata", "json", name+".json")
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(golden, []byte(out), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || string(want) != out {
			t.Errorf("%q: %v\n%s\nwant, or UPDATE=1 takes it:\n%s", args, err, out, want)
		}
	}
}

// TestLocations pastes the location of each line of JSON behind stat, which wants the file that the line is of.
func TestLocations(t *testing.T) {
	d := demo(t)
	for _, c := range []struct {
		args  []string
		lines int
	}{
		{[]string{"ls", "-R", "--json", d + ":p1@vss1"}, 15},
		{[]string{"ls", "-R", "--system", "--json", d + ":p1@vss1:#67"}, 2},
		{[]string{"ls", "--json", d}, 2},
		{[]string{"stat", "--json", d + ":p1@vss2:/Letters/offer.txt:author"}, 1},
		{[]string{"stat", "--json", d + ":p1@vss2:#68:author"}, 1},
		{[]string{"explain", "--json", d + ":p1@vss2:#68:author"}, 1},
		{[]string{"history", "--json", d + ":p1:/Letters"}, 4},
		{[]string{"history", "--json", d + ":p1:/Letters/offer.txt:author"}, 1},
		{[]string{"diff", "--json", d + ":p1@vss1"}, 10},
		{[]string{"diff", "--json", "--stat", d + ":p1@vss1"}, 6},
		{[]string{"find", "--json", "--ads", "--versions", d, "*"}, 20},
		{[]string{"find", "--json", "--deleted", d, "*.txt"}, 2},
	} {
		code, out, errs := run(c.args...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if code != 0 || len(lines) < c.lines {
			t.Errorf("%q: exit code %d, %d lines, want %d\n%s", c.args, code, len(lines), c.lines, errs)
		}
		for _, line := range lines {
			var of, got struct{ Image, Volume, Point, Ref, Location, Event string }
			if err := json.Unmarshal([]byte(line), &of); err != nil || of.Location == "" {
				t.Fatalf("%q: %v: %s", c.args, err, line)
			}
			if strings.Contains(of.Event, "deleted") {
				continue
			}
			code, out, errs := run("stat", "--json", of.Location)
			if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 && of.Ref == "" || of.Ref != "" && got.Ref != of.Ref || got.Volume != of.Volume {
				t.Errorf("%q: %s leads to %s, exit code %d %s, %v", c.args, line, out, code, errs, err)
			}
		}
	}
}
