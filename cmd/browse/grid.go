package browse

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"snapmount/imagefmt/wintype"
)

// A style says how letters look: one of the colours, and flags.
type style uint8

const (
	plain style = iota
	added
	changed
	moved
	gone
	fault
	dir
	dim

	colours       = 0x0f
	bold    style = 0x10
	reverse style = 0x20
	struck  style = 0x40
)

// A cell is what one place of the screen shows: nothing but a character and what combines with it. The second half of a
// wide one is empty.
type cell struct {
	text string
	look style
}

// A grid is a screen as values, so that it can be looked at without a terminal.
type grid struct {
	w, h   int
	cells  []cell
	cx, cy int // cursor; -1 hides it
}

func newGrid(w, h int) *grid {
	g := &grid{w: w, h: h, cells: make([]cell, w*h), cx: -1, cy: -1}
	for i := range g.cells {
		g.cells[i].text = " "
	}
	return g
}

// put writes text from a place on, as far as the line goes, and returns where it ended. Text is safe: see safe.
func (g *grid) put(x, y int, look style, text string) int {
	if y < 0 || y >= g.h || x < 0 {
		return x
	}
	state := -1
	for text != "" {
		var one string
		var w int
		one, text, w, state = uniseg.FirstGraphemeClusterInString(text, state)
		if w == 0 { // it would combine with what stands before it, which it has nothing to do with
			one, w = " "+one, 1
		}
		if x+w > g.w {
			break
		}
		g.cells[y*g.w+x] = cell{one, look}
		for i := 1; i < w; i++ {
			g.cells[y*g.w+x+i] = cell{"", look}
		}
		x += w
	}
	return x
}

// line writes one line of the screen: left as far as there is room beside right, which stands at the end.
func (g *grid) line(y int, look style, left, right string) {
	for x := range g.w {
		g.put(x, y, look, " ")
	}
	room := g.w
	if right != "" && width(right) < g.w*2/3 {
		room -= width(right) + 2
		g.put(g.w-width(right), y, look, right)
	}
	if width(left) > room {
		left = cut(left, room-1) + "~"
	}
	g.put(0, y, look, left)
}

// paint changes how a part of a line looks.
func (g *grid) paint(x, y, n int, look style) {
	for ; n > 0 && x < g.w; x, n = x+1, n-1 {
		if x >= 0 && y >= 0 && y < g.h {
			g.cells[y*g.w+x].look = look
		}
	}
}

// String gives the lines of the screen without styles.
func (g *grid) String() string {
	var b strings.Builder
	for y := range g.h {
		var line strings.Builder
		for _, c := range g.cells[y*g.w : (y+1)*g.w] {
			line.WriteString(c.text)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// width counts the columns that safe text takes.
func width(text string) (n int) {
	state := -1
	for text != "" {
		var w int
		_, text, w, state = uniseg.FirstGraphemeClusterInString(text, state)
		n += max(w, 1)
	}
	return n
}

// cut gives the begin of text that fits so many columns.
func cut(text string, w int) string {
	rest, state, at := text, -1, 0
	for rest != "" {
		var n int
		_, rest, n, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if at += max(n, 1); at > w {
			break
		}
		if rest == "" {
			return text
		}
		if at == w {
			return text[:len(text)-len(rest)]
		}
	}
	return text[:len(text)-len(rest)-lastCluster(text, rest)]
}

// lastCluster is how many bytes the character takes that stands before rest.
func lastCluster(text, rest string) int {
	head, n := text[:len(text)-len(rest)], 0
	for state := -1; head != ""; {
		var one string
		one, head, _, state = uniseg.FirstGraphemeClusterInString(head, state)
		n = len(one)
	}
	return n
}

// fit shortens text to so many columns: a part of its middle becomes ~, since names differ at their ends.
func fit(text string, w int) string {
	if width(text) <= w {
		return text
	}
	if w < 2 {
		return cut(text, max(w, 0))
	}
	tail := min(12, w/3)
	end := text
	for width(end) > tail {
		one, rest, _, _ := uniseg.FirstGraphemeClusterInString(end, -1)
		if end = rest; one == "" {
			break
		}
	}
	return cut(text, w-1-width(end)) + "~" + end
}

// pad makes text just so wide.
func pad(text string, w int) string {
	text = fit(text, w)
	return text + strings.Repeat(" ", max(w-width(text), 0))
}

// padLeft is pad with the text at the right.
func padLeft(text string, w int) string {
	text = fit(text, w)
	return strings.Repeat(" ", max(w-width(text), 0)) + text
}

// safe makes text of an image one that a terminal can be given: nothing in it acts, or combines with what is before it.
func safe(text string) string {
	text = wintype.Printable(text)
	if r, n := utf8.DecodeRuneInString(text); n > 0 && unicode.Is(unicode.M, r) {
		text = " " + text
	}
	return text
}

// ascii escapes what a terminal without UTF-8 has no characters for: else different names would look the same.
func ascii(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			b.WriteString(`\x` + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]))
		}
	}
	return b.String()
}

// wrap breaks safe text into lines of so many columns, at blanks where there are some. A file may be one line: no more of
// it is looked at for a line of the screen than fits.
func wrap(text string, w int) (out []string) {
	w = max(w, 8)
	for line := range strings.SplitSeq(text, "\n") {
		for {
			head := cut(line, w)
			if head == line || head == "" {
				break
			}
			if i := strings.LastIndexByte(head, ' '); i > w/2 {
				head = head[:i+1]
			}
			out = append(out, strings.TrimRight(head, " "))
			line = line[len(head):]
		}
		out = append(out, line)
	}
	return out
}

// untab puts blanks in place of tabs, to columns of 8.
func untab(line string) string {
	if !strings.Contains(line, "\t") {
		return line
	}
	var b strings.Builder
	column := 0
	for part := range strings.SplitAfterSeq(line, "\t") {
		words, found := strings.CutSuffix(part, "\t")
		b.WriteString(words)
		if column += width(words); found {
			n := 8 - column%8
			b.WriteString("        "[:n])
			column += n
		}
	}
	return b.String()
}
