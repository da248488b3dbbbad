// Package web is the page of "snapmount serve": all points in time in a browser, with time as a strip beside the path.
//
//	web.go       New, and where each address leads
//	place.go     what a request is about: a volume, a point, a path
//	lines.go     answers: JSON, a line for each thing, as it is found
//	list.go      /api/list, a directory, as package folder has it; rows.go /api/rows, what costs more
//	strip.go     /api/strip, which points changed something in a directory
//	file.go      /api/versions, /api/stat, /api/explain, /api/diff, and /raw, the bytes
//	changes.go   /api/changes, what differs between two points
//	find.go      /api/find, a search over all points
//	zip.go       /api/zip, files and directories as a zip or tar; job.go what becomes of it, proof.go its receipt
//	unlock.go    /api/unlock, the key of an encrypted volume
//	assets.go    the page itself: modules as they stand, no build step
//	page/        HTML, CSS and JavaScript
//
// The JSON is that of the commands (package report). A request is for a volume by its name, a point as LOCATIONs have it, and
// a path of WTF-8. Nothing is kept between requests but strips that were made, and what was chosen for a download. All
// handlers may be used by any number of goroutines; who may ask, and how many at a time, is package serve's.
package web

import (
	"net/http"

	"snapmount/imagefmt/bitlocker"
	"snapmount/mount/points"
	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree"
)

// Server answers requests about a set of images.
type Server struct {
	set    *points.Set
	send   *evidence.Sender
	warn   func(error)
	roots  map[*points.Point]tree.Node // of the points that are shown
	mux    *http.ServeMux
	strips strips
	shared *shared

	Tool string // name and version of the program, for receipts
	// Unlock opens the images again with more secrets, so that another Server takes the place of this one, and gives what was
	// opened then. It is called by one at a time, and set before the first request; nil leaves locked volumes locked.
	Unlock func(more []*bitlocker.Secret) (*points.Set, error)
}

// shared is what a Server has in common with those whose place it takes.
type shared struct {
	jobs      jobs
	unlocking chan struct{} // holds one of who unlocks
}

// New makes the page of a tree. send gives content, and warn is told what could not be given.
func New(set *points.Set, files *tree.FS, send *evidence.Sender, warn func(error)) *Server {
	s := &Server{set: set, send: send, warn: warn, roots: rootsOf(files), mux: http.NewServeMux(), shared: &shared{unlocking: make(chan struct{}, 1)}}
	for path, handler := range map[string]http.HandlerFunc{
		"GET /api/volumes":           s.volumes,
		"GET /api/list":              s.list,
		"GET /api/rows":              s.rows,
		"GET /api/strip":             s.strip,
		"GET /api/versions":          s.versions,
		"GET /api/stat":              s.stat,
		"GET /api/explain":           s.explain,
		"GET /api/diff":              s.diff,
		"GET /api/changes":           s.changes,
		"GET /api/find":              s.find,
		"POST /api/select":           s.choose,
		"POST /api/unlock":           s.unlock,
		"GET /api/zip":               s.zip,
		"GET /api/job":               s.job,
		"GET /raw/{volume}/{point}/": s.raw,
		"GET /":                      asset,
	} {
		s.mux.HandleFunc(path, handler)
	}
	return s
}

// Follow has the Server take the place of another, before the first request: downloads that were ordered there go on.
func (s *Server) Follow(before *Server) { s.shared = before.shared }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	evidence.Guard(w.Header())
	s.mux.ServeHTTP(w, r)
}

// Heavy reports whether a request may cost much.
func Heavy(r *http.Request) bool {
	switch r.URL.Path {
	case "/api/strip", "/api/changes", "/api/find", "/api/zip", "/api/rows", "/api/diff", "/api/versions":
		return true
	}
	return false
}

// rootsOf finds the directories of points.
func rootsOf(files *tree.FS) map[*points.Point]tree.Node {
	roots := map[*points.Point]tree.Node{}
	add := func(n tree.Node, err error) {
		if err == nil && n.Kind == tree.KindDir && n.Point != nil {
			roots[n.Point] = n
		}
	}
	for e := range files.Root().Entries() { // of the layout, as what follows: no error
		volume, err := e.Node()
		if err != nil || volume.Kind != tree.KindDir || volume.Alias() {
			continue
		}
		add(volume.Child("current"))
		snapshots, err := volume.Child("snapshots")
		if err != nil {
			continue
		}
		for e := range snapshots.Entries() {
			if n, err := e.Node(); err == nil && !n.Alias() {
				add(n, nil)
			}
		}
	}
	return roots
}
