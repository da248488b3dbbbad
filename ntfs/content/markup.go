package content

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
)

// markupMost bounds the texts whose syntax is looked at.
const markupMost = 16 << 20

// checkJSON tells a text that ends within a value. Other mistakes of syntax say nothing: many write comments, or several
// values in a row.
func checkJSON(f *file) finding {
	if f.size > markupMost {
		return silent
	}
	d := json.NewDecoder(f.section(0, f.size))
	for depth := 0; ; {
		t, err := d.Token()
		switch {
		case err == io.EOF && depth == 0:
			return sound(false, "it is complete")
		case errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF:
			return cut("it ends within a value")
		case err != nil:
			return silent
		}
		if depth > 10000 {
			return silent
		}
		if delim, ok := t.(json.Delim); ok && (delim == '{' || delim == '[') {
			depth++
		} else if ok {
			depth--
		}
	}
}

// checkXML tells a text that ends before its outermost element does.
func checkXML(f *file) finding {
	if f.size > markupMost || scriptOf(f.upTo(0, 2)) != bytewise {
		return silent
	}
	d := xml.NewDecoder(f.section(0, f.size))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for n := 0; ; n++ {
		_, err := d.RawToken()
		switch {
		case err == io.EOF && n > 0:
			return f.xmlEnd()
		case err != nil:
			return silent
		}
	}
}

// xmlEnd looks at how a text of markup ends: with a tag.
func (f *file) xmlEnd() finding {
	off := max(f.size-windowSize, 0)
	tail := bytes.TrimRight(f.upTo(off, windowSize), " \t\r\n\x00\x1a")
	if bytes.HasSuffix(tail, []byte(">")) {
		return sound(false, "it ends with a tag")
	}
	return silent
}
