package web

import (
	"net/http"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
)

// missing is the only line for a path that is no directory at the point.
type missing struct {
	Missing report.Missing `json:"missing"`
}

// list gives a line for each entry of a directory, in the order of its index.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	out := newLines(w, r)
	out.begun = r.URL.Query().Get("early") == "1" // perhaps of nothing: the page does not know yet, and browsers complain of statuses
	p, err := s.placeOf(r, "point")
	if err != nil {
		out.end(err)
		return
	}
	dir, stream, err := p.node(r, true)
	switch {
	case points.Absent(err) || err == nil && (dir.Kind != ntfs.KindDir || stream != ""):
		out.put(missing{p.there().Missing(dir)})
		err = nil
	case err == nil:
		var gone func()
		if r.URL.Query().Get("deleted") == "1" {
			gone = out.flush
		}
		err = p.there().List(r.Context(), dir, gone, func(row report.Row) bool { return out.put(row) })
	}
	out.end(err)
}
