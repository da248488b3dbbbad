package timeline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"snapmount/imagefmt/layer"
)

func section(t testing.TB, b []byte) layer.Mapper {
	t.Helper()
	m, err := layer.Section(bytes.NewReader(b), 0, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wideText(s string) (out []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

// TestSearch compares with a search of all of the text at once, with matches at every place about the ends of windows.
func TestSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, expr := range []string{`needle`, `^needle$`, `\bneedle\b`, `nee(dle)+`, `(?s)needle.{300}`} {
		c, err := NewContent(expr, true, true, false)
		if err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile("(?m)" + expr)
		for range 4 {
			b := bytes.Repeat([]byte("hay hay hay hay hay hay hay hay\n"), 5<<19/32)
			for range 3 {
				window := (1 + r.IntN(2)) * searchWindow // or so, for a window holds what was left of the one before
				at := window + r.IntN(600) - 300 - r.IntN(2)*MaxMatch
				copy(b[at:], []string{"needle", "\nneedle\n", " needledle "}[r.IntN(3)])
			}
			got, err := c.search(t.Context(), section(t, b))
			var want []int64
			for _, m := range re.FindAllIndex(b, -1) {
				want = append(want, int64(m[0]))
			}
			var offs []int64
			for _, m := range got {
				offs = append(offs, m.Off)
				if line := int64(bytes.Count(b[:m.Off], []byte{'\n'})) + 1; m.Line != line || !strings.Contains(m.Text, "needle") {
					t.Errorf("%s: %+v, want line %d", expr, m, line)
				}
			}
			if err != nil || !slices.Equal(offs, want) {
				t.Fatalf("%s: %v, want %v, %v", expr, offs, want, err)
			}
		}
	}
}

func TestSearchWide(t *testing.T) {
	c, err := NewContent("grüße 𝄞", false, true, true)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("a𝄞b\n", 300_000) + "Viele GRÜSSE\nViele GRÜßE 𝄞!\n" + strings.Repeat("z", 1000)
	at := strings.Index(text, "GRÜßE")
	want := Match{int64(len(wideText(text[:at]))), 300_002, "Viele GRÜßE 𝄞!", true}
	if got, err := c.search(t.Context(), section(t, wideText(text))); err != nil || !slices.Equal(got, []Match{want}) {
		t.Errorf("%+v, want %+v, %v", got, want, err)
	}
	want.Off, want.Wide = int64(at), false
	if got, err := c.search(t.Context(), section(t, []byte(text))); err != nil || !slices.Equal(got, []Match{want}) {
		t.Errorf("%+v, want %+v, %v", got, want, err)
	}
}

// lossy cannot be read from 4096 to 8192.
type lossy struct{ *bytes.Reader }

func (l lossy) ReadAt(p []byte, off int64) (int, error) {
	if off < 8192 && off+int64(len(p)) > 4096 {
		return 0, io.ErrUnexpectedEOF
	}
	return l.Reader.ReadAt(p, off)
}

func TestSearchDamage(t *testing.T) {
	c, err := NewContent("needle", true, true, true)
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.Repeat([]byte("hay\n"), 4096)
	for _, at := range []int{100, 4093, 5000, 8192, 12000} {
		copy(b[at:], "needle")
	}
	m, err := layer.Section(lossy{bytes.NewReader(b)}, 0, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.search(t.Context(), m)
	var offs []int64
	for _, m := range got {
		offs = append(offs, m.Off)
	}
	if !slices.Equal(offs, []int64{100, 8192, 12000}) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, %v", offs, err)
	}
	if _, err := NewContent("a*", true, true, true); err == nil {
		t.Error("an expression that matches nothing at all is taken")
	}
}
