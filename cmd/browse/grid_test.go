package browse

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
)

// TestText holds texts in columns, whatever their characters take.
func TestText(t *testing.T) {
	for _, s := range []string{"", "a", "plain.txt", "日本語のファイル名.txt", "e\u0301e\u0301e\u0301e\u0301.doc", "👩‍👩‍👧 family.jpg", "\u0301begins with a mark", "a\x1b[2Jb\u202ec", "ｆｕｌｌ", "🇩🇪🇫🇷🇯🇵", strings.Repeat("世", 100)} {
		text := safe(s)
		for w := range 30 {
			if got := pad(text, w); width(got) != w {
				t.Errorf("%q in %d columns: %q has %d", s, w, got, width(got))
			}
			if got := cut(text, w); width(got) > w || !strings.HasPrefix(text, got) {
				t.Errorf("%q cut to %d: %q", s, w, got)
			}
			g := newGrid(max(w, 1), 1)
			g.put(0, 0, plain, text)
			m := &model{w: g.w}
			if columns := width(strings.TrimSuffix(g.String(), "\n")); columns > m.w {
				t.Errorf("%q on %d columns: %q", s, w, g.String())
			}
		}
		if joined := strings.Join(wrap(text, 9), ""); strings.ReplaceAll(joined, " ", "") != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%q in lines: %q", s, joined)
		}
		for _, line := range wrap(text, 9) {
			if width(line) > 9 {
				t.Errorf("%q in lines: %q is too wide", s, line)
			}
		}
	}
	if got := ascii(safe("é1\x1b")); got != `\xc3\xa91\x1b` {
		t.Errorf("ascii: %q", got)
	}
	if got := fit("a long name that goes on.txt", 20); got != "a long name t~on.txt" {
		t.Errorf("fit: %q", got)
	}
}

func FuzzFit(f *testing.F) {
	f.Add("日本語 e\u0301 👩‍👩‍👧", 7)
	f.Fuzz(func(t *testing.T, s string, w int) {
		w = min(max(w, 0), 200)
		text := safe(s)
		if got := pad(text, w); width(got) != w {
			t.Errorf("%q in %d columns: %q has %d", s, w, got, width(got))
		}
		for _, line := range wrap(text, w) {
			if width(line) > max(w, 8) {
				t.Errorf("%q: %q has %d columns, want %d", s, line, width(line), w)
			}
		}
	})
}

// half is a source of which every second sector cannot be read.
type half struct{ *bytes.Reader }

func (h half) ReadAt(p []byte, off int64) (int, error) {
	for at := off; at < off+int64(len(p)); at++ {
		if at/512%2 == 1 {
			return 0, fmt.Errorf("sector %d is bad", at/512)
		}
	}
	return h.Reader.ReadAt(p, off)
}

// TestUnknownBytes shows what of a file can be read, and says of the rest that it is not known.
func TestUnknownBytes(t *testing.T) {
	p := readPiece(context.Background(), half{bytes.NewReader(bytes.Repeat([]byte("0123456789abcdef"), 96))}, 0, 1536)
	if len(p.lost) != 1 || p.lost[0].from != 512 || p.lost[0].to != 1024 || p.lost[0].why != "sector 1 is bad" {
		t.Errorf("lost: %+v", p.lost)
	}
	if got, want := hexRow(&p, 504, 16, 16, 504), "000001f8  38 39 61 62 63 64 65 66  ?? ?? ?? ?? ?? ?? ?? ??  89abcdef????????"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
