package text

import (
	"strings"
	"unicode/utf8"
)

// Fold fills the paragraphs of a text to a width, in characters. Empty lines end a paragraph, and lines that begin with a
// space stay as they are.
func Fold(text string, width int) string {
	var out, words []string
	fill := func() {
		if len(words) > 0 {
			out = append(out, Hang("", strings.Join(words, " "), width))
		}
		words = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || line[0] == ' ' {
			fill()
			out = append(out, line)
			continue
		}
		words = append(words, line)
	}
	fill()
	return strings.Join(out, "\n")
}

// Hang fills text to a width behind a first word, such as a name with room around it; further lines begin as far to the
// right. A word that is too long has a line of its own.
func Hang(first, text string, width int) string {
	var b strings.Builder
	b.WriteString(first)
	start := utf8.RuneCountInString(first)
	at := start
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case at == start:
		case at+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", start))
			at = start
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
