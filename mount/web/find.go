package web

import (
	"errors"
	"fmt"
	"net/http"

	"snapmount/mount/report"
	"snapmount/mount/selection"
)

// find gives a line for each hit of a search by names over all points, and one for each thing that could not be searched.
func (s *Server) find(w http.ResponseWriter, r *http.Request) {
	out := newLines(w, r)
	p, err := s.placeOf(r, "point")
	if err == nil {
		err = p.there().Find(r.Context(), r.URL.Query().Get("name"), func(h report.Hit) bool { return out.put(h) }, func(err error) { out.fail("", err) })
	}
	if mistake := (selection.UsageError{}); errors.As(err, &mistake) {
		err = fmt.Errorf("%w: %w", errRequest, err)
	}
	out.end(err)
}
