package web

import (
	"context"
	"fmt"
	"net/http"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
)

// maxRows is how many rows one request may be about: more than a screen shows.
const maxRows = 200

// rows gives, for names in a directory, whether all of the content is there, and the versions over time.
func (s *Server) rows(w http.ResponseWriter, r *http.Request) {
	out := newLines(w, r)
	p, err := s.placeOf(r, "point")
	names := r.URL.Query()["name"]
	if err == nil && len(names) > maxRows {
		err = fmt.Errorf("%w: %d names, want %d at most", errRequest, len(names), maxRows)
	}
	if err != nil {
		out.end(err)
		return
	}
	for _, name := range names {
		one := p
		one.path = p.below(name)
		if !out.put(s.row(r.Context(), one, name)) {
			break
		}
	}
	out.end(nil)
}

func (s *Server) row(ctx context.Context, p place, name string) report.RowMore {
	m := report.RowMore{Name: report.Name(name), Spans: []report.Span{}}
	n, stream, err := p.point.Lookup(p.path, false)
	if err != nil {
		m.Error = report.OneLine(err)
		return m
	}
	if n.Kind == ntfs.KindFile || n.Kind == ntfs.KindDir {
		m.Trust = p.point.TrustIn(n, stream)
	}
	if n.Kind != ntfs.KindFile {
		return m
	}
	v := points.Judge(n, stream)
	m.Verdict, m.Intact = v.String(), v.Intact()
	rows, err := p.there().History(ctx)
	if err != nil {
		m.Error = report.OneLine(err)
		return m
	}
	m.Spans = report.SpansOf(p.inTime(), rows)
	return m
}
