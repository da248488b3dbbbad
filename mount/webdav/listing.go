package webdav

import (
	"bufio"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"time"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree"
)

// item is an entry of a directory as it is shown.
type item struct {
	name string // of the tree
	dir  bool
	node tree.Node
	attr tree.Attr
	err  error // why there is no more than the name
}

// each gives the entries of a directory that are listed, until give has enough or the request ends. Its error says what is
// missing from them.
func (h *Handler) each(r *http.Request, at place, l *tree.Listing, give func(*item) bool) error {
	var way []uint64 // the directories that the path leads through, where a link asks for them
	for i := range l.Len() {
		if i%256 == 0 && r.Context().Err() != nil {
			return r.Context().Err()
		}
		e := l.Entry(i)
		x := item{name: e.Name, dir: e.Kind == tree.KindDir}
		x.node, x.err = e.Node()
		if x.err == nil && x.node.Alias() {
			continue
		}
		if x.err == nil && x.node.Kind == tree.KindLink {
			if way == nil {
				way = h.way(at.path)
			}
			link := x.node
			if x.node, x.err = h.files.Walk(path.Join(at.path, e.Name), true); leadsNowhere(x.err) {
				h.leftOut(link, x.err)
				continue
			}
			if x.err == nil && slices.Contains(way, x.node.ID) {
				continue
			}
		}
		if x.err == nil {
			x.dir = x.node.Kind == tree.KindDir
			x.attr, x.err = x.node.Attr()
		}
		if !give(&x) {
			return nil
		}
	}
	h.files.Listed(at.ID, l)
	return l.Err
}

// way gives the directories that a path leads through, itself among them.
func (h *Handler) way(at string) (way []uint64) {
	for up := at; ; up = path.Dir(up) {
		if n, err := h.files.Walk(up, true); err == nil {
			way = append(way, n.ID)
		}
		if up == "/" {
			return way
		}
	}
}

// leadsNowhere reports whether a link leads to nothing, for all that can be known.
func leadsNowhere(err error) bool {
	return !errors.Is(err, tree.ErrStale) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, tree.ErrNotDir) || errors.Is(err, tree.ErrLoop))
}

// leftOut tells of a link that leads to nothing, once, and not without end.
func (h *Handler) leftOut(link tree.Node, err error) {
	const most = 1000
	h.mu.Lock()
	told := h.told[link.ID] || len(h.told) == most
	if !told {
		h.told[link.ID] = true
	}
	h.mu.Unlock()
	if !told {
		h.warn(fmt.Errorf("%s: a link that leads to nothing is left out of listings: %w", link, err))
	}
}

// page lists a directory for browsers.
func (h *Handler) page(w http.ResponseWriter, r *http.Request, at place) {
	l, err := h.files.List(at.ID)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	evidence.Page(w.Header())
	if r.Method == http.MethodHead {
		return
	}
	out := bufio.NewWriterSize(w, 32<<10)
	defer out.Flush()
	title := html.EscapeString(wintype.Printable(at.path))
	fmt.Fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>\n<h1>%s</h1>\n<table>\n<tr><th>Name<th>Bytes<th>Modified (UTC)\n", title, title)
	if at.path != "/" {
		fmt.Fprintf(out, "<tr><td><a href=\"%s\">..</a>\n", h.href(nil, path.Dir(at.path), true))
	}
	err = h.each(r, at, l, func(x *item) bool {
		name, size := html.EscapeString(wintype.Printable(x.name)), ""
		if x.dir {
			name += "/"
		} else {
			size = strconv.FormatInt(x.attr.Size, 10)
		}
		fmt.Fprintf(out, "<tr><td><a href=\"%s\">%s</a>", h.href(nil, path.Join(at.path, x.name), x.dir), name)
		if x.err != nil {
			fmt.Fprintf(out, "<td colspan=\"2\"><strong>%s</strong>\n", html.EscapeString(evidence.Reason(x.err)))
		} else {
			fmt.Fprintf(out, "<td align=\"right\">%s<td>%s\n", size, x.attr.Modified.UTC().Format(time.DateTime))
		}
		return true
	})
	fmt.Fprint(out, "</table>\n")
	if err != nil {
		h.warn(fmt.Errorf("%s: %w", at, err))
		fmt.Fprintf(out, "<p><strong>Entries are missing: %s</strong>\n", html.EscapeString(evidence.Reason(err)))
	}
}
