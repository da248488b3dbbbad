package serve

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestPanic ends the request that panicked, and no other.
func TestPanic(t *testing.T) {
	var told atomic.Value
	v := &Server{opts: Options{Warn: func(err error) { told.Store(err.Error()) }}, session: newSession(1), hosts: newHosts("", 1, []string{"h"}), heavy: make(chan struct{}, 1)}
	v.now = &stand{users: 1, sites: []site{{path: "/", heavy: func(*http.Request) bool { return true }, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			w.Write(bytes.Repeat([]byte("x"), 1<<16))
			panic("late \x1b[2J")
		case "/early":
			panic(errors.New("early"))
		}
	})}}}
	s := httptest.NewServer(http.HandlerFunc(v.guard))
	defer s.Close()
	get := func(path string) (int, error) {
		r, _ := http.NewRequest("GET", s.URL+path, nil)
		r.Host = "h"
		r.SetBasicAuth("", v.session.token)
		res, err := s.Client().Do(r)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, err
	}
	for range 3 { // what a panic held is free again
		if code, err := get("/early"); code != 500 || err != nil {
			t.Errorf("before the first byte: %d, %v", code, err)
		}
		if said, _ := told.Load().(string); !strings.Contains(said, "panic: early") || !strings.Contains(said, "guard_internal_test.go") {
			t.Errorf("told is %s", said)
		}
		if code, err := get("/late"); err == nil {
			t.Errorf("after it: %d, and the answer passes for whole", code)
		}
		if code, err := get("/"); code != 200 || err != nil {
			t.Errorf("another request: %d, %v", code, err)
		}
	}
	if v.busy.Load() != 0 || len(v.heavy) != 0 {
		t.Errorf("%d under way, %d held", v.busy.Load(), len(v.heavy))
	}
}

// TestHeavy lets so many requests that cost much run at a time, and the others wait for as long as their clients do.
func TestHeavy(t *testing.T) {
	v := &Server{session: newSession(1), hosts: newHosts("", 1, []string{"h"}), heavy: make(chan struct{}, 2)}
	release, running := make(chan struct{}), make(chan struct{}, 9)
	v.now = &stand{users: 1, sites: []site{{path: "/", handler: http.NotFoundHandler()}, {path: "/dav/", heavy: isListing, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running <- struct{}{}
		<-release
	})}}}
	s := httptest.NewServer(http.HandlerFunc(v.guard))
	defer s.Close()
	ask := func(method, path string, limit time.Duration) error {
		r := &http.Request{Method: method, URL: mustParse(s.URL + path), Host: "h", Header: http.Header{"Depth": {"1"}, "X-Snapmount": {"1"}}}
		r.SetBasicAuth("", v.session.token)
		c := *s.Client()
		c.Timeout = limit
		res, err := c.Do(r)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	ended := make(chan error, 9)
	for range 2 {
		go func() { ended <- ask("PROPFIND", "/dav/x", time.Minute) }()
		<-running
	}
	if err := ask("GET", "/dav/x/", 300*time.Millisecond); err == nil {
		t.Error("a third one runs")
	}
	go func() { ended <- ask("GET", "/dav/file", time.Minute) }()
	<-running // a download does not wait
	close(release)
	for range 3 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func mustParse(address string) *url.URL {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u
}
