package webdav

import (
	"encoding/xml"
	"strconv"
	"time"

	"snapmount/mount/serve/evidence"
)

// A property of an item: its name in the namespace DAV:, and its value as XML appended to b, or nothing where the item has
// no such property.
type property struct {
	name  string
	value func(h *Handler, b []byte, x *item) []byte
}

// properties are all that there are. No other is wanted of a share of class 1, and none opens a file.
var properties = []property{
	{"resourcetype", func(_ *Handler, b []byte, x *item) []byte {
		if x.dir {
			return append(b, "<D:collection/>"...)
		}
		return b
	}},
	{"displayname", func(_ *Handler, b []byte, x *item) []byte { return appendText(b, evidence.Name(x.name)) }},
	{"getcontentlength", func(_ *Handler, b []byte, x *item) []byte {
		if x.dir {
			return b
		}
		return strconv.AppendInt(b, x.attr.Size, 10)
	}},
	{"getlastmodified", func(_ *Handler, b []byte, x *item) []byte { return appendHTTPTime(b, x.attr.Modified) }},
	{"creationdate", func(_ *Handler, b []byte, x *item) []byte {
		if _, ok := evidence.Time(x.attr.Created); !ok {
			return b
		}
		return x.attr.Created.UTC().AppendFormat(b, time.RFC3339)
	}},
	{"getetag", func(h *Handler, b []byte, x *item) []byte {
		if x.dir {
			return b
		}
		return append(b, h.send.Tag(x.node, &x.attr)...)
	}},
	{"getcontenttype", func(_ *Handler, b []byte, x *item) []byte {
		mime, _, known := evidence.Type(x.name)
		if x.dir || !known { // a client may guess by the name better than octets are
			return b
		}
		return append(b, mime...)
	}},
}

func appendHTTPTime(b []byte, t time.Time) []byte {
	text, ok := evidence.Time(t)
	if !ok {
		return b
	}
	return append(b, text...)
}

// appendProperty appends the element of a property, and tells whether the item has it. Of the properties only resourcetype
// can be empty, and a name at the root.
func (h *Handler) appendProperty(b []byte, p *property, x *item, nameOnly bool) ([]byte, bool) {
	was := len(b)
	b = append(append(append(b, "<D:"...), p.name...), '>')
	begin := len(b)
	if b = p.value(h, b, x); len(b) == begin {
		if p.name != "resourcetype" && p.name != "displayname" {
			return b[:was], false
		}
	}
	if len(b) == begin || nameOnly {
		return append(b[:begin-1], "/>"...), true
	}
	return append(append(append(b, "</D:"...), p.name...), '>'), true
}

// find gives a property by its name.
func findProperty(name xml.Name) *property {
	for i := range properties {
		if name.Space == davNamespace && name.Local == properties[i].name {
			return &properties[i]
		}
	}
	return nil
}
