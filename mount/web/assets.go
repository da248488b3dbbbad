package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"snapmount/mount/serve/evidence"
)

//go:embed page
var page embed.FS

// policy lets the page run its own modules and show pictures of evidence, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// assetTypes are all that the page is made of.
var assetTypes = map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// assets is where the files of this page are. Another version of the program has them elsewhere, so browsers may keep them.
var assets = sync.OnceValue(func() string {
	h := sha256.New()
	list, err := page.ReadDir("page")
	for _, e := range list {
		b, err2 := page.ReadFile("page/" + e.Name())
		err = errors.Join(err, err2)
		fmt.Fprintf(h, "%s %d\n%s", e.Name(), len(b), b)
	}
	if err != nil {
		panic(err) // of what is in the program itself
	}
	return "/a/" + hex.EncodeToString(h.Sum(nil)[:8])
})

// asset sends a file of the page.
func asset(w http.ResponseWriter, r *http.Request) {
	name, kept := strings.CutPrefix(r.URL.Path, assets()+"/")
	if r.URL.Path == "/" {
		name = "index.html"
	}
	b, err := page.ReadFile("page/" + name)
	if name == "index.html" {
		b = bytes.ReplaceAll(b, []byte("{assets}"), []byte(assets()))
	}
	mime := assetTypes[path.Ext(name)]
	if err != nil || mime == "" {
		if mime == "" || errors.Is(err, fs.ErrInvalid) {
			err = fs.ErrNotExist
		}
		evidence.Fail(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mime)
	h.Set("Content-Security-Policy", policy)
	if kept {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	_, _ = w.Write(b) // an error is of a client that has gone
}
