package timeline_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"snapmount/ntfs"
	"snapmount/ntfs/timeline"
)

// inFormat gives what a format makes of rows.
func inFormat(t *testing.T, format string, rows ...timeline.Row) []byte {
	t.Helper()
	var b bytes.Buffer
	w := timeline.NewWriter(format, &b)
	for i := range rows {
		if err := w.Write(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestZeroTimes has a file whose times are all zero, with a name that has none either, and one that is nameless: every
// format tells of both.
func TestZeroTimes(t *testing.T) {
	v := &timeline.Volume{Points: []timeline.Point{{Name: "old"}, {Name: "current"}}}
	row := timeline.Row{Volume: v, Node: &ntfs.Node{Ref: ntfs.Ref{Record: 40, Seq: 1}}, Path: "/zero.txt", Last: 1, Version: 3, Name: &ntfs.Name{Name: "zero.txt"}}
	other := row
	other.Path, other.Name = "/OrphanFile-40", nil
	for _, format := range []string{"bodyfile", "csv", "jsonl"} {
		text := string(inFormat(t, format, row, other))
		for _, path := range []string{"/zero.txt", "/OrphanFile-40"} {
			if !strings.Contains(text, path) {
				t.Errorf("%s tells nothing of %s: %q", format, path, text)
			}
		}
		if format != "bodyfile" && (!strings.Contains(text, "Not a time") || !strings.Contains(text, "version\":3") && !strings.Contains(text, "version: 3")) {
			t.Errorf("%s: %q", format, text)
		}
	}
	b := inFormat(t, "parquet", row, other)
	file, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil || file.NumRows() != 2 {
		t.Errorf("parquet: %v rows, %v", file.NumRows(), err)
	}
}

// TestBodyfileLines has rows that differ in what a bodyfile does not tell, and rows of two versions that differ in nothing
// but their points: no line is there twice, and each name ends with its points.
func TestBodyfileLines(t *testing.T) {
	v := &timeline.Volume{Points: []timeline.Point{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	row := timeline.Row{Volume: v, Node: &ntfs.Node{Ref: ntfs.Ref{Record: 40, Seq: 1}}, Path: "/x|y", Name: &ntfs.Name{Name: "x|y"}, Last: 1}
	again, later := row, row
	again.Version = 2
	later.First, later.Last = 2, 2
	var got []string
	for line := range strings.Lines(string(inFormat(t, "bodyfile", row, again, later))) {
		got = append(got, strings.Split(line, "|")[1])
	}
	want := "/x^y [a..b],/x^y ($FILE_NAME) [a..b],/x^y [c],/x^y ($FILE_NAME) [c]"
	if strings.Join(got, ",") != want {
		t.Errorf("%q, want %s", got, want)
	}
	v.Points = v.Points[:1]
	row.Last = 0
	if one := string(inFormat(t, "bodyfile", row)); strings.Contains(one, "[") {
		t.Errorf("of a single point: %q", one)
	}
}
