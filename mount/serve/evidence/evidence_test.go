package evidence_test

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"snapmount/mount/points"
	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree/treetest"
)

func TestStatus(t *testing.T) {
	treetest.Answers(t, evidence.Status, map[string]int{
		"none": 200, "stale": 500, "no xattr": 404, "not there": 404, "no point": 404, "damaged": 500, "unknown": 500, "both": 500, "unsupported": 501,
		"no directory": 404, "a directory": 405, "no link": 400, "too many links": 508, "too big": 413, "cancelled": 503,
		"the disk went": 500, "the image went": 500, "what nobody knew": 500,
	})
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"letter.txt": "letter.txt", "100% sure; #1.txt": "100% sure; #1.txt", "日本 😀": "日本 😀", "a\ufffdb": "a\ufffdb",
		"a\x01b": "a%01b", "\xed\xa0\x80.txt": "%ED%A0%80.txt", "\u0085": "%C2%85", "\uffff": "%EF%BF%BF", "\x7f": "%7F",
		"a%01b": "a%2501b", "a%2501b": "a%252501b", "%2F": "%2F", "%ed": "%ed", "%2": "%2", "%": "%", "%00": "%00", "\x01%01": "%01%2501",
	} {
		if got := evidence.Name(name); got != want || evidence.Unname(got) != name {
			t.Errorf("%q is shown as %q, want %q, and back %q", name, got, want, evidence.Unname(got))
		}
	}
}

// FuzzName wants each name to be shown as text that XML and addresses hold, and found by it.
func FuzzName(f *testing.F) {
	for _, name := range []string{"letter.txt", "\xed\xa0\x80", "a%2501b\x01%", "%252525ED", "%ED\xed\x7f", "../.."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, ntfs string) {
		for _, name := range []string{ntfs, points.EscapeName(ntfs)} { // names of layouts, and of files
			if strings.Contains(name, "\x00") {
				continue
			}
			text := evidence.Name(name)
			if back := evidence.Unname(text); back != name {
				t.Fatalf("%q is shown as %q, which is %q", name, text, back)
			}
			var back string
			if err := xml.Unmarshal([]byte("<a>"+strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text)+"</a>"), &back); err != nil || back != text || !utf8.ValidString(text) {
				t.Fatalf("%q is %q, %v in XML", text, back, err)
			}
			if u, err := url.Parse("http://h/" + string(evidence.AppendPath(nil, text))); err != nil || u.Path != "/"+text || u.RawQuery != "" || u.Fragment != "" {
				t.Fatalf("%q is %+v, %v", text, u, err)
			}
			_ = evidence.Unname(ntfs) // of what a client made up: anything but a panic
		}
	})
}

func TestTypes(t *testing.T) {
	for name, want := range map[string]string{
		"a.JPG": "image/jpeg show", "a.pdf": "application/pdf", "a.html": "text/plain; charset=utf-8 show", "a.svg": "text/plain; charset=utf-8 show", "a.exe": "application/octet-stream",
		"a": "application/octet-stream", ".txt": "text/plain; charset=utf-8 show", "a.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	} {
		mime, show, _ := evidence.Type(name)
		if show {
			mime += " show"
		}
		if mime != want {
			t.Errorf("%s: %s, want %s", name, mime, want)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 3, 2, 12, 0, 0, 100, time.FixedZone("", 3600)), "Mon, 02 Mar 2026 11:00:00 GMT"},
		{time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), "Mon, 01 Jan 1601 00:00:00 GMT"}, {time.Time{}, ""}, {time.Date(30828, 1, 1, 0, 0, 0, 0, time.UTC), ""},
	} {
		got, ok := evidence.Time(c.at)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%v: %q, %v", c.at, got, ok)
		}
		if _, err := http.ParseTime(got); ok && err != nil {
			t.Error(err)
		}
	}
}
