package web

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/mount/report"
	"snapmount/mount/serve/evidence"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/restore"
)

// volumes is "info --json".
func (s *Server) volumes(w http.ResponseWriter, _ *http.Request) {
	answer(w, report.OpeningOf(s.set), nil)
}

// stat is "stat --json".
func (s *Server) stat(w http.ResponseWriter, r *http.Request) {
	p, err := s.placeOf(r, "point")
	if err != nil {
		fail(w, err)
		return
	}
	n, stream, err := p.node(r, false)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, report.StatOf(p.point, p.path, stream, n), nil)
}

// explain is "explain --json".
func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	out := newLines(w, r)
	p, err := s.placeOf(r, "point")
	if err != nil {
		out.end(err)
		return
	}
	n, stream, err := p.node(r, true)
	if err != nil {
		out.end(err)
		return
	}
	m, err := n.Stream(stream)
	if err != nil {
		out.end(p.point.Because(err))
		return
	}
	for x := range p.point.Explain(m) {
		if !out.put(report.PieceOf(p.point, p.path, x)) {
			break
		}
	}
	out.end(nil)
}

// versions is "history --json" of a file, with hashes where they are asked for.
func (s *Server) versions(w http.ResponseWriter, r *http.Request) {
	out := newLines(w, r)
	p, err := s.placeOf(r, "point")
	if err != nil {
		out.end(err)
		return
	}
	rows, err := p.there().History(r.Context())
	shown := p.inTime()
	for _, v := range rows {
		row := report.VersionOf(shown, v)
		if r.URL.Query().Get("hash") == "1" && v.Node != nil && row.Kind == "file" {
			m, err := v.Node.Stream(v.Stream)
			if err == nil {
				row.SHA256, err = restore.SHA256(r.Context(), m, nil)
			}
			if err != nil && row.Error == "" {
				row.Error = report.OneLine(shown[v.First].Because(err))
			}
		}
		if !out.put(row) {
			break
		}
	}
	out.end(err)
}

// diff tells how a file differs between two points; its path may be another one at the first.
func (s *Server) diff(w http.ResponseWriter, r *http.Request) {
	b, err := s.placeOf(r, "b")
	if err != nil {
		fail(w, err)
		return
	}
	a, err := s.placeOf(r, "a")
	if err != nil {
		fail(w, err)
		return
	}
	if old := r.URL.Query().Get("old"); old != "" {
		a.path = old
	}
	before, err := a.content(r)
	if err != nil {
		fail(w, err)
		return
	}
	after, err := b.content(r)
	if err != nil {
		fail(w, err)
		return
	}
	d, err := compare.Differing(r.Context(), before, after)
	answer(w, report.DiffOf(d, before.Size(), after.Size()), err)
}

// content is what a file holds.
func (p *place) content(r *http.Request) (layer.Mapper, error) {
	n, stream, err := p.node(r, false)
	if err != nil {
		return nil, err
	}
	m, err := n.Stream(stream)
	if err != nil {
		return nil, p.point.Because(err)
	}
	return m, nil
}

// raw sends the bytes of a file: /raw/VOLUME/POINT/PATH.
func (s *Server) raw(w http.ResponseWriter, r *http.Request) {
	at := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/raw/"), "/", 3)
	p, err := s.place(at[0], at[1], at[2])
	if err != nil {
		evidence.Fail(w, err)
		return
	}
	n, ok := s.roots[p.point]
	if !ok {
		evidence.Fail(w, fmt.Errorf("%s@%s: is not shown: %w", p.volume.Name, p.point.Name, fs.ErrNotExist))
		return
	}
	for _, name := range strings.Split(strings.Trim(p.path, "/"), "/") {
		if n, err = n.Child(name); err != nil {
			evidence.Fail(w, p.point.Because(err))
			return
		}
	}
	name := path.Base(p.path)
	if r.URL.Query().Get("save") == "1" { // what the browser could show is saved all the same
		w = &saved{w}
	}
	s.send.Send(w, r, n, name)
}

// saved makes an answer one to be saved.
type saved struct{ http.ResponseWriter }

func (s *saved) WriteHeader(code int) {
	h := s.Header()
	h.Set("Content-Disposition", strings.Replace(h.Get("Content-Disposition"), "inline;", "attachment;", 1))
	s.ResponseWriter.WriteHeader(code)
}

func (s *saved) Unwrap() http.ResponseWriter { return s.ResponseWriter }
