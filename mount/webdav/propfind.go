package webdav

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree"
)

// maxBody is how long the body of a PROPFIND may be, and with it what is repeated for each entry. Clients send some 500 bytes.
const maxBody = 16 << 10

const davNamespace = "DAV:"

// wanted is what a PROPFIND asks for.
type wanted struct {
	names bool       // the names of all properties, no values
	all   bool       // all properties
	props []xml.Name // else these, each once
}

// parseWanted reads the body of a PROPFIND; an empty one asks for all. Elements that are not known are ignored, as RFC 4918
// section 17 has it.
func parseWanted(body io.Reader) (wanted, error) {
	d := xml.NewDecoder(body)
	start, err := nextStart(d)
	if errors.Is(err, io.EOF) {
		return wanted{all: true}, nil
	}
	if err != nil || start.Name != (xml.Name{Space: davNamespace, Local: "propfind"}) {
		return wanted{}, fmt.Errorf("%s, want a propfind of %s: %w", start.Name.Local, davNamespace, errors.Join(errBody, err))
	}
	var w wanted
	for asked := 0; ; {
		start, err := nextStart(d)
		switch {
		case errors.Is(err, io.EOF) && asked == 1:
			return w, nil
		case errors.Is(err, io.EOF):
			return w, fmt.Errorf("%d of prop, allprop and propname, want one: %w", asked, errBody)
		case err != nil:
			return w, errors.Join(errBody, err)
		}
		if start.Name.Space == davNamespace {
			switch start.Name.Local {
			case "allprop":
				asked, w.all = asked+1, true
			case "propname":
				asked, w.names = asked+1, true
			case "prop":
				asked++
				if w.props, err = children(d); err != nil {
					return w, errors.Join(errBody, err)
				}
				continue
			}
		}
		if err := d.Skip(); err != nil {
			return w, errors.Join(errBody, err)
		}
	}
}

var errBody = errors.New("the body of the PROPFIND")

// nextStart gives the next element; io.EOF where what it is in ends.
func nextStart(d *xml.Decoder) (xml.StartElement, error) {
	for {
		t, err := d.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t, nil
		case xml.EndElement:
			return xml.StartElement{}, io.EOF
		}
	}
}

// children gives the names of the elements in one, each once.
func children(d *xml.Decoder) (names []xml.Name, err error) {
	seen := map[xml.Name]bool{}
	for {
		start, err := nextStart(d)
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err == nil {
			err = d.Skip()
		}
		if strings.Contains(start.Name.Local, ":") { // which a name with a namespace cannot
			err = fmt.Errorf("property %q", start.Name.Local)
		}
		if err != nil {
			return nil, err
		}
		if !seen[start.Name] {
			seen[start.Name], names = true, append(names, start.Name)
		}
	}
}

// propfind answers PROPFIND of depth 0 and 1.
func (h *Handler) propfind(w http.ResponseWriter, r *http.Request) {
	depth := r.Header.Get("Depth")
	switch {
	case depth == "" || strings.EqualFold(depth, "infinity"):
		w.Header().Set("Content-Type", xmlType)
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, xmlHead+`<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>`+"\n")
		return
	case depth != "0" && depth != "1":
		http.Error(w, "Depth: want 0 or 1", http.StatusBadRequest)
		return
	}
	want, err := parseWanted(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		code := http.StatusBadRequest
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			code = http.StatusRequestEntityTooLarge
		}
		http.Error(w, evidence.Reason(err), code)
		return
	}
	at, err := h.find(r)
	self := item{dir: at.Kind == tree.KindDir, node: at.Node}
	if err == nil {
		self.attr, err = at.Attr()
	}
	var l *tree.Listing
	if err == nil && self.dir && depth == "1" {
		l, err = h.files.List(at.ID)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, r, want, at, self, l)
}
