package web

import (
	"net/http"
	"sync"

	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// strip tells of each point but the oldest what changed in a directory since the point before, the newest first.
func (s *Server) strip(w http.ResponseWriter, r *http.Request) {
	out := newLines(w, r)
	p, err := s.place(r.URL.Query().Get("volume"), "current", r.URL.Query().Get("path"))
	if err != nil {
		out.end(err)
		return
	}
	shown := p.inTime()
	for i := len(shown) - 1; i > 0; i-- {
		key := stripKey{shown[i], p.path}
		one, known := s.strips.get(key)
		if !known {
			one = folder.StripOf(r.Context(), shown[i-1], shown[i], p.path)
			if r.Context().Err() != nil {
				break
			}
			s.strips.put(key, one)
		}
		if !out.put(one) {
			break
		}
	}
	out.end(nil)
}

type stripKey struct {
	point *points.Point
	path  string
}

// strips are those that were made last.
type strips struct {
	mu   sync.Mutex
	kept map[stripKey]report.Strip
}

// maxStrips is how many are kept, of some hundred bytes each.
const maxStrips = 1 << 16

func (s *strips) get(key stripKey) (report.Strip, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.kept[key]
	return one, ok
}

func (s *strips) put(key stripKey, one report.Strip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= maxStrips {
		s.kept = map[stripKey]report.Strip{}
	}
	s.kept[key] = one
}
