package webdav

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"

	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree"
)

const (
	xmlType = "application/xml; charset=utf-8"
	xmlHead = `<?xml version="1.0" encoding="utf-8"?>` + "\n"
)

// multistatus writes an answer of status 207, a response for each item.
type multistatus struct {
	h       *Handler
	wanted  wanted
	props   []*property // that are wanted and known
	unknown []byte      // elements of those that are not
	brief   bool        // properties that an item has not are not told
	buf     []byte
}

// newMultistatus prepares what is the same for each item. Windows asks for brief answers by a header of its own, others by
// that of RFC 8144.
func (h *Handler) newMultistatus(r *http.Request, want wanted) *multistatus {
	m := &multistatus{h: h, wanted: want}
	m.brief = strings.EqualFold(r.Header.Get("Brief"), "t") || strings.Contains(strings.ToLower(r.Header.Get("Prefer")), "return=minimal")
	if want.all || want.names {
		for i := range properties {
			m.props = append(m.props, &properties[i])
		}
		m.brief = true
		return m
	}
	for _, name := range want.props {
		if p := findProperty(name); p != nil {
			m.props = append(m.props, p)
			continue
		}
		begin, end := "<x:"+name.Local+` xmlns:x="`, `"/>`
		if name.Space == "" { // no prefix can stand for it
			begin = "<" + name.Local + ` xmlns="`
		}
		m.unknown = append(appendText(append(m.unknown, begin...), name.Space), end...)
	}
	return m
}

// answer streams the answer to a PROPFIND of what is at a place, and of its entries where there is a listing.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, want wanted, at place, self item, l *tree.Listing) {
	w.Header().Set("Content-Type", xmlType)
	w.WriteHeader(http.StatusMultiStatus)
	out := bufio.NewWriterSize(w, 32<<10)
	defer out.Flush()
	out.WriteString(xmlHead + `<D:multistatus xmlns:D="DAV:">` + "\n")
	m := h.newMultistatus(r, want)
	if self.name = path.Base(at.path); at.path == "/" {
		self.name = ""
	}
	out.Write(m.response(at.path, &self))
	if l != nil {
		failed := false
		err := h.each(r, at, l, func(x *item) bool {
			_, err := out.Write(m.response(path.Join(at.path, x.name), x))
			failed = err != nil
			return !failed
		})
		switch {
		case failed || r.Context().Err() != nil:
			panic(http.ErrAbortHandler) // the client has gone, or must not take this for all
		case err != nil:
			h.warn(fmt.Errorf("%s: entries are missing: %w", at, err))
			out.Write(m.failure(at.path, true, fmt.Errorf("entries are missing: %w", err)))
		}
	}
	out.WriteString("</D:multistatus>\n")
}

// response gives what stands for an item. It is valid until the next call.
func (m *multistatus) response(path string, x *item) []byte {
	if x.err != nil {
		m.h.warn(fmt.Errorf("%s: %w", path, x.err))
		return m.failure(path, x.dir, x.err)
	}
	b := append(m.buf[:0], "<D:response><D:href>"...)
	b = append(m.h.href(b, path, x.dir), "</D:href><D:propstat><D:prop>"...)
	lacks := m.unknown
	for _, p := range m.props {
		var has bool
		if b, has = m.h.appendProperty(b, p, x, m.wanted.names); !has && !m.brief {
			lacks = append(lacks[:len(lacks):len(lacks)], "<D:"+p.name+"/>"...)
		}
	}
	b = append(b, "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"...)
	if len(lacks) > 0 && !m.brief {
		b = append(append(append(b, "<D:propstat><D:prop>"...), lacks...), "</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"...)
	}
	m.buf = append(b, "</D:response>\n"...)
	return m.buf
}

// failure gives what stands for an item, or for entries of a directory, that cannot be had.
func (m *multistatus) failure(path string, isDir bool, err error) []byte {
	code := evidence.Status(err)
	if code < http.StatusInternalServerError { // an entry that is listed is there, whatever its record says
		code = http.StatusInternalServerError
	}
	b := append(m.buf[:0], "<D:response><D:href>"...)
	b = append(m.h.href(b, path, isDir), "</D:href><D:status>HTTP/1.1 "...)
	b = append(append(strconv.AppendInt(b, int64(code), 10), ' '), http.StatusText(code)...)
	b = append(appendText(append(b, "</D:status><D:responsedescription>"...), evidence.Reason(err)), "</D:responsedescription></D:response>\n"...)
	m.buf = b
	return b
}

// appendText appends text as XML has it.
func appendText(b []byte, text string) []byte {
	if strings.ContainsAny(text, "<>&\"'\r\n\t") {
		var escaped strings.Builder
		_ = xml.EscapeText(&escaped, []byte(text)) // a Builder takes all
		text = escaped.String()
	}
	return append(b, text...)
}
