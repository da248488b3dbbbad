package serve

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"snapmount/mount/serve/evidence"
)

// ownHeader is one that no form and no page of another site can send without asking first, whatever its value.
const ownHeader = "X-Snapmount"

// guard answers a request, if it may be answered.
func (v *Server) guard(w http.ResponseWriter, r *http.Request) {
	v.busy.Add(1)
	defer v.busy.Add(-1)
	seen := &seen{ResponseWriter: w}
	defer v.recovered(seen, r)
	w = seen
	evidence.Guard(w.Header())
	if !v.hosts.allowed(r) {
		refuse(w, http.StatusForbidden, fmt.Sprintf("this server is not called %q: if a name leads here, start it with --allow-host NAME", r.Host))
		return
	}
	if r.URL.Path == "" || r.URL.Path[0] != '/' { // as of OPTIONS *
		refuse(w, http.StatusBadRequest, "want a path")
		return
	}
	st := v.stand()
	defer v.leave(st)
	s := st.site(r.URL.Path)
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if token := r.URL.Query().Get("token"); token != "" && reads {
		v.letIn(w, r, token)
		return
	}
	if !v.session.knows(r) {
		if s.basic {
			w.Header().Set("WWW-Authenticate", `Basic realm="snapmount", charset="UTF-8"`)
		}
		refuse(w, http.StatusUnauthorized, "open the whole address that snapmount printed when it started, or give its token as the password")
		return
	}
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		refuse(w, http.StatusForbidden, "a page of another site may not ask for this")
		return
	}
	if !reads && !slices.Contains(s.methods, r.Method) && r.Header.Get("Sec-Fetch-Site") != "same-origin" && r.Header.Get(ownHeader) == "" {
		refuse(w, http.StatusForbidden, "read-only: nothing here can be changed (requests of "+r.Method+" want a header "+ownHeader+")")
		return
	}
	if s.heavy == nil || !s.heavy(r) {
		s.handler.ServeHTTP(w, r)
		return
	}
	select {
	case v.heavy <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	defer func() { <-v.heavy }()
	s.handler.ServeHTTP(&patient{w, http.NewResponseController(w)}, r)
}

// site is the front end for a path.
func (st *stand) site(path string) *site {
	best := &st.sites[0]
	for i := range st.sites {
		if s := &st.sites[i]; len(s.path) > len(best.path) && strings.HasPrefix(path+"/", s.path) {
			best = s
		}
	}
	return best
}

// letIn gives who has the token a cookie, and the same address without it: that is kept in histories, and told to sites.
func (v *Server) letIn(w http.ResponseWriter, r *http.Request, token string) {
	if !v.session.takes(token) {
		refuse(w, http.StatusUnauthorized, "this token is of another run of snapmount, or was used: open the address that was printed last")
		return
	}
	http.SetCookie(w, v.session.newCookie())
	query := r.URL.Query()
	query.Del("token")
	to := &url.URL{Path: "/" + strings.TrimLeft(r.URL.Path, `/\`), RawQuery: query.Encode()} // two slashes would be another host
	if r.Header.Get("Sec-Fetch-Site") != "cross-site" {
		w.Header().Set("Location", to.String())
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	// A strict cookie does not follow a redirect that began on another site, such as a web mail. It follows our own page.
	evidence.Page(w.Header())
	w.Header().Set("Refresh", "0; url="+to.String())
}

func refuse(w http.ResponseWriter, code int, why string) { http.Error(w, why, code) }

// recovered ends a request whose handler has panicked, and that alone.
func (v *Server) recovered(w *seen, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		v.opts.Warn(fmt.Errorf("%s %q: panic: %v\n%s", r.Method, r.URL.Path, p, debug.Stack()))
		if !w.begun {
			refuse(w, http.StatusInternalServerError, "this request failed; the log tells why")
			return
		}
	}
	panic(http.ErrAbortHandler) // the client must not take what it has for all
}

// seen notes whether an answer has begun.
type seen struct {
	http.ResponseWriter
	begun bool
}

func (s *seen) WriteHeader(code int) { s.begun = true; s.ResponseWriter.WriteHeader(code) }

func (s *seen) Write(p []byte) (int, error) { s.begun = true; return s.ResponseWriter.Write(p) }

// ReadFrom has the kernel send what it can.
func (s *seen) ReadFrom(r io.Reader) (int64, error) {
	s.begun = true
	return io.Copy(s.ResponseWriter, r)
}

// Unwrap is for http.ResponseController.
func (s *seen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// patient waits only so long for a client to take what is written: it keeps others from what costs much.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(stallTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController, as of an answer that is sent line by line.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }
