package serve

import (
	"context"
	"net"
	"net/http"

	"snapmount/mount/nbd"
	"snapmount/mount/nfs"
	"snapmount/mount/web"
	"snapmount/mount/webdav"
)

// A site is a front end that speaks HTTP. It has requests that have passed guard: for one of our names, from who may ask.
type site struct {
	path    string // all below it, and itself with or without its last slash
	handler http.Handler
	methods []string                 // beside GET and HEAD, that any page or program may send
	basic   bool                     // asks for a password: its clients have no cookies
	heavy   func(*http.Request) bool // costs much; nil never
}

// joinedSites are the front ends of a stand that speak HTTP. The longest path counts.
func (v *Server) joinedSites(st *stand, before *stand) []site {
	st.web = web.New(st.set, st.files, st.send, v.opts.Warn)
	st.web.Tool = v.opts.Tool
	if v.opts.Reopen != nil {
		st.web.Unlock = v.reopen
	}
	if before != nil {
		st.web.Follow(before.web)
	}
	all := []site{
		{path: "/", handler: st.web, heavy: web.Heavy},
		{path: connectPath, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { v.page(st, w, r) })},
	}
	if v.opts.WebDAV {
		all = append(all, site{"/dav/", webdav.New(st.files, st.send, "/dav", v.opts.Warn), webdav.Methods, true, isListing})
	}
	return all
}

// isListing reports whether a request may be for a directory.
func isListing(r *http.Request) bool {
	return r.Method == "PROPFIND" && r.Header.Get("Depth") != "0" || r.URL.Path[len(r.URL.Path)-1] == '/'
}

// A front has a listener of its own. serve returns when nothing is under way any more after ctx has ended, or with an error
// when it ends by itself.
type front struct {
	name  string
	on    net.Listener
	serve func(context.Context, net.Listener) error
}

// join begins to listen for all front ends; those that speak HTTP share listeners. With an error nothing is left open.
func (v *Server) join() (name string, err error) {
	defer func() {
		if err != nil {
			for _, f := range v.fronts {
				f.on.Close()
			}
		}
	}()
	on, name, err := listen(v.opts.Listen)
	v.add("http", on, v.serveHTTP)
	if err == nil && v.opts.NFS != "" {
		on, _, err = listen(v.opts.NFS)
		v.add(NFS, on, nfs.Follow(v.use, v.opts.Warn).Serve)
	}
	if err == nil && v.opts.NBD != "" {
		on, err = listenNBD(v.opts.NBD)
		v.add(NBD, on, (&nbd.Server{Use: v.use, Warn: v.opts.Warn}).Serve)
	}
	return name, err
}

func (v *Server) add(name string, on []net.Listener, serve func(context.Context, net.Listener) error) {
	for _, l := range on {
		v.fronts = append(v.fronts, front{name, l, serve})
	}
}
