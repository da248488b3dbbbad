// Package shell reads a command line as a POSIX shell does, as far as it is typed, and writes words that its last one may
// become in the quotes that are open there. Nothing is run or expanded but "~/": a word with a variable, a substitution or
// a pattern is not known.
package shell

import (
	"strings"
	"unicode/utf8"
)

// A Line is a command line up to the cursor.
type Line struct {
	Words []string // without quotes; the last is the one at the cursor, which may be empty
	Known bool     // else the last word, or where it stands, is for the shell alone

	raw   string // the last word as typed
	ends  []int  // of raw, behind each byte of the word
	quote byte   // that is open at the cursor, or 0
}

// reader reads a line byte by byte.
type reader struct {
	line   string
	home   string
	at     int
	start  int // of the word, or -1 between words
	word   []byte
	ends   []int
	quote  byte
	out    Line
	target bool // of a redirection
}

// Parse reads a line. home is what "~" stands for; empty is unknown.
func Parse(line, home string) Line {
	r := &reader{line: line, home: home, start: -1}
	r.out.Known = true
	for r.at < len(line) {
		r.next()
	}
	if r.start < 0 {
		r.begin()
	}
	r.out.Words = append(r.out.Words, string(r.word))
	r.out.raw, r.out.ends, r.out.quote = line[r.start:], r.ends, r.quote
	r.out.Known = r.out.Known && !r.target
	return r.out
}

func (r *reader) begin() { r.start, r.word, r.ends, r.out.Known = r.at, nil, nil, true }

// take takes n bytes of the line for text of the word.
func (r *reader) take(n int, text string) {
	r.at += n
	for range len(text) {
		r.ends = append(r.ends, r.at-r.start)
	}
	r.word = append(r.word, text...)
}

// next reads what begins at the next byte.
func (r *reader) next() {
	c := r.line[r.at]
	switch {
	case r.quote == '\'':
		r.inQuotes(c == '\'', c)
	case c == '\\':
		r.backslash()
	case r.quote == '"':
		r.out.Known = r.out.Known && c != '$' && c != '`'
		r.inQuotes(c == '"', c)
	case strings.IndexByte(" \t\n", c) >= 0:
		r.end()
		r.at++
	case strings.IndexByte(";|&()", c) >= 0: // another command
		r.end()
		r.out.Words, r.target = nil, false
		r.at++
	case c == '<' || c == '>':
		r.end()
		r.target = true
		r.at++
	default:
		r.plain(c)
	}
}

func (r *reader) inQuotes(closes bool, c byte) {
	if closes {
		r.quote = 0
		r.at++
		return
	}
	r.take(1, string([]byte{c}))
}

// backslash reads one outside of single quotes. One at the cursor is not of the word yet.
func (r *reader) backslash() {
	if r.start < 0 {
		r.begin()
	}
	switch {
	case r.at+1 == len(r.line):
		r.at++
	case r.quote == '"' && strings.IndexByte("$`\"\\", r.line[r.at+1]) < 0:
		r.take(1, `\`)
	default:
		r.take(2, r.line[r.at+1:r.at+2])
	}
}

// plain reads a byte outside of quotes.
func (r *reader) plain(c byte) {
	if r.start < 0 {
		r.begin()
	}
	switch {
	case c == '\'' || c == '"':
		r.quote = c
		r.at++
	case c == '~' && r.at == r.start && r.home != "" && strings.HasPrefix(r.line[r.at+1:], "/"):
		r.take(1, r.home)
	default:
		r.out.Known = r.out.Known && strings.IndexByte("$`*?[{", c) < 0
		r.take(1, string([]byte{c}))
	}
}

// end ends the word.
func (r *reader) end() {
	if r.start >= 0 && !r.target {
		r.out.Words = append(r.out.Words, string(r.word))
	}
	r.target = r.target && r.start < 0
	r.start, r.out.Known = -1, true
}

// Last is the word at the cursor.
func (l Line) Last() string { return l.Words[len(l.Words)-1] }

// Raw gives the last word as it has to be typed to become another one: as it is typed already as far as both are the same,
// and the rest in the quotes that are open. These are not closed.
func (l Line) Raw(word string) string {
	last, n := l.Last(), 0
	for n < len(last) && n < len(word) && last[n] == word[n] {
		n++
	}
	for n > 0 && n < len(word) && !utf8.RuneStart(word[n]) {
		n--
	}
	end := l.typed()
	if n < len(last) {
		for n > 0 && last[n-1] == '\\' { // what is behind it decides what it is
			n--
		}
		end = 0
		if n > 0 {
			end = l.ends[n-1]
		}
	}
	if l.raw[:end] == "~" { // what is behind it decides whether it is the home
		n, end = 0, 0
	}
	return l.raw[:end] + quoted(word[n:], quoteAt(l.raw[:end]))
}

// typed is how much of the raw word counts: not a backslash that nothing follows.
func (l Line) typed() int {
	if len(l.raw) == 0 || l.raw[len(l.raw)-1] != '\\' || l.quote == '\'' {
		return len(l.raw)
	}
	if len(l.ends) > 0 && l.ends[len(l.ends)-1] == len(l.raw) {
		return len(l.raw)
	}
	return len(l.raw) - 1
}

// quoteAt is the quote that is open behind the start of a word.
func quoteAt(raw string) byte {
	r := &reader{line: raw, start: -1}
	for r.at < len(raw) {
		r.next()
	}
	return r.quote
}

// Behind is what a shell that replaces the end of the last word alone has to be given for a raw word; end is that end. It is
// not ok where the start would have to change.
func (l Line) Behind(raw, end string) (string, bool) {
	kept, ok := strings.CutSuffix(l.raw, end)
	if !ok {
		return raw, true // the shell tells of another word: all of it
	}
	return strings.CutPrefix(raw, kept)
}

// quoted writes text so that a shell reads it as it is, within a quote or, for 0, none. It goes byte by byte, as all that
// shells give a meaning to is ASCII, and names need not be UTF-8.
func quoted(text string, quote byte) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case quote == '\'' && c == '\'':
			b.WriteString(`'\''`)
			continue
		case quote == 0 && c == '\n': // behind a backslash it would be no text at all
			b.WriteString("'\n'")
			continue
		case quote == '"' && c == '!': // history
			b.WriteString(`"'!'"`)
			continue
		case quote == '"' && strings.IndexByte("$`\"\\", c) >= 0, quote == 0 && strings.IndexByte(" \t!\"#$&'()*;<>?[\\]^`{|}~", c) >= 0:
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}
