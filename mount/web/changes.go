package web

import (
	"context"
	"net/http"

	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs/compare"
)

// changes is "diff --json" of two points, below a path; with depth=1 of what is in that directory itself.
func (s *Server) changes(w http.ResponseWriter, r *http.Request) {
	out := newLines(w, r)
	a, err := s.placeOf(r, "a")
	if err != nil {
		out.end(err)
		return
	}
	b, err := s.placeOf(r, "b")
	if err == nil {
		err = sendChanges(r.Context(), out, a.point, b.point, a.path, r.URL.Query().Get("depth") == "1")
	}
	out.end(err)
}

func sendChanges(ctx context.Context, out *lines, a, b *points.Point, dir string, flat bool) error {
	return folder.Changes(ctx, a, b, dir, flat,
		func(c compare.Change) bool { return out.put(report.ChangeOf(a, b, c)) },
		func(path string, err error) bool { return out.fail(failedPath(path), err) })
}

func failedPath(name string) string {
	if name == "" {
		return ""
	}
	return "/" + name
}
