// Package evidence is how bytes, names and errors of an image leave by HTTP, for all front ends that speak it.
//
//	headers.go  headers that keep what is sent from being run, cached or embedded
//	types.go    types of content by the extension of a name
//	names.go    names of the tree as text of XML and of addresses, and back
//	status.go   the one table from errors to status codes
//	send.go     the content of a file, with ranges, or an error instead of a wrong byte
//	direct_*.go what the kernel can send from an image file by itself
//
// What an image holds is not to be trusted: it is never run, its type is never looked for in its content, and none of it
// stays behind in a cache. Everything here may be used by any number of goroutines.
package evidence

import (
	"net/http"
	"time"
)

// Guard sets the headers of an answer with bytes of an image, or of one that is not known yet: whatever they are, a browser
// runs nothing of them, takes them for no other type than is said, and hands them to no other site.
func Guard(h http.Header) {
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// Page is Guard for a page that this program makes: no sandbox, since cookies do not follow its links out of one. Names of
// an image in it have to be escaped; nothing runs all the same.
func Page(h http.Header) {
	Guard(h)
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
}

// never is no time, by which no condition holds.
var never time.Time

// Time gives a time as headers have it; those of Windows reach beyond what they can hold.
func Time(t time.Time) (string, bool) {
	t = t.UTC()
	return t.Format(http.TimeFormat), !t.IsZero() && t.Year() > 0 && t.Year() < 10_000
}
