package timeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"regexp"
	"unicode/utf16"
	"unicode/utf8"

	"snapmount/imagefmt/layer"
)

const (
	// MaxMatch is how long a match of a Content may be, in bytes of text; longer ones may be cut or missed.
	MaxMatch = 64 << 10
	// maxMatches is how many matches of one content are told.
	maxMatches = 5
	// maxLine is how much of the text about a match is given, in bytes.
	maxLine = 160
	// searchWindow is how much of a content is read at once.
	searchWindow = 1 << 20
)

// Content is what to look for in files: a regular expression, in which ^ and $ stand for the ends of lines. Holes are
// not searched.
type Content struct {
	re          *regexp.Regexp
	bytes, wide bool
}

// NewContent compiles an expression that is looked for in the bytes as they are (UTF-8), in UTF-16LE, or in both. Without
// exact, case does not matter.
func NewContent(expr string, exact, narrow, wide bool) (*Content, error) {
	flags := "(?m)"
	if !exact {
		flags = "(?mi)"
	}
	re, err := regexp.Compile(flags + "(?:" + expr + ")")
	if err != nil {
		return nil, fmt.Errorf("content %q: %w", expr, err)
	}
	if re.MatchString("") {
		return nil, fmt.Errorf("content %q: it matches where nothing is", expr)
	}
	return &Content{re, narrow, wide}, nil
}

// A Match is a place where a Content was found.
type Match struct {
	Off  int64  // bytes, in the stream
	Line int64  // from 1; 0 behind a hole, or what could not be read
	Text string // of the line, or of the part of it that the match is in
	Wide bool   // in UTF-16LE
}

// search gives the first matches in m. The error says what could not be read; all else was searched, unless ctx ended.
func (c *Content) search(ctx context.Context, m layer.Mapper) ([]Match, error) {
	var list []*searcher
	if c.bytes {
		list = append(list, &searcher{re: c.re, line: 1})
	}
	if c.wide {
		list = append(list, &searcher{re: c.re, line: 1, wide: true})
	}
	var damage error
	next := int64(0)
	for w, err := range layer.Scan(m, m.Size(), 4096, searchWindow) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil && damage == nil {
			damage = fmt.Errorf("0x%x bytes at 0x%x: %w", w.Len, w.Off, err)
		}
		for _, s := range list {
			switch {
			case err != nil:
				s.end()
				s.start(w.Off + w.Len)
				continue
			case w.Off != next: // behind a hole
				s.end()
				s.start(w.Off)
			}
			s.write(w.Data)
		}
		if next = w.Off + w.Len; done(list) {
			break
		}
	}
	var found []Match
	for _, s := range list {
		s.end()
		found = append(found, s.found...)
	}
	return found, damage
}

func done(list []*searcher) bool {
	for _, s := range list {
		if len(s.found) >= maxMatches {
			return true
		}
	}
	return false
}

// A searcher looks for an expression in text that comes in pieces, in memory for two of them.
type searcher struct {
	re    *regexp.Regexp
	wide  bool
	buf   []byte
	base  int64  // offset of buf in the stream, in bytes of the stream
	text  int64  // the same, in bytes of text
	least int64  // in bytes of text: what starts before was told, or cannot be
	line  int64  // number of the line that buf begins in; 0 where it is not known
	half  []byte // of a unit that is cut in two
	found []Match
}

// start forgets the text before; what comes next is at off of the stream.
func (s *searcher) start(off int64) {
	s.buf, s.half, s.base, s.text, s.least, s.line = s.buf[:0], nil, off, 0, 0, 0
}

// write searches more text, but for its end, in which a match may begin that goes on.
func (s *searcher) write(p []byte) {
	if s.wide {
		if len(s.half) > 0 {
			p = append(s.half, p...)
		}
		s.buf, s.half = appendWide(s.buf, p)
	} else {
		s.buf = append(s.buf, p...)
	}
	if cut := len(s.buf) - MaxMatch; cut > 0 {
		s.search(cut)
		s.drop(cut)
	}
}

// end searches what is left.
func (s *searcher) end() {
	s.search(len(s.buf))
	s.buf = s.buf[:0]
}

// search notes the matches that begin before cut.
func (s *searcher) search(cut int) {
	for _, m := range s.re.FindAllIndex(s.buf, -1) {
		if len(s.found) >= maxMatches || m[0] >= cut {
			return
		}
		if at := s.text + int64(m[0]); at >= s.least {
			s.least = s.text + int64(m[1])
			s.found = append(s.found, s.match(m[0], m[1]))
		}
	}
	s.least = max(s.least, s.text+int64(cut))
}

// drop forgets the text that is searched, but for what tells whether a line begins at cut.
func (s *searcher) drop(cut int) {
	keep := max(cut-1, 0)
	if i := bytes.LastIndexByte(s.buf[max(cut-MaxMatch, 0):cut], '\n'); i >= 0 {
		keep = max(cut-MaxMatch, 0) + i + 1
	}
	if s.line > 0 {
		s.line += int64(bytes.Count(s.buf[:keep], []byte{'\n'}))
	}
	s.base += s.streamBytes(s.buf[:keep])
	s.text += int64(keep)
	s.buf = append(s.buf[:0], s.buf[keep:]...)
}

// streamBytes is how many bytes of the stream a piece of text was.
func (s *searcher) streamBytes(b []byte) int64 {
	if !s.wide {
		return int64(len(b))
	}
	n := int64(0)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if n += 2; r >= 0x10000 {
			n += 2
		}
		b = b[size:]
	}
	return n
}

func (s *searcher) match(from, to int) Match {
	m := Match{Off: s.base + s.streamBytes(s.buf[:from]), Wide: s.wide}
	if s.line > 0 {
		m.Line = s.line + int64(bytes.Count(s.buf[:from], []byte{'\n'}))
	}
	start := max(bytes.LastIndexByte(s.buf[:from], '\n')+1, from-maxLine/2)
	end := min(len(s.buf), start+maxLine)
	if i := bytes.IndexByte(s.buf[min(to, end):end], '\n'); i >= 0 {
		end = min(to, end) + i
	}
	m.Text = string(bytes.ToValidUTF8(bytes.TrimRight(s.buf[start:end], "\r\n"), []byte("\ufffd")))
	return m
}

// appendWide appends UTF-16LE as UTF-8, and returns what may be the first part of a character. What is no character
// becomes U+FFFD.
func appendWide(out, b []byte) (text, rest []byte) {
	le := binary.LittleEndian
	for len(b) >= 2 {
		r := rune(le.Uint16(b))
		n := 2
		if utf16.IsSurrogate(r) && r < 0xdc00 {
			if len(b) < 4 {
				break
			}
			if pair := utf16.DecodeRune(r, rune(le.Uint16(b[2:]))); pair != utf8.RuneError {
				r, n = pair, 4
			}
		}
		out, b = utf8.AppendRune(out, r), b[n:]
	}
	return out, bytes.Clone(b)
}
