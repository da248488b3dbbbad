package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/cmd"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree"
	"snapmount/mount/web"
)

// serve serves images until the test ends.
func serve(t *testing.T, images ...string) *httptest.Server {
	t.Helper()
	return serveWith(t, points.Options{}, images...)
}

func serveWith(t *testing.T, opts points.Options, images ...string) *httptest.Server {
	t.Helper()
	s, err := points.Open(t.Context(), images, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	files, err := tree.New(s, tree.Options{Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	warn := func(err error) { t.Logf("warned: %v", err) }
	page := web.New(s, files, evidence.NewSender(files, warn), warn)
	page.Tool = "snapmount test"
	server := httptest.NewServer(page)
	t.Cleanup(server.Close)
	return server
}

func demo(t *testing.T) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") }

// get asks for an address and gives the answer with its body.
func get(t *testing.T, s *httptest.Server, address string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(b)
}

// query makes an address of keys and values.
func query(path string, words ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(words); i += 2 {
		q.Add(words[i], words[i+1])
	}
	return path + "?" + q.Encode()
}

// run gives what a command prints.
func run(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := cmd.Main(args, &out, &errs); code != 0 && code != 7 {
		t.Fatalf("%v: exit code %d: %s", args, code, errs.String())
	}
	return out.String()
}

const (
	docs   = "p1-Documents"
	oldest = "2026-03-02T180000Z"
	second = "2026-03-03T180000Z"
	third  = "2026-03-04T180000Z"
)

// TestCommands holds answers against what the commands print.
func TestCommands(t *testing.T) {
	s, image := serve(t, demo(t)), demo(t)
	plan := "/Projects/plan (also).txt"
	for _, c := range []struct {
		address string
		args    []string
		sorted  bool
	}{
		{query("/api/stat", "volume", docs, "point", second, "path", plan), []string{"stat", "--json", image + ":p1@" + second + ":" + plan}, false},
		{query("/api/stat", "volume", docs, "point", "current", "path", "/Letters"), []string{"stat", "--json", image + ":p1:/Letters"}, false},
		{query("/api/explain", "volume", docs, "point", second, "path", plan), []string{"explain", "--json", image + ":p1@" + second + ":" + plan}, false},
		{query("/api/versions", "volume", docs, "point", "current", "path", "/Letters/offer.txt"), []string{"history", "--json", image + ":p1:/Letters/offer.txt"}, false},
		{query("/api/versions", "volume", docs, "point", oldest, "path", "/Projects/budget.csv", "hash", "1"), []string{"history", "--json", "--hash", image + ":p1@" + oldest + ":/Projects/budget.csv"}, false},
		{query("/api/changes", "volume", docs, "a", oldest, "b", "current", "path", "/"), []string{"diff", "--json", image + ":p1@" + oldest, "@current"}, false},
		{query("/api/changes", "volume", docs, "a", oldest, "b", third, "path", "/Projects"), []string{"diff", "--json", image + ":p1@" + oldest, "@" + third, "/Projects"}, false},
		{query("/api/find", "volume", docs, "point", "current", "path", "/", "name", "offer"), []string{"find", "--json", image + ":p1", "*offer*"}, true},
		{query("/api/find", "volume", docs, "point", "current", "path", "/", "name", "*.raw"), []string{"find", "--json", image + ":p1", "*.raw"}, true},
	} {
		answer, got := get(t, s, c.address)
		want := run(t, c.args...)
		if c.sorted {
			got, want = sorted(got), sorted(want)
		}
		if answer.StatusCode != http.StatusOK || got != want || want == "" {
			t.Errorf("%s: %s\n%swant, as %v:\n%s", c.address, answer.Status, got, c.args, want)
		}
	}
	var got, want report.Info
	_, body := get(t, s, "/api/volumes")
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(run(t, "info", "--json", image)), &want); err != nil {
		t.Fatal(err)
	}
	if a, b := fmt.Sprintf("%+v", mustJSON(t, got)), fmt.Sprintf("%+v", mustJSON(t, want)); a != b {
		t.Errorf("volumes: %s\nwant %s", a, b)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// decoded reads lines of JSON.
func decoded[T any](t *testing.T, text string) (out []T) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var one T
		if err := d.Decode(&one); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		out = append(out, one)
	}
	return out
}

func TestList(t *testing.T) {
	s := serve(t, demo(t))
	_, body := get(t, s, query("/api/list", "volume", docs, "point", second, "path", "/Projects"))
	rows, entries := decoded[report.Row](t, body), decoded[report.Entry](t, run(t, "ls", "--json", demo(t)+":p1@"+second+":/Projects"))
	if len(rows) != len(entries) || len(rows) == 0 {
		t.Fatalf("%d rows, want %d", len(rows), len(entries))
	}
	for i, e := range entries {
		if r := rows[i]; "/Projects/"+string(r.Name) != string(e.Path) || r.Size != e.Size || *r.Mtime != *e.Mtime || r.Kind != e.Kind || r.Ref != e.Ref {
			t.Errorf("%+v, want %+v", r, e)
		}
	}
	gone := map[string]report.Row{}
	_, body = get(t, s, query("/api/list", "volume", docs, "point", "current", "path", "/Projects", "deleted", "1"))
	for _, r := range decoded[report.Row](t, body) {
		if r.Gone != "" {
			gone[string(r.Name)] = r
		}
	}
	if r := gone["budget.csv"]; len(gone) != 1 || r.Gone != "deleted" || r.Point != second {
		t.Errorf("gone from /Projects: %+v", gone)
	}
	_, body = get(t, s, query("/api/list", "volume", docs, "point", "current", "path", "/Letters", "deleted", "1"))
	if !strings.Contains(body, `"name":"thanks.txt"`) || !strings.Contains(body, `"gone":"renamed","point":"2026-03-02T180000Z","now":"/Letters/thanks (sent).txt"`) {
		t.Errorf("gone from /Letters: %s", body)
	}
}

// TestListEarly asks for a list before it is known whether there is one.
func TestListEarly(t *testing.T) {
	s := serve(t, demo(t))
	for _, volume := range []string{docs, "p9-none"} {
		ahead, early := get(t, s, query("/api/list", "volume", volume, "point", "current", "path", "/", "early", "1"))
		answer, body := get(t, s, query("/api/list", "volume", volume, "point", "current", "path", "/"))
		if early != body || body == "" || ahead.StatusCode != http.StatusOK || (answer.StatusCode == http.StatusOK) != (volume == docs) {
			t.Errorf("%s: %s %s\nwant %s %s", volume, ahead.Status, early, answer.Status, body)
		}
	}
}

func TestMissing(t *testing.T) {
	s := serve(t, demo(t))
	for path, want := range map[string]string{
		"/Photos":            `{"missing":{"first":"` + oldest + `","last":"` + oldest + `","moved":"/Pictures"}}` + "\n",
		"/never":             `{"missing":{}}` + "\n",
		"/Letters/offer.txt": `{"missing":{"kind":"file"}}` + "\n",
	} {
		if _, body := get(t, s, query("/api/list", "volume", docs, "point", "current", "path", path)); body != want {
			t.Errorf("%s: %swant %s", path, body, want)
		}
	}
}

// TestStrip counts what the comparison of neighbours tells.
func TestStrip(t *testing.T) {
	s := serve(t, demo(t))
	for range 2 { // the second is from what was kept
		_, body := get(t, s, query("/api/strip", "volume", docs, "path", "/Projects"))
		all := decoded[report.Strip](t, body)
		want := []report.Strip{
			{Point: "current", From: third, There: true, Changed: 1},
			{Point: third, From: second, There: true, New: 1, Deleted: 1},
			{Point: second, From: oldest, There: true, Changed: 1},
		}
		if !slices.Equal(all, want) {
			t.Errorf("%+v\nwant %+v", all, want)
		}
	}
	_, body := get(t, s, query("/api/strip", "volume", docs, "path", "/Photos"))
	if all := decoded[report.Strip](t, body); len(all) != 3 || all[2].Renamed != 1 || all[2].There || all[0].Error != "" || all[0].There {
		t.Errorf("of a folder that was renamed: %+v", all)
	}
}

func TestDiff(t *testing.T) {
	s := serve(t, demo(t))
	ask := func(path, old, a, b string) (d report.Diff) {
		_, body := get(t, s, query("/api/diff", "volume", docs, "a", a, "b", b, "path", path, "old", old))
		return decoded[report.Diff](t, body)[0]
	}
	if d := ask("/Letters/offer.txt", "", oldest, second); d.Kind != "text" || len(d.Hunks) != 1 || d.OldSize != 52 || d.NewSize != 67 {
		t.Errorf("text: %+v", d)
	}
	if d := ask("/Letters/offer.txt", "", second, third); d.Kind != "same" {
		t.Errorf("same: %+v", d)
	}
	if d := ask("/Letters/thanks (sent).txt", "/Letters/thanks.txt", oldest, second); d.Kind != "same" || d.OldSize != 26 {
		t.Errorf("renamed: %+v", d)
	}
	if d := ask("/Pictures/bridge.raw", "/Photos/harbour.raw", oldest, second); d.Kind != "hex" || !d.More || len(d.Rows) != 256 {
		t.Errorf("hex: %+v", d)
	}
}

func TestRaw(t *testing.T) {
	s := serve(t, demo(t))
	want := run(t, "cat", demo(t)+":p1@"+second+":/Projects/plan (also).txt")
	address := "/raw/" + docs + "/" + second + "/Projects/plan%20(also).txt"
	answer, got := get(t, s, address)
	if got != want || answer.StatusCode != http.StatusOK {
		t.Errorf("%s, %d bytes, want %d", answer.Status, len(got), len(want))
	}
	for key, want := range map[string]string{"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer", "Content-Type": "text/plain; charset=utf-8",
		"Content-Disposition": "inline; filename*=UTF-8''plan%20%28also%29.txt"} {
		if answer.Header.Get(key) != want {
			t.Errorf("%s: %q, want %q", key, answer.Header.Get(key), want)
		}
	}
	if answer, got := get(t, s, address, "Range", "bytes=1000-1009"); got != want[1000:1010] || answer.StatusCode != http.StatusPartialContent {
		t.Errorf("range: %s, %q", answer.Status, got)
	}
	if answer, _ := get(t, s, address+"?save=1"); !strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("save: %q", answer.Header.Get("Content-Disposition"))
	}
	if answer, _ := get(t, s, "/raw/"+docs+"/current/Pictures/bridge.raw"); !strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("unknown type: %q", answer.Header.Get("Content-Disposition"))
	}
}

// TestStatus asks for what cannot be had.
func TestStatus(t *testing.T) {
	s := serve(t, demo(t))
	for address, want := range map[string]int{
		"/raw/" + docs + "/current/never.txt":                                                                          http.StatusNotFound,
		"/raw/" + docs + "/current/Letters":                                                                            http.StatusMethodNotAllowed,
		"/raw/none/current/a":                                                                                          http.StatusNotFound,
		query("/api/list", "volume", "none", "point", "current", "path", "/"):                                          http.StatusNotFound,
		query("/api/list", "volume", docs, "point", "no such point", "path", "/"):                                      http.StatusNotFound,
		query("/api/stat", "volume", docs, "point", "current", "path", "/never"):                                       http.StatusNotFound,
		query("/api/diff", "volume", docs, "a", oldest, "b", "current", "path", "/READ ME TO GET YOUR FILES BACK.txt"): http.StatusNotFound,
		query("/api/find", "volume", docs, "point", "current", "path", "/", "name", "[a"):                              http.StatusBadRequest,
		"/api/zip?job=none": http.StatusNotFound,
		"/api/job?job=none": http.StatusNotFound,
		"/never.js":         http.StatusNotFound,
		"/page.go":          http.StatusNotFound,
	} {
		answer, body := get(t, s, address)
		if answer.StatusCode != want || body == "" || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %s, want %d: %s", address, answer.Status, want, body)
		}
		if strings.HasPrefix(address, "/api/") && address != "/api/zip?job=none" && !strings.HasPrefix(body, `{"err":"`) {
			t.Errorf("%s: %s", address, body)
		}
	}
}

// TestUnshown asks for orders that are none.
func TestUnshown(t *testing.T) {
	s := serve(t, demo(t))
	for _, body := range []string{"", "{}", `{"volume":"p1-Documents","format":"rar","items":[{"point":"current","path":"/"}]}`,
		`{"volume":"p1-Documents","format":"zip","items":[{"point":"current","path":"/never"}]}`} {
		answer, err := http.Post(s.URL+"/api/select", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest && answer.StatusCode != http.StatusNotFound {
			t.Errorf("%q: %s", body, answer.Status)
		}
	}
}
