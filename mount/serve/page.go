package serve

import (
	_ "embed" // the page
	"html/template"
	"net/http"
	"time"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pageData is what the page tells.
type pageData struct {
	Host, Token string
	WebDAV      bool
	Images      []string
	Volumes     []pageVolume
	Warnings    []string
}

// pageVolume is a volume with its points, and why there may be more of them.
type pageVolume struct {
	link
	Points []link
	Err    string
}

// A link is a name that leads to a path below /dav.
type link struct{ Name, Href, Taken string }

// connectPath is where page is.
const connectPath = "/connect/"

// page is behind the page at the top: what is served, and how programs reach it.
func (v *Server) page(st *stand, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path+"/" != connectPath && r.URL.Path != connectPath {
		refuse(w, http.StatusNotFound, "nothing is here")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, "want GET")
		return
	}
	data := pageData{Host: r.Host, Token: v.session.token, WebDAV: v.opts.WebDAV}
	for _, img := range st.set.Images {
		data.Images = append(data.Images, wintype.Printable(img.Path)+", "+img.Disk.Format())
	}
	for _, line := range st.set.Warnings() {
		data.Warnings = append(data.Warnings, wintype.Printable(line))
	}
	for e := range st.files.Root().Entries() { // of the layout: no error
		n, err := e.Node()
		if err != nil || n.Kind != tree.KindDir || n.Alias() {
			continue
		}
		data.Volumes = append(data.Volumes, v.pageVolume(e.Name, n))
	}
	evidence.Page(w.Header())
	if err := pageTemplate.Execute(w, data); err != nil && r.Context().Err() == nil {
		v.opts.Warn(err)
	}
}

// pageVolume tells of a directory at the top: its points, where it has some.
func (v *Server) pageVolume(name string, dir tree.Node) pageVolume {
	x := pageVolume{link: newLink("", name, dir)}
	if now, err := dir.Child("current"); err == nil {
		x.Points = append(x.Points, newLink("/"+name, "current", now))
	}
	snapshots, err := dir.Child("snapshots")
	if err != nil {
		return x
	}
	for e, err := range snapshots.Entries() {
		if err != nil {
			x.Err = evidence.Reason(err)
			break
		}
		if n, err := e.Node(); err == nil && !n.Alias() {
			x.Points = append(x.Points, newLink("/"+name+"/snapshots", e.Name, n))
		}
	}
	return x
}

func newLink(in, name string, n tree.Node) link {
	l := link{Name: wintype.Printable(name), Href: string(evidence.AppendPath(nil, "/dav"+evidence.Name(in)+"/"+evidence.Name(name)+"/"))}
	if n.Point != nil && !n.Point.Created().IsZero() {
		l.Taken = n.Point.Created().UTC().Format(time.DateTime) + " UTC"
	}
	return l
}
