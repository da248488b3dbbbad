package content

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"strconv"
)

// checkPDF looks for the end mark and the table of objects that it leads to, and unpacks each stream of Flate, if the file is
// not encrypted (ISO 32000). Other streams, as those of pictures, are not proved.
func checkPDF(f *file) finding {
	if h := f.upTo(0, 5); string(h) != "%PDF-" {
		return silent // PostScript
	}
	tailOff := max(f.size-4096, 0)
	tail := f.upTo(tailOff, 4096)
	encrypted := bytes.Contains(tail, []byte("/Encrypt"))
	mark := bytes.LastIndex(tail, []byte("startxref"))
	if mark < 0 || !bytes.Contains(tail[mark:], []byte("%%EOF")) {
		if b := f.upTo(max(f.size-windowSize, 0), windowSize); random(b) && f.size > windowSize && !f.inStream() {
			return torn(tailOff, "the end is wrong")
		}
		return cut("it has no end mark")
	}
	table := f.xref(tail[mark:])
	switch {
	case table == nil:
		return torn(tailOff+int64(mark), "the table of objects is not where it should be,")
	case bytes.Contains(table, []byte("/Encrypt")):
		encrypted = true
	}
	if encrypted {
		return sound(false, "it is encrypted; its table of objects is there")
	}
	return f.pdfStreams()
}

// xref returns the bytes that startxref leads to, if they are a table or a stream of one.
func (f *file) xref(mark []byte) []byte {
	fields := bytes.Fields(mark[:min(len(mark), 64)])
	if len(fields) < 2 {
		return nil
	}
	at, err := strconv.ParseInt(string(fields[1]), 10, 62)
	if err != nil {
		return nil
	}
	// Writers put the mark a few bytes off, and bytes before the file.
	b := f.upTo(max(at-16, 0), 2048)
	head := b[:min(len(b), 64)]
	if bytes.Contains(head, []byte("xref")) || bytes.Contains(head, []byte(" obj")) || at == 0 {
		return append([]byte{}, b...)
	}
	return nil
}

// inStream reports whether the last bytes may be within a stream: the word that begins one comes after the one that ends it.
func (f *file) inStream() bool {
	off := max(f.size-1<<20, 0)
	b := f.upTo(off, 1<<20)
	return bytes.LastIndex(b, []byte("endstream")) < bytes.LastIndex(b, []byte("stream\n"))+3 ||
		bytes.LastIndex(b, []byte("endstream")) < bytes.LastIndex(b, []byte("stream\r\n"))+3
}

// pdfStreams unpacks the streams of Flate in the order of the file.
func (f *file) pdfStreams() finding {
	s := f.from(0)
	dict := make([]byte, 0, 2048) // what stands before a stream
	for {
		b, err := s.r.Peek(4096)
		i := bytes.Index(b, []byte("stream"))
		if i < 0 {
			if err != nil || len(b) < 6 {
				return sound(false, "its table of objects is there, and its streams unpack")
			}
			dict = last(dict, s.take(len(b)-6))
			continue
		}
		dict = last(dict, s.take(i))
		s.take(6)
		end := bytes.HasSuffix(dict, []byte("end"))
		open := bytes.LastIndex(dict, []byte("<<"))
		flate := open >= 0 && onlyFlate(dict[max(bytes.LastIndex(dict, []byte(" obj")), 0):])
		dict = dict[:0]
		if end || !flate {
			continue
		}
		if bad := f.pdfStream(s); bad.state != Whole {
			return bad
		}
	}
}

// last returns the last 2048 bytes of two in a row.
func last(dict, b []byte) []byte {
	if n := len(dict) + len(b) - 2048; n > 0 {
		k := min(n, len(dict))
		dict = append(dict[:0], dict[k:]...)
		b = b[n-k:]
	}
	return append(dict, b...)
}

// onlyFlate reports whether a dictionary names Flate as the only filter.
func onlyFlate(dict []byte) bool {
	i := bytes.Index(dict, []byte("/FlateDecode"))
	return i >= 0 && bytes.Count(dict, []byte("Decode")) == bytes.Count(dict, []byte("DecodeParms"))+1 && !bytes.Contains(dict, []byte("/Crypt"))
}

// pdfStream unpacks one; a wrong sum at its end is what some writers leave.
func (f *file) pdfStream(s *stream) finding {
	if b := s.peek(2); len(b) == 2 && b[0] == '\r' && b[1] == '\n' {
		s.take(2)
	} else if len(b) == 2 && (b[0] == '\n' || b[0] == '\r') {
		s.take(1)
	} else {
		return sound(false, "") // the word, not a stream
	}
	at := s.off
	z, err := zlib.NewReader(s)
	if err == nil {
		_, err = f.drain(io.Discard, z)
	}
	switch {
	case err == nil || errors.Is(err, zlib.ErrChecksum):
		return sound(false, "")
	case errors.Is(err, zlib.ErrHeader) && s.off-at <= 2 && bytes.Contains(f.upTo(at, 64), []byte("endstream")):
		return sound(false, "") // empty
	case errors.Is(err, errTooMuch):
		return unpacked(at, "", err)
	case s.left() == 0:
		return cut("it ends within a stream")
	}
	return torn(max(s.off-1, at), "a stream does not unpack")
}
