package text

import (
	"io"
	"sync"
	"unicode/utf8"

	"snapmount/imagefmt/wintype"
)

// Safe is where the program's own words go: standard error, and standard output but for contents. Whatever reaches it,
// nothing but text of lines comes out, see wintype.Printable: who prints a name has no need to have thought of it. Only a
// line end in a name is still one, so names go through Printable where they are printed, too.
type Safe struct {
	w io.Writer

	mu   sync.Mutex
	tail []byte // the begin of a character
}

// NewSafe makes one.
func NewSafe(w io.Writer) *Safe { return &Safe{w: w} }

// Write takes text, which may be cut anywhere.
func (s *Safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := p
	if len(s.tail) > 0 {
		text = append(s.tail, p...)
	}
	whole := len(text) - begun(text)
	s.tail = append([]byte(nil), text[whole:]...)
	if _, err := io.WriteString(s.w, wintype.PrintableLines(string(text[:whole]))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// begun is how many bytes at the end of a text may be the begin of a character.
func begun(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if c := text[len(text)-n:]; utf8.RuneStart(c[0]) {
			if utf8.FullRune(c) {
				return 0
			}
			return n
		}
	}
	return 0
}

// Flush writes what is left: the begin of a character that nothing followed.
func (s *Safe) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.w, wintype.Printable(string(s.tail))) // who wrote to the end was told an error
	s.tail = nil
}

// Raw returns what a Safe writes to, for contents, which are whatever they are, and for what is meant to act on a
// terminal; of another writer itself.
func Raw(w io.Writer) io.Writer {
	s, ok := w.(*Safe)
	if !ok {
		return w
	}
	s.Flush()
	return s.w
}
