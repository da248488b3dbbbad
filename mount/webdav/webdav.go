// Package webdav serves a mount/tree as a read-only WebDAV share of class 1 (RFC 4918).
//
//	webdav.go      Handler: methods, paths, files
//	listing.go     the entries of a directory, links followed; the page of a directory
//	propfind.go    what a PROPFIND asks for
//	multistatus.go its answer, an entry at a time
//	properties.go  the properties that there are
//
// Listings are streamed, each entry is looked up once, and no file is opened for one: a directory of any length takes the
// memory of its names. WebDAV has no links, so they are followed inside the tree. What only leads to points that are
// listed elsewhere, and a link to a directory that the path came through, is found by name and not listed, so that a client
// that walks everything comes to an end. A name that XML cannot hold is shown as evidence.Name has it. What is damaged is
// told: an entry with a status of 500 and the reason, never a listing that is silently short.
package webdav

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"snapmount/mount/points"
	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree"
)

// Methods are those beside GET and HEAD that read. All others are answered 403: the share is read-only.
var Methods = []string{http.MethodOptions, "PROPFIND"}

// Handler answers requests for a tree below a prefix. It is an http.Handler, safe for concurrent use.
type Handler struct {
	files  *tree.FS
	send   *evidence.Sender
	prefix string
	warn   func(error)

	mu   sync.Mutex
	told map[uint64]bool // links that lead to nothing
}

// New makes the handler of what is below prefix, which begins with a slash and ends in none. warn is told what is left out
// or cannot be given, and why, from any goroutine.
func New(files *tree.FS, send *evidence.Sender, prefix string, warn func(error)) *Handler {
	return &Handler{files: files, send: send, prefix: prefix, warn: warn, told: map[uint64]bool{}}
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	evidence.Guard(w.Header())
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.get(w, r)
	case "PROPFIND":
		h.propfind(w, r)
	case http.MethodOptions:
		w.Header().Set("DAV", "1")
		w.Header().Set("MS-Author-Via", "DAV")
		w.Header().Set("Allow", strings.Join(slices.Concat(Methods, []string{http.MethodGet, http.MethodHead}), ", "))
	default:
		http.Error(w, "read-only: nothing here can be changed", http.StatusForbidden)
	}
}

// place is a node and the path that a request names it by, "/" at its begin and at the end of none but the root's.
type place struct {
	tree.Node
	path string
}

// find gives what a request is about. Links are followed, the last name's too.
func (h *Handler) find(r *http.Request) (place, error) {
	words := points.SplitPath(strings.TrimPrefix(r.URL.Path, h.prefix))
	for i, word := range words {
		words[i] = evidence.Unname(word)
	}
	at := "/" + strings.Join(words, "/")
	end := ""
	if strings.HasSuffix(r.URL.Path, "/") && len(words) > 0 {
		end = "/" // which a file has not
	}
	n, err := h.files.Walk(at+end, true)
	return place{n, at}, err
}

// get gives a file, or the page of a directory.
func (h *Handler) get(w http.ResponseWriter, r *http.Request) {
	at, err := h.find(r)
	switch {
	case err != nil:
		h.fail(w, r, err)
	case at.Kind == tree.KindDir:
		h.page(w, r, at)
	default:
		h.send.Send(w, r, at.Node, at.path[strings.LastIndexByte(at.path, '/')+1:])
	}
}

// fail answers with an error. That nothing is there is no failure: clients ask for what they would put there themselves.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if evidence.Status(err) != http.StatusNotFound {
		h.warn(fmt.Errorf("%s: %w", r.URL.Path, err))
	}
	evidence.Fail(w, err)
}

// href is the address of what a path names.
func (h *Handler) href(b []byte, path string, isDir bool) []byte {
	b = append(b, h.prefix...)
	for word := range strings.SplitSeq(path[1:], "/") {
		b = evidence.AppendPath(append(b, '/'), evidence.Name(word))
	}
	if isDir && b[len(b)-1] != '/' {
		b = append(b, '/')
	}
	return b
}
