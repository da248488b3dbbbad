package points

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscapeNameIsReversible(t *testing.T) {
	seen := map[string]string{}
	parts := []string{"", "a", "/", "\x00", "%", "2F", "%2F", "%00", "%25", "%2E", ".", "%252F", "2", "F", "25"}
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				n := a + b + c
				s := EscapeName(n)
				if strings.ContainsAny(s, "/\x00") || s == "." || s == ".." {
					t.Errorf("%q is shown as %q, which is no name", n, s)
				}
				if back := UnescapeName(s); back != n {
					t.Errorf("%q is shown as %q, which stands for %q", n, s, back)
				}
				if other, ok := seen[s]; ok && other != n {
					t.Errorf("%q and %q are both shown as %q", n, other, s)
				}
				seen[s] = n
			}
		}
	}
	if s := EscapeName("100% sure.txt"); s != "100% sure.txt" {
		t.Errorf("a plain percent sign is shown as %q", s)
	}
}

func TestSplitLocation(t *testing.T) {
	files := map[string]bool{"disk.vhd": true, `C:\disk.vhd`: true, "a:b@c.img": true, "a": true}
	exists := func(p string) bool { return files[p] }
	for _, c := range []struct{ in, image, rest string }{
		{"disk.vhd", "disk.vhd", ""}, {"disk.vhd:/x", "disk.vhd", ":/x"}, {"disk.vhd@vss1:/x:y", "disk.vhd", "@vss1:/x:y"},
		{`C:\disk.vhd:p2@latest`, `C:\disk.vhd`, ":p2@latest"}, {"a:b@c.img@oldest", "a:b@c.img", "@oldest"}, {"a:b", "a", ":b"},
	} {
		l, err := SplitLocation(c.in, exists)
		if err != nil || l.Image != c.image || l.Rest != c.rest {
			t.Errorf("%s: %+v, %v", c.in, l, err)
		}
	}
	if _, err := SplitLocation("none.img@latest:/x", exists); err == nil || !strings.HasPrefix(err.Error(), "none.img: ") {
		t.Errorf("a missing image gives %v", err)
	}
}

func TestCutPoint(t *testing.T) {
	for _, c := range []struct{ in, point, rest string }{
		{"latest", "latest", ""}, {"current:/a:b", "current", ":/a:b"}, {"vss12:x", "vss12", ":x"},
		{"2026-11-03:/x", "2026-11-03", ":/x"}, {"2026-11-03T14:22Z:/x", "2026-11-03T14:22Z", ":/x"},
		{"2026-11-03T14:22:05Z", "2026-11-03T14:22:05Z", ""}, {"before:2026-11-03T14:22Z:/x", "before:2026-11-03T14:22Z", ":/x"},
		{"2013-12-03T063509Z-2-offline:/x", "2013-12-03T063509Z-2-offline", ":/x"},
		{"4e3c03c2:/x", "4e3c03c2", ":/x"}, {"{4e3c03c2-7bc6-4288-ad96-c1eac1a55f71}", "{4e3c03c2-7bc6-4288-ad96-c1eac1a55f71}", ""},
		{"yesterday:/x", "yesterday", ":/x"}, {"before:vss1", "before:vss1", ""}, {"2026-13-03", "2026-13-03", ""}, {"", "", ""},
	} {
		point, rest := cutPoint(c.in)
		if point != c.point || rest != c.rest {
			t.Errorf("%q: %q and %q", c.in, point, rest)
		}
	}
}

func TestRelative(t *testing.T) {
	for _, c := range [][3]string{
		{"/", "/a/b", "a/b"}, {"/a", "/a/b", "b"}, {"/a/b", "/a", ".."}, {"/a/b", "/c/d", "../../c/d"}, {"/a", "/a", "."}, {"/", "/", "."},
	} {
		if got := RelativeLink(c[0], c[1]); got != c[2] {
			t.Errorf("from %s to %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestPlainName(t *testing.T) {
	for in, want := range map[string]string{"Windows": "Windows", " New Volume ": "New Volume", "a/b:c@d": "a_b_c_d", "x.": "x", "\x07": "_", "": ""} {
		if got := PlainName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestShorten(t *testing.T) {
	seen := map[string]string{}
	for _, start := range []string{strings.Repeat("a", 256), strings.Repeat("é", 128), "x" + strings.Repeat("中", 200), strings.Repeat("😀", 120), strings.Repeat("\xed\xa0\x80", 255)} {
		for _, end := range []string{"", "b", "c", ".txt", ".extension of 15", ".extension of 16b", ".~", "."} {
			for try := range 3 {
				name := start + end
				s := Shorten(name, try)
				if len(s) > maxShown || len(s) <= maxShown-utf8.UTFMax || seen[s] != "" {
					t.Errorf("%q is shown as %q, of %d bytes, as %q is", name, s, len(s), seen[s])
				}
				if head, tail, ok := cutLast(s, "~"); !ok || !strings.HasPrefix(name, head) || !utf8.RuneStart(name[len(head)]) || strings.HasSuffix(end, "txt") != strings.HasSuffix(tail, ".txt") {
					t.Errorf("%q is shown as %q", name, s)
				}
				seen[s] = name
			}
		}
	}
	if s, want := Shorten(strings.Repeat("a", 300)+".jpeg", 0), strings.Repeat("a", 229)+"~"; !strings.HasPrefix(s, want) || len(s) != 255 || !strings.HasSuffix(s, ".jpeg") {
		t.Errorf("%s", s)
	}
}
