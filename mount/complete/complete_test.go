package complete_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/complete"
	"snapmount/mount/points"
)

func open(ctx context.Context, images []string) (*points.Set, error) {
	return points.Open(ctx, images, points.Options{})
}

// TestLocation asks for words behind the name of the demo image, which are then listed without it. A star is a word that
// more may follow.
func TestLocation(t *testing.T) {
	demo := filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")
	for _, c := range []struct{ word, want string }{
		{"", ":p1-Documents* :p2-Archive* @latest* @oldest* @current* @2026-03-04T180000Z* @2026-03-03T180000Z* @2026-03-02T180000Z*"},
		{":", ":p1-Documents* :p2-Archive* :/*"},
		{":P", ":P1-Documents* :P2-Archive*"},
		{":P1", ":p1-Documents*"},
		{":p2-archive", ":p2-archive:/* :p2-archive@latest* :p2-archive@oldest* :p2-archive@current* :p2-archive@2026-03-04T180000Z* :p2-archive@2026-03-02T180000Z*"},
		{":p2@2026-03-0", ":p2@2026-03-04T180000Z* :p2@2026-03-02T180000Z*"},
		{"@V", "@Vss3* @Vss2* @Vss1*"},
		{"@vss2", "@vss2:/*"},
		{"@2026/03/03", ""},
		{"@2026/03/03:/L", "@2026/03/03:/Letters/*"},
		{"@2026-03-03 18:00:/L", "@2026-03-03 18:00:/Letters/*"},
		{"@2026-03-03 18:00:Le", "@2026-03-03 18:00:Letters/*"},
		{":Le", ":Letters/*"},
		{":/p", ":/pictures/* :/projects/*"},
		{":/P", ":/Pictures/* :/Projects/*"},
		{":c:/lett", ":c:/Letters/*"},
		{`:p1:\LETTERS\o`, `:p1:\LETTERS\offer.txt`},
		{":p1:/Letters/nothing", ""},
		{":p1:/Letters/offer.txt/", ""},
		{":p9:/", ""},
		{"@1999:/", ""},
		{":p1:/$M", ":p1:/$MFT :p1:/$MFTMirr"},
		{":p1:/Let*", ""},
		{"@", "@latest* @oldest* @current* @2026-03-04T180000Z* @2026-03-03T180000Z* @2026-03-02T180000Z*"},
		{"@@", ""}, {"::", ""}, {":@:", ""}, {":p1@latest@", ""}, {"@layer:", ""}, {"@layer:9:/", ""}, {":#5", ""}, {":\x00", ""}, {":/\xff", ""},
	} {
		var got []string
		for _, f := range complete.Location(t.Context(), open, demo+c.word) {
			word, ok := strings.CutPrefix(f.Text, demo)
			if !ok {
				t.Errorf("%q: %q is no more of it", c.word, f.Text)
			}
			if f.Open {
				word += "*"
			}
			got = append(got, word)
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%q: got\n%s, want\n%s", c.word, text, c.want)
		}
	}
}

func TestPointAlone(t *testing.T) {
	demo := filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")
	for _, c := range []struct{ image, word, want string }{
		{demo, "@old", "[{@oldest the oldest snapshot false}]"},
		{demo + ":p2@latest", "@2026-03-03", "[]"},
		{demo, "old", "[]"},
		{"nothing", "@", "[]"},
	} {
		if got := fmt.Sprint(complete.Point(t.Context(), open, c.image, c.word)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.image, c.word, got, c.want)
		}
	}
}

// TestFiles asks for names in a directory.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.VHDX", "b.e01", "b.e02", "c.txt", "d/e/only.txt", ".hidden.vhd", "evil\x1b[2J.vhd", "new\nline.vhd", "not\xffutf8.vhd"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "d"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ word, want string }{
		{"", "a.VHDX b.e01 d/ link/"}, {"b", "b.e01"}, {"c", "c.txt"}, {".", ".hidden.vhd"}, {"d/e/", "d/e/only.txt"}, {"d", "d/"}, {"nowhere/", ""}, {"c.txt/", ""},
	} {
		var got []string
		for _, f := range complete.Files(t.Context(), dir+"/"+c.word) {
			got = append(got, strings.TrimPrefix(f.Text, dir+"/"))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%q: %q, want %q", c.word, text, c.want)
		}
	}
}

// TestMany has more names than are given: what these have in common is what all have, or a shell would type more than is
// meant.
func TestMany(t *testing.T) {
	dir := t.TempDir()
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("disk%04d.vhd", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := complete.Files(t.Context(), dir+"/di")
	if len(list) != 1 || list[0] != (complete.Candidate{Text: dir + "/disk0", Open: true}) {
		t.Errorf("%v, want what all 1000 begin with", list)
	}
	list = complete.Files(t.Context(), dir+"/disk0")
	if n := len(list); n != 200 {
		t.Fatalf("%d candidates, want 200", n)
	}
	if first, last := filepath.Base(list[0].Text), filepath.Base(list[199].Text); first != "disk0000.vhd" || last != "disk0999.vhd" {
		t.Errorf("from %s to %s", first, last)
	}
}

// TestInTimeOrNothing has no time at all.
func TestInTimeOrNothing(t *testing.T) {
	demo := filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, word := range []string{demo[:len(demo)-2], demo, demo + ":", demo + "@", demo + ":p1:/"} {
		if list := complete.Location(ctx, open, word); len(list) > 0 {
			t.Errorf("%s: %v", word, list)
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		commas bool
		word   string
		want   []string
	}{
		{false, "", []string{"one", "two"}}, {false, "t", []string{"two"}}, {true, "one,t", []string{"one,two"}}, {false, "one,t", nil},
	} {
		var got []string
		for _, f := range complete.Words([]string{"one", "two"}, c.commas, c.word) {
			got = append(got, f.Text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.word, got, c.want)
		}
	}
}

func FuzzLocation(f *testing.F) {
	demo := filepath.Join(testenv.Root(f), "testdata", "demo.qcow2")
	for _, s := range []string{":", "@", ":p1:/Le", "@2026/03/03:/x", `:\`, ":p1@:", "@layer:x", "://"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		for _, c := range complete.Location(t.Context(), open, demo+rest) {
			if strings.ContainsAny(c.Text[len(demo):], "\n\x1b") && !strings.ContainsAny(rest, "\n\x1b") {
				t.Errorf("%q: %q", rest, c.Text)
			}
		}
	})
}
