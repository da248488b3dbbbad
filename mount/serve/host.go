package serve

import (
	"net"
	"net/http"
	"strconv"
	"strings"
)

// hosts are the names that requests may be for. A page of another site can have its own name lead to this server ("DNS
// rebinding"): it would be one origin with it then. Such requests come with that name.
type hosts struct {
	own  string          // HOST:PORT, for addresses that are printed
	port string          //
	more map[string]bool // NAME:PORT, or NAME with any port
}

func newHosts(name string, port int, more []string) hosts {
	h := hosts{port: strconv.Itoa(port), more: map[string]bool{}}
	if name == "" {
		name = "127.0.0.1"
	} else if ip := net.ParseIP(name); ip == nil || !ip.IsUnspecified() {
		h.more[net.JoinHostPort(strings.ToLower(name), h.port)] = true
	} else {
		name = outward()
	}
	h.own = net.JoinHostPort(name, h.port)
	for _, x := range more {
		x = strings.ToLower(x)
		if name, port, err := net.SplitHostPort(x); err == nil {
			h.more[net.JoinHostPort(name, port)] = true
		} else {
			h.more[strings.Trim(x, "[]")] = true
		}
	}
	return h
}

// allowed reports whether a request is for this server. Where that listens on all addresses, the one that the request came
// to is its name: none that somebody else could have lead here.
func (h *hosts) allowed(r *http.Request) bool {
	name, port, err := net.SplitHostPort(strings.ToLower(r.Host))
	if err != nil {
		name, port = strings.Trim(strings.ToLower(r.Host), "[]"), "80"
	}
	if h.more[name] || h.more[net.JoinHostPort(name, port)] {
		return true
	}
	ip := net.ParseIP(name)
	ours := name == "localhost" || ip != nil && ip.IsLoopback()
	if to, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok && ip != nil {
		ours = ours || ip.Equal(to.IP)
	}
	return ours && port == h.port
}

// outward is an address of this machine that others may reach, else that of loopback.
func outward() string {
	all, _ := net.InterfaceAddrs() // none, where the system does not tell
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}
