package webdav_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree"
	"snapmount/mount/webdav"
)

const (
	letters = "/p1-Documents/vss1/Letters"
	offer   = letters + "/offer.txt"
)

func demo(t *testing.T) *client {
	t.Helper()
	return serve(t, open(t, filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")))
}

func open(t *testing.T, image string) *points.Set {
	t.Helper()
	s, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestDepth(t *testing.T) {
	c := demo(t)
	for depth, want := range map[string]int{"0": 207, "1": 207, "": 403, "infinity": 403, "Infinity": 403, "2": 400, "1,noroot": 400} {
		header := []string{"Depth: " + depth}
		if depth == "" {
			header = nil
		}
		res, body, err := c.do("PROPFIND", "/dav/p1-Documents/", "", header...)
		if err != nil || res.StatusCode != want || strings.Contains(string(body), "propfind-finite-depth") != (want == 403) {
			t.Errorf("depth %q: %v, want %d, %v: %s", depth, res.StatusCode, want, err, body)
		}
		if want == 403 {
			if err := xml.Unmarshal(body, new(struct{})); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWriteMethods(t *testing.T) {
	c := demo(t)
	for _, method := range []string{"PUT", "DELETE", "MKCOL", "COPY", "MOVE", "PROPPATCH", "LOCK", "UNLOCK", "POST", "PATCH", "REPORT", "MADEUP"} {
		if res, _, err := c.do(method, "/dav/p1-Documents/new.txt", "x", "Destination: "+c.URL+"/dav/x"); err != nil || res.StatusCode != 403 {
			t.Errorf("%s: %v, %v", method, res, err)
		}
	}
	for _, path := range []string{"/dav/", "/dav", "/dav/none"} {
		res, _, err := c.do("OPTIONS", path, "")
		if err != nil || res.StatusCode != 200 || res.Header.Get("DAV") != "1" || res.Header.Get("Allow") != "OPTIONS, PROPFIND, GET, HEAD" {
			t.Errorf("OPTIONS %s: %v, %v", path, res, err)
		}
	}
}

// names gives those that a directory lists.
func (c *client) names(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := c.List(dir)
	if err != nil {
		t.Errorf("%s: %v", dir, err)
	}
	for _, i := range list {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return names
}

// TestAliases finds by name what no listing has, and lists views in the directory of their volume only.
func TestAliases(t *testing.T) {
	c := demo(t)
	for dir, want := range map[string][]string{
		"/":                       {"README.txt", "p1-Documents", "p2-Archive", "raw"},
		"/p2-Archive":             {"changes", "current", "deleted", "lost", "snapshots", "versions"},
		"/p2-Archive/snapshots":   {"2026-03-02T180000Z", "2026-03-04T180000Z"},
		"/p2-Archive/vss1":        {"2024", "2025", "System Volume Information"},
		"/sets":                   {"2026-03-02T180000Z", "2026-03-04T180000Z"},
		"/p2-Archive/vss2/2025":   {"ledger.txt"},
		"/p1-Documents/vss1":      {"Letters", "My Letters", "Photos", "Projects", "System Volume Information"},
		letters + "/.snapshots":   {"2026-03-03T180000Z", "2026-03-04T180000Z", "current"},
		"/p1-Documents/snapshots": {"2026-03-02T180000Z", "2026-03-03T180000Z", "2026-03-04T180000Z"},
	} {
		if got := c.names(t, dir); !slices.Equal(got, want) {
			t.Errorf("%s lists %q, want %q", dir, got, want)
		}
	}
	for _, dir := range []string{"/p2-Archive/ids", "/p2-Archive/snapshots/latest", "/p2-Archive/snapshots/oldest", "/p2-Archive/versions/2025", "/p2-Archive/changes", "/p2-Archive/deleted"} {
		if len(c.names(t, dir)) == 0 {
			t.Errorf("%s is empty", dir)
		}
	}
}

// TestApple asks for what Finder asks for everywhere.
func TestApple(t *testing.T) {
	c := demo(t)
	for _, path := range []string{"/.DS_Store", letters + "/.DS_Store", letters + "/._offer.txt", "/._.", "/raw/._p1-Documents"} {
		if _, err := c.Stat(path); err == nil || err.Error() != "file does not exist" {
			t.Errorf("%s: %v", path, err)
		}
	}
	if len(c.warned) > 0 {
		t.Errorf("warnings %q", c.warned)
	}
}

func TestConditions(t *testing.T) {
	c := demo(t)
	get := func(path string, headers ...string) (*http.Response, string) {
		res, b, err := c.do("GET", "/dav"+path, "", headers...)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(b)
	}
	res, whole := get(offer)
	tag := res.Header.Get("ETag")
	if len(whole) != 52 || res.ContentLength != 52 || !strings.HasPrefix(tag, `"`) || res.Header.Get("Last-Modified") != "Mon, 02 Mar 2026 12:00:00 GMT" {
		t.Fatalf("%d bytes, %v", len(whole), res.Header)
	}
	all, err := c.propfind(offer, "0", "")
	if err != nil || all[0].Propstat[0].Prop.Tag != tag || all[0].Propstat[0].Prop.Type != res.Header.Get("Content-Type") {
		t.Errorf("%+v, %v, want the tag %s", all, err, tag)
	}
	other, _ := get("/p1-Documents/vss2/Letters/offer.txt")
	run, _, err := demo(t).do("GET", "/dav"+offer, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{other.Header.Get("ETag"), run.Header.Get("ETag")} {
		if x == tag || x == "" {
			t.Errorf("another point, or another run, has the tag %s too", x)
		}
	}
	if alias, _ := get("/p1-Documents/snapshots/oldest/LETTERS/OFFER.TXT"); alias.Header.Get("ETag") != tag {
		t.Errorf("by another name the tag is %s, want %s", alias.Header.Get("ETag"), tag)
	}
	for _, x := range []struct {
		header []string
		code   int
		body   string
	}{
		{[]string{"Range: bytes=0-3"}, 206, whole[:4]}, {[]string{"Range: bytes=-5"}, 206, whole[47:]}, {[]string{"Range: bytes=50-"}, 206, whole[50:]},
		{[]string{"Range: bytes=52-"}, 416, ""}, {[]string{"Range: lines=1"}, 416, ""},
		{[]string{"Range: bytes=0-3", "If-Range: " + tag}, 206, whole[:4]}, {[]string{"Range: bytes=0-3", `If-Range: "x"`}, 200, whole},
		{[]string{"Range: bytes=0-3", "If-Range: Mon, 02 Mar 2026 12:00:00 GMT"}, 200, whole}, // times prove nothing
		{[]string{"If-None-Match: " + tag}, 304, ""}, {[]string{`If-None-Match: "x"`}, 200, whole}, {[]string{`If-Match: "x"`}, 412, ""}, {[]string{"If-Match: " + tag}, 200, whole},
		{[]string{"If-Modified-Since: Mon, 02 Mar 2026 12:00:00 GMT"}, 200, whole},
	} {
		res, body := get(offer, x.header...)
		if res.StatusCode != x.code || x.code < 300 && body != x.body {
			t.Errorf("%q: %d %q, want %d %q", x.header, res.StatusCode, body, x.code, x.body)
		}
	}
	res, body := get(offer, "Range: bytes=0-0,50-51")
	if res.StatusCode != 206 || !strings.Contains(body, "\r\n\r\nD\r\n") || !strings.Contains(body, whole[50:]) {
		t.Errorf("two ranges: %d %q", res.StatusCode, body)
	}
	head, b, err := c.do("HEAD", "/dav"+offer, "")
	if err != nil || head.StatusCode != 200 || head.ContentLength != 52 || head.Header.Get("ETag") != tag || len(b) > 0 {
		t.Errorf("HEAD: %v, %v", head, err)
	}
	if stream, body := get(offer + ":author"); body != "Emmy" || stream.Header.Get("ETag") == tag {
		t.Errorf("a stream: %q, %v", body, stream.Header)
	}
}

func TestPropfind(t *testing.T) {
	c := demo(t)
	const ns = `xmlns="DAV:"`
	known := []string{"resourcetype", "displayname", "getcontentlength", "getlastmodified", "creationdate", "getetag", "getcontenttype"}
	for body, want := range map[string]int{
		"": 207, `<propfind ` + ns + `><allprop/></propfind>`: 207, `<propfind ` + ns + `><propname/></propfind>`: 207, `<propfind ` + ns + `><prop/></propfind>`: 207,
		`<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><D:x/></D:include></D:propfind>`: 207,
		`<propfind ` + ns + `/>`: 400, `<propfind ` + ns + `><prop/><allprop/></propfind>`: 400, `<propfind/>`: 400, `<a ` + ns + `/>`: 400, `<propfind ` + ns + `><prop>`: 400, "x": 207, "<": 400,
		`<propfind ` + ns + `><prop><a:b:c/></prop></propfind>`: 400, `<!DOCTYPE a [<!ENTITY b "cc">]><propfind ` + ns + `><prop>&b;</prop></propfind>`: 400,
		`<propfind ` + ns + `><prop>` + strings.Repeat("<a/>", 5000) + `</prop></propfind>`: 413,
	} {
		res, b, err := c.do("PROPFIND", "/dav"+offer, body, "Depth: 0")
		if err != nil || res.StatusCode != want {
			t.Errorf("%.80s: %v, want %d, %v: %s", body, res.StatusCode, want, err, b)
		}
	}
	names := func(body string, more ...string) (has, lacks []string) {
		all, err := c.propfind(offer, "0", body, more...)
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %v, %v", body, all, err)
		}
		res, b, _ := c.do("PROPFIND", "/dav"+offer, body, append(more, "Depth: 0")...)
		if res.Header.Get("Content-Type") != "application/xml; charset=utf-8" {
			t.Errorf("%v", res.Header)
		}
		var m struct {
			Stats []struct {
				Status string `xml:"status"`
				Prop   struct {
					Any []struct{ XMLName xml.Name } `xml:",any"`
				} `xml:"prop"`
			} `xml:"response>propstat"`
		}
		if err := xml.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		for _, s := range m.Stats {
			for _, p := range s.Prop.Any {
				name := strings.TrimPrefix(p.XMLName.Space+p.XMLName.Local, "DAV:")
				if strings.Contains(s.Status, "200") {
					has = append(has, name)
				} else {
					lacks = append(lacks, name)
				}
			}
		}
		return has, lacks
	}
	if has, lacks := names(""); !slices.Equal(has, known) || lacks != nil {
		t.Errorf("all properties: %q, %q", has, lacks)
	}
	if has, lacks := names(`<propfind xmlns="DAV:"><propname/></propfind>`); !slices.Equal(has, known) || lacks != nil {
		t.Errorf("names: %q, %q", has, lacks)
	}
	some := `<propfind xmlns="DAV:"><prop><getcontentlength/><x xmlns="urn:a&amp;&quot;b"/><y xmlns=""/><getetag/><getcontentlength/><lockdiscovery/></prop></propfind>`
	if has, lacks := names(some); !slices.Equal(has, []string{"getcontentlength", "getetag"}) || !slices.Equal(lacks, []string{`urn:a&"bx`, "y", "lockdiscovery"}) {
		t.Errorf("some: %q, %q", has, lacks)
	}
	for _, brief := range []string{"Brief: t", "Prefer: return=minimal"} {
		if has, lacks := names(some, brief); !slices.Equal(has, []string{"getcontentlength", "getetag"}) || lacks != nil {
			t.Errorf("%s: %q, %q", brief, has, lacks)
		}
	}
}

// TestPage is a directory in a browser.
func TestPage(t *testing.T) {
	c := demo(t)
	for _, path := range []string{letters, letters + "/"} {
		res, b, err := c.do("GET", "/dav"+path, "")
		want := fmt.Sprintf(`<a href="/dav%s/offer.txt">offer.txt</a><td align="right">52<td>2026-03-02 12:00:00`, letters)
		if err != nil || res.StatusCode != 200 || !strings.Contains(string(b), want) || !strings.Contains(string(b), `<a href="/dav/p1-Documents/vss1/">..</a>`) {
			t.Errorf("%s: %v, %v: %s", path, res, err, b)
		}
		head, b, err := c.do("HEAD", "/dav"+path, "")
		if err != nil || head.StatusCode != 200 || len(b) > 0 || head.Header.Get("Content-Type") != res.Header.Get("Content-Type") {
			t.Errorf("HEAD %s: %v, %v", path, head, err)
		}
	}
	if res, _, _ := c.do("GET", "/dav"+offer+"/", ""); res.StatusCode != 404 {
		t.Errorf("a file as a directory: %d", res.StatusCode)
	}
}

// FuzzRequest sends all kinds of requests: nothing panics, what is XML is well-formed, and nothing fails for a reason of
// this program's.
func FuzzRequest(f *testing.F) {
	s, err := points.Open(f.Context(), []string{filepath.Join(testenv.Root(f), "testdata", "demo.qcow2")}, points.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	files, err := tree.New(s, tree.Options{})
	if err != nil {
		f.Fatal(err)
	}
	warn := func(error) {}
	h := webdav.New(files, evidence.NewSender(files, warn), "/dav", warn)
	f.Add("PROPFIND", offer, "1", `<propfind xmlns="DAV:"><prop><getetag/><x xmlns="a"/></prop></propfind>`)
	f.Add("PROPFIND", "/p1-Documents/../..//%ED%A0%80/\xed\xa0\x80", "0", `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`)
	f.Add("GET", letters, "bytes=0-0,5-6,-1", "")
	f.Fuzz(func(t *testing.T, method, path, header, body string) {
		r := httptest.NewRequest("GET", "/dav/", strings.NewReader(body))
		r.Method, r.URL.Path = method, "/dav/"+path
		r.Header.Set("Depth", header)
		r.Header.Set("Range", header)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusLoopDetected {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code == http.StatusMultiStatus {
			if err := xml.Unmarshal(w.Body.Bytes(), new(struct{})); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
		}
	})
}
