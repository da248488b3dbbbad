package page_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/report"
	"snapmount/mount/report/page"
)

// filled is a page whose strings are all text, with two of each list.
func filled(text string) *page.Page {
	p := &page.Page{}
	fill(reflect.ValueOf(p).Elem(), text)
	for i := range p.Info.Volumes {
		p.Info.Volumes[i].Points[0].Kind = "current"
	}
	return p
}

func fill(v reflect.Value, text string) {
	switch {
	case !v.CanSet():
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), text)
		fill(v.Index(1), text)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	}
}

var tag = regexp.MustCompile(`<[^>]*>`)

// TestHostile writes a page on which every string is hostile: it has the tags of a harmless one, and nothing that could act
// where it is read as text.
func TestHostile(t *testing.T) {
	const hostile = "\"'><script src=//x>alert(1)</script><!-- --><style>*{}</style>{{.}}&lt;\x1b[2J\u202e\x00\xff</td></table>\n</title>"
	var harmless, out strings.Builder
	for to, text := range map[*strings.Builder]string{&harmless: "x", &out: hostile} {
		if err := filled(text).Write(to); err != nil {
			t.Fatal(err)
		}
	}
	want, got := tag.FindAllString(harmless.String(), -1), tag.FindAllString(out.String(), -1)
	if !slices.Equal(got, want) || len(want) < 200 {
		t.Errorf("%d tags, want %d", len(got), len(want))
	}
	if out.String() != wintype.PrintableLines(out.String()) || strings.Contains(out.String(), "<script") {
		t.Error("what could act is on the page")
	}
	if n := strings.Count(harmless.String(), "http"); n != 1 || strings.Contains(harmless.String(), "src=") || strings.Contains(harmless.String(), "url(") {
		t.Errorf("something is loaded from elsewhere: %d words with http, want http-equiv alone", n)
	}
}

// TestDamages has each kind of damage on the page.
func TestDamages(t *testing.T) {
	stored, damage := "b", "cut"
	p := &page.Page{Info: report.Info{Images: []report.Image{{Path: "i", Faults: []string{"fault 1"}, Locked: []string{"p3"}}}, Warnings: []string{"warning 1"},
		Volumes: []report.Volume{{Name: "p1", Faults: []string{"fault 2"}, Points: []report.Point{{Name: "vss1", Damage: &damage}}}}},
		Verified: []report.Verify{{Image: "i", Faults: []string{"fault 3"}, Bad: []report.Bad{{Offset: 512, Length: 1024, Error: "checksum"}},
			Hashes: []report.Hash{{Name: "MD5", Stored: &stored, Computed: "a"}, {Name: "SHA1", Computed: "a"}}}}}
	want := []string{"i: fault 1", "p1: fault 2", "p1@vss1: cut",
		"i: MD5 is not the one that is stored", "i: fault 3", "i: 1024 bytes at 512: checksum", "warning 1"}
	if got := p.Damages(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := p.Locked(); !slices.Equal(got, []string{"i: p3: is locked by BitLocker, and was not looked into"}) {
		t.Errorf("locked: %q", got)
	}
}
