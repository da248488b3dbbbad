package serve_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/serve"
)

// running is a server until the test ends.
type running struct {
	*serve.Server
	token string
	stop  func() error // ends it, and waits for that

	mu     sync.Mutex
	warned []string
}

func demo(t testing.TB) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") }

func start(t *testing.T, image string, opts serve.Options) *running {
	t.Helper()
	return startAll(t, []string{image}, opts)
}

func startAll(t *testing.T, images []string, opts serve.Options) *running {
	t.Helper()
	s, err := points.Open(t.Context(), images, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &running{}
	opts.WebDAV, opts.Warn = true, func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.warned = append(r.warned, err.Error())
	}
	if r.Server, err = serve.Listen(s, opts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	_, r.token, _ = strings.Cut(r.URL(), "?token=")
	return r
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.warned, "\n")
}

// ask sends a request with headers "Name: value", and with the token as password unless one says "Authorization: ".
func (r *running) ask(t *testing.T, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, r.Address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("anybody", r.token)
	for _, line := range headers {
		switch name, value, _ := strings.Cut(line, ": "); {
		case name == "Host":
			req.Host = value
		case value == "":
			req.Header.Del(name)
		default:
			req.Header.Set(name, value)
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body) // what there is of it
	return res, string(b)
}

func TestHosts(t *testing.T) {
	r := start(t, demo(t), serve.Options{Hosts: []string{"proxy.example", "[fe80::1]:443", "other:8443"}})
	_, port, _ := strings.Cut(strings.TrimPrefix(r.Address(), "http://"), ":")
	for host, want := range map[string]int{
		"127.0.0.1:" + port: 200, "localhost:" + port: 200, "LOCALHOST:" + port: 200, "[::1]:" + port: 200, "127.9.9.9:" + port: 200,
		"proxy.example": 200, "proxy.example:1": 200, "Proxy.Example:" + port: 200, "[fe80::1]:443": 200, "other:8443": 200,
		"127.0.0.1": 403, "localhost": 403, "127.0.0.1:1": 403, "localhost:80": 403, "[::1]": 403, "other": 403, "other:" + port: 403, "[fe80::1]:" + port: 403,
		"evil.example:" + port: 403, "127.0.0.1.evil.example:" + port: 403, "localhost.:" + port: 403, "192.0.2.1:" + port: 403, "2130706433:" + port: 403,
	} {
		if res, body := r.ask(t, "GET", "/", "Host: "+host); res.StatusCode != want || want == 403 && (strings.Contains(body, "p1-") || res.Header.Get("Set-Cookie") != "") {
			t.Errorf("%s: %d, want %d: %s", host, res.StatusCode, want, body)
		}
		if res, _ := r.ask(t, "GET", "/?token="+r.token, "Host: "+host); (res.StatusCode == 403) != (want == 403) {
			t.Errorf("the token at %s: %d", host, res.StatusCode)
		}
	}
}

func TestSessions(t *testing.T) {
	r, other := start(t, demo(t), serve.Options{}), start(t, demo(t), serve.Options{})
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	status := func(c *http.Client, address string) (int, string) {
		res, err := c.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode, res.Request.URL.RequestURI()
	}
	if code, _ := status(browser, r.Address()); code != 401 {
		t.Errorf("without a token: %d", code)
	}
	if code, _ := status(browser, r.Address()+"/?token="+other.token); code != 401 {
		t.Errorf("the token of another server: %d", code)
	}
	if code, at := status(browser, r.Address()+"/dav/p1-Documents/?x=1&token="+r.token); code != 200 || at != "/dav/p1-Documents/?x=1" {
		t.Errorf("the token: %d at %s", code, at)
	}
	for _, path := range []string{"/", "/dav/README.txt"} {
		if code, _ := status(browser, r.Address()+path); code != 200 {
			t.Errorf("the cookie at %s: %d", path, code)
		}
	}
	// Cookies go to all ports: that of one server is nothing to another.
	if code, _ := status(browser, other.Address()); code != 401 {
		t.Errorf("the cookie of another server: %d", code)
	}
	res, _ := r.ask(t, "GET", "//evil.example/%5c?token="+r.token, "Authorization: ")
	cookie := res.Header.Get("Set-Cookie")
	if to := res.Header.Get("Location"); res.StatusCode != 303 || strings.HasPrefix(to, "//") || strings.Contains(to, r.token) {
		t.Errorf("%d, leads to %s", res.StatusCode, to)
	}
	for _, want := range []string{"snapmount-", "; Path=/", "; HttpOnly", "; SameSite=Strict"} {
		if !strings.Contains(cookie, want) || strings.Contains(cookie, r.token) {
			t.Errorf("the cookie is %s", cookie)
		}
	}
	value, _, _ := strings.Cut(cookie, ";")
	name, signed, _ := strings.Cut(value, "=")
	nonce, sum, _ := strings.Cut(signed, ".")
	flipped := "0"
	if sum[0] == '0' {
		flipped = "1"
	}
	otherValue := strings.TrimPrefix(other.Address(), "http://127.0.0.1:")
	for cookie, want := range map[string]int{
		value: 200, "x=y; " + value: 200, name + "=wrong.wrong; " + value: 200,
		name + "=" + nonce + "." + flipped + sum[1:]: 401, name + "=" + nonce: 401, name + "=" + nonce + ".": 401, name + "=.": 401, name + "=" + r.token: 401,
		"snapmount-" + otherValue + "=" + signed: 401, name + "=": 401,
	} {
		if res, _ := r.ask(t, "GET", "/", "Authorization: ", "Cookie: "+cookie); res.StatusCode != want {
			t.Errorf("cookie %s: %d, want %d", cookie, res.StatusCode, want)
		}
	}
	if res, _ := r.ask(t, "GET", "/dav/", "Authorization: Basic YTpi"); res.StatusCode != 401 || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("a wrong password: %d, %v", res.StatusCode, res.Header)
	}
	if res, _ := r.ask(t, "GET", "/", "Authorization: "); res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("the page asks a browser for a password: %d, %v", res.StatusCode, res.Header)
	}
	res, body := r.ask(t, "GET", "/?token="+r.token, "Authorization: ", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")
	if res.StatusCode != 200 || res.Header.Get("Refresh") != "0; url=/" || body != "" {
		t.Errorf("from another site: %d, %v, %s", res.StatusCode, res.Header, body)
	}
}

// TestTickets lets in one browser.
func TestTickets(t *testing.T) {
	r := start(t, demo(t), serve.Options{})
	void, _ := url.Parse(r.Ticket())
	ticket, _ := url.Parse(r.Ticket())
	for i, c := range []struct {
		at   string
		want int
	}{{void.RequestURI(), 401}, {ticket.RequestURI(), 303}, {ticket.RequestURI(), 401}, {"/?token=" + r.token, 303}, {"/?token=", 401}} {
		if res, _ := r.ask(t, "GET", c.at, "Authorization: "); res.StatusCode != c.want {
			t.Errorf("%d: %d, want %d", i, res.StatusCode, c.want)
		}
	}
	if strings.Contains(r.Ticket(), r.token) {
		t.Error("a ticket tells the token")
	}
}

func TestMethods(t *testing.T) {
	r := start(t, demo(t), serve.Options{})
	for _, c := range []struct {
		method, path string
		want         int
		headers      []string
	}{
		{"PROPFIND", "/dav/", 207, []string{"Depth: 0"}}, {"OPTIONS", "/dav/", 200, nil}, {"PROPFIND", "/dav", 207, []string{"Depth: 0"}}, {"HEAD", "/", 200, nil},
		{"PROPFIND", "/", 403, []string{"Depth: 0"}}, {"POST", "/", 403, nil}, {"POST", "/dav/x", 403, nil}, {"PUT", "/dav/x", 403, nil},
		{"POST", "/", 405, []string{"Sec-Fetch-Site: same-origin"}}, {"POST", "/", 405, []string{"X-Snapmount: 1"}}, {"POST", "/", 403, []string{"Sec-Fetch-Site: same-site"}},
		{"DELETE", "/dav/x", 403, []string{"X-Snapmount: 1"}},
		{"GET", "/dav/README.txt", 403, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}}, {"GET", "/dav/README.txt", 200, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}},
		{"GET", "/davx", 404, nil}, {"GET", "/none", 404, nil}, {"GET", "/dav/none", 404, nil},
	} {
		if res, body := r.ask(t, c.method, c.path, c.headers...); res.StatusCode != c.want {
			t.Errorf("%s %s %q: %d, want %d: %s", c.method, c.path, c.headers, res.StatusCode, c.want, body)
		}
	}
}

// TestHeaders wants those that keep evidence from being run, in every answer.
func TestHeaders(t *testing.T) {
	r := start(t, demo(t), serve.Options{})
	for _, path := range []string{"/connect", "/api/volumes", "/raw/p1-Documents/current/none", "/none", "/dav/", "/dav/none", "/dav/README.txt", "/dav/p1-Documents/current/", "/dav/raw/p2-Archive/current.img", "/?token=wrong"} {
		res, _ := r.ask(t, "GET", path, "Range: bytes=0-9")
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", path, name, got, want)
			}
		}
		csp, isPage := res.Header.Get("Content-Security-Policy"), strings.HasPrefix(res.Header.Get("Content-Type"), "text/html")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script") || strings.HasPrefix(csp, "sandbox;") == isPage || isPage && !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %s, %s", path, res.Header.Get("Content-Type"), csp)
		}
	}
	if res, _ := r.ask(t, "GET", "/", "Host: evil.example"); res.Header.Get("Content-Security-Policy") == "" {
		t.Error("a refusal has no headers")
	}
}

func TestPage(t *testing.T) {
	r := start(t, demo(t), serve.Options{})
	_, body := r.ask(t, "GET", "/connect")
	for _, want := range []string{"demo.qcow2, qcow2", `<a href="/dav/p1-Documents/current/">current</a>`, `<a href="/dav/p1-Documents/snapshots/2026-03-02T180000Z/">`,
		"taken 2026-03-02 18:00:00 UTC", `<a href="/dav/raw/">`, r.token, "dav://127.0.0.1:", "Finder", "net use", "rclone", "BasicAuthLevel"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s:\n%s", want, body)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "latest") || strings.Contains(body, "sets/") {
		t.Error("the page has scripts, or aliases")
	}
	for _, at := range strings.Split(body, `href="`)[1:] {
		at, _, _ = strings.Cut(at, `"`)
		if res, _ := r.ask(t, "GET", at); res.StatusCode != 200 {
			t.Errorf("the link %s: %d", at, res.StatusCode)
		}
	}
}

// TestEnd lets a download end that goes on when the server is to end, and cuts one that nobody reads.
func TestEnd(t *testing.T) {
	r := start(t, demo(t), serve.Options{})
	get := func() *http.Response {
		req, _ := http.NewRequest("GET", r.Address()+"/dav/raw/p1-Documents/current.img", nil)
		req.SetBasicAuth("", r.token)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	read, left := get(), get()
	defer left.Body.Close()
	ended := make(chan error, 1)
	go func() { ended <- r.stop() }()
	time.Sleep(200 * time.Millisecond)
	if n, err := io.Copy(io.Discard, read.Body); n != read.ContentLength || err != nil {
		t.Errorf("a download that goes on: %d of %d bytes, %v", n, read.ContentLength, err)
	}
	read.Body.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not end")
	}
	if n, err := io.Copy(io.Discard, left.Body); err == nil || n == left.ContentLength {
		t.Errorf("a download that was cut: %d of %d bytes, %v", n, left.ContentLength, err)
	}
}

func TestAddresses(t *testing.T) {
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		listen, want string // how the address begins
		exposed      bool
	}{
		{"", "http://127.0.0.1:", false}, {"localhost", "http://127.0.0.1:", false}, {":0", "http://127.0.0.1:", false}, {"0", "http://127.0.0.1:", false},
		{"127.0.0.1:0", "http://127.0.0.1:", false}, {"127.0.0.2", "http://127.0.0.2:", false}, {"*:0", "http://", true}, {"0.0.0.0", "http://", true},
		{"none.invalid:0", "", false}, {"127.0.0.1:70000", "", false}, {"127.0.0.1:http", "", false}, {"a:b:c", "", false}, {"192.0.2.1:0", "", false}, {"127.0.0.1:-1", "", false},
	} {
		v, err := serve.Listen(s, serve.Options{Listen: c.listen})
		if (err == nil) != (c.want != "") {
			t.Errorf("%q: %v", c.listen, err)
		}
		if err != nil {
			continue
		}
		if !strings.HasPrefix(v.Address(), c.want) || v.Exposed() != c.exposed || strings.Contains(v.Address(), "0.0.0.0") {
			t.Errorf("%q: %s, reached by others: %v", c.listen, v.Address(), v.Exposed())
		}
		if _, err := serve.Listen(s, serve.Options{Listen: strings.TrimPrefix(v.Address(), "http://")}); err == nil {
			t.Errorf("%s is listened on twice", v.Address())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := v.Serve(ctx); err != nil {
			t.Error(err)
		}
	}
}
