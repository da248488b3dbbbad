package points_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/when"
	"snapmount/ntfs"
)

func demo(t *testing.T) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") }

func open(t *testing.T, paths ...string) *points.Set {
	t.Helper()
	s, err := points.Open(t.Context(), paths, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// manifest is what the demo's volumes held at each point when they were written: label, point, path, sha256.
func manifest(t *testing.T) map[string]map[string]map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]map[string]map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// contents hashes all files of a point but metafiles; links are "link".
func contents(t *testing.T, p *points.Point) map[string]string {
	t.Helper()
	nt, err := p.Files()
	if err != nil {
		t.Fatal(err)
	}
	root, err := nt.Root()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var walk func(n *ntfs.Node, path string)
	walk = func(n *ntfs.Node, path string) {
		entries, err := n.Children()
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, e := range entries {
			c, err := e.Node()
			switch {
			case err != nil:
				t.Errorf("%s%s: %v", path, e.Name, err)
			case e.Metafile():
			case c.Kind == ntfs.KindDir:
				walk(c, path+e.Name+"/")
			case c.Kind == ntfs.KindSymlink:
				out[path+e.Name] = "link"
			default:
				out[path+e.Name] = sum(t, c)
			}
		}
	}
	walk(root, "")
	return out
}

// sum returns the hash of the main stream, or "unknown".
func sum(t *testing.T, n *ntfs.Node) string {
	t.Helper()
	_, hash, err := hashStream(n, "")
	if errors.Is(err, layer.ErrUnknown) {
		return "unknown"
	}
	if err != nil {
		t.Error(err)
	}
	return hash
}

func streamSum(t *testing.T, n *ntfs.Node, stream string) (size int64, hash string) {
	t.Helper()
	size, hash, err := hashStream(n, stream)
	if err != nil {
		t.Error(err)
	}
	return size, hash
}

func hashStream(n *ntfs.Node, stream string) (size int64, hash string, err error) {
	s, err := n.Stream(stream)
	if err != nil {
		return 0, "", err
	}
	h := sha256.New()
	size, err = io.Copy(h, io.NewSectionReader(s, 0, s.Size()))
	return size, fmt.Sprintf("%x", h.Sum(nil)), err
}

func TestDemoHoldsWhatWasWritten(t *testing.T) {
	s := open(t, demo(t))
	want := manifest(t)
	checked := 0
	for _, v := range s.Volumes {
		for _, p := range v.Points {
			name := "current"
			if p.Snapshot != nil {
				name = fmt.Sprintf("vss%d", p.Snapshot.Index)
				own, through := p.Snapshot.Check()
				if own != nil || through != nil {
					t.Errorf("%s@%s: %v, %v", v.Name, name, own, through)
				}
			}
			got, files := contents(t, p), want[v.Label][name]
			if len(got) != len(files) || len(files) == 0 {
				t.Errorf("%s@%s: %d files, want %d", v.Name, name, len(got), len(files))
			}
			for path, hash := range files {
				checked++
				if got[path] != hash {
					t.Errorf("%s@%s: %s: sha256 %s, want %s", v.Name, name, path, got[path], hash)
				}
			}
		}
	}
	if checked < 40 {
		t.Errorf("only %d files compared", checked)
	}
	if w := s.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %q", w)
	}
}

func TestPointNamed(t *testing.T) {
	v := open(t, demo(t)).Volumes[0]
	for name, want := range map[string]string{
		"current": "current", "latest": "2026-03-04T180000Z", "oldest": "2026-03-02T180000Z", "vss2": "2026-03-03T180000Z",
		"2026-03-03": "2026-03-03T180000Z", "2026-03-03T18:00Z": "2026-03-03T180000Z", "2026-03-03T18:00:00Z": "2026-03-03T180000Z",
		"2026-03-03T180000Z": "2026-03-03T180000Z", "before:2026-03-04": "2026-03-03T180000Z", "before:2026-03-04T18:00Z": "2026-03-03T180000Z",
		v.Snapshots()[1].Snapshot.CopyID.String(): "2026-03-03T180000Z", "{" + v.Snapshots()[1].Snapshot.StoreID.String() + "}": "2026-03-03T180000Z",
		"5e700003": "2026-03-03T180000Z", "5E700003": "2026-03-03T180000Z", "VSS2": "2026-03-03T180000Z", "2": "2026-03-03T180000Z", "Newest": "2026-03-04T180000Z",
		"2026-03": "2026-03-04T180000Z", "20260303": "2026-03-03T180000Z", "3 mar 2026": "2026-03-03T180000Z", "1h": "2026-03-04T180000Z", "now": "current",
		"2026-03-03t180000z": "2026-03-03T180000Z", "BEFORE:2026-03-04": "2026-03-03T180000Z",
	} {
		p, err := v.PointNamed(name)
		if err != nil || p.Name != want {
			t.Errorf("%s: %+v, %v, want %s", name, p, err, want)
		}
	}
	for _, name := range []string{"vss4", "vss0", "2026-03-05", "before:2026-03-02", "ffffffff", "20260305", "yesterday", "0", "4", "2025", "000000c0"} {
		if p, err := v.PointNamed(name); err == nil {
			t.Errorf("%s names %s", name, p.Name)
		} else if name != "000000c0" && !errors.Is(err, points.ErrNoPoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"soon", "", "03/04/2026", "2026-02-30", "before:", "before:vss2", "vss", "5e7"} {
		if _, err := v.PointNamed(name); !errors.As(err, new(*when.Error)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestResolve(t *testing.T) {
	s := open(t, demo(t))
	for rest, want := range map[string]string{
		":p1": "p1-Documents current  false", ":p1-Documents@vss1": "p1-Documents 2026-03-02T180000Z  false",
		":archive@latest:/2025/ledger.txt": "p2-Archive 2026-03-04T180000Z /2025/ledger.txt true",
		":p2:2024":                         "p2-Archive current 2024 true",
		":p1@2026-03-03T18:00Z:/a:b":       "p1-Documents 2026-03-03T180000Z /a:b true",
		":/Letters":                        "p1-Documents current /Letters true",
		":Letters/offer.txt":               "p1-Documents current Letters/offer.txt true",
		"@latest:/2025":                    "p2-Archive 2026-03-04T180000Z /2025 true",
		"@2026-03-03":                      "p1-Documents 2026-03-03T180000Z  false",
		":1:/Letters":                      "p1-Documents current /Letters true",
		`:C:\Letters`:                      `p1-Documents current \Letters true`,
		":d@vss1:/2024/ledger.txt":         "p2-Archive 2026-03-02T180000Z /2024/ledger.txt true",
		":p1@2026-03-03 18:00:00:/18:00":   "p1-Documents 2026-03-03T180000Z /18:00 true",
		":p1@2026/03/03:x":                 "p1-Documents 2026-03-03T180000Z x true",
		":p1@3 Mar 2026 7pm +01:00:/x":     "p1-Documents 2026-03-03T180000Z /x true",
		":p1@1:x":                          "p1-Documents 2026-03-02T180000Z x true",
	} {
		got, err := s.Resolve(s.Images[0], rest)
		if err != nil {
			t.Errorf("%s: %v", rest, err)
			continue
		}
		if text := fmt.Sprintf("%s %s %s %v", got.Volume.Name, got.Point.Name, got.Path, got.HasPath); text != want {
			t.Errorf("%s: %s, want %s", rest, text, want)
		}
	}
	if got, err := s.Resolve(s.Images[0], ""); err != nil || !got.NamesDisk() || got.Volume != nil {
		t.Errorf("the image alone: %+v, %v", got, err)
	}
	for _, rest := range []string{":", ":/", "@vss1:/System Volume Information", ":3", ":C:/x", ":/2024", "@latest", "@latest:/x", ":p1@yesterday", ":p1@vss9"} {
		if got, err := s.Resolve(s.Images[0], rest); err == nil {
			t.Errorf("%s gives %+v", rest, got)
		}
	}
}

func TestLookup(t *testing.T) {
	s := open(t, demo(t))
	p := s.Volumes[0].Snapshots()[0]
	for path, want := range map[string]string{
		"/Letters/offer.txt": "", "letters/OFFER.TXT": "", `\Letters\offer.txt`: "", "Letters/offer.txt:author": "author", "/Letters/offer.txt:AUTHOR": "author",
	} {
		n, stream, err := p.Lookup(path, false)
		if err != nil || stream != want || n.Size != 52 {
			t.Errorf("%s: %v, %q, %v", path, n, stream, err)
		}
	}
	for _, path := range []string{"/Letters/none.txt", "/Letters/offer.txt:none", "/None/offer.txt:author"} {
		if _, _, err := p.Lookup(path, false); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestLinkTargetsStayInside(t *testing.T) {
	s := open(t, demo(t))
	p := s.Volumes[0].Snapshots()[0]
	for path, want := range map[string]string{"My Letters": "Letters", "Projects/latest offer.txt": "../Letters/offer.txt"} {
		n, _, err := p.Lookup(path, false)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.LinkTarget(n); err != nil || got != want {
			t.Errorf("%s -> %q, %v, want %q", path, got, err, want)
		}
	}
}

// split writes the demo's volumes as two bare images.
func split(t *testing.T) (docs, arch string) {
	s := open(t, demo(t))
	dir := t.TempDir()
	var out []string
	for _, v := range s.Volumes {
		b := make([]byte, v.Block.Size())
		if err := layer.ReadFull(v.Block, b, 0); err != nil {
			t.Fatal(err)
		}
		out = append(out, filepath.Join(dir, v.Label+".raw"))
		if err := os.WriteFile(out[len(out)-1], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out[0], out[1]
}

func TestDiffAreaInAnotherImage(t *testing.T) {
	docs, arch := split(t)
	both := open(t, arch, docs)
	if got, want := contents(t, both.Volumes[0].Latest()), manifest(t)["Archive"]["vss2"]; len(got) != len(want) || got["2025/ledger.txt"] != want["2025/ledger.txt"] {
		t.Errorf("with both images: %v, want %v", got, want)
	}
	if name := both.Volumes[0].Name; name != "d1p0-Archive" {
		t.Errorf("volume is called %s", name)
	}

	alone := open(t, arch)
	p := alone.Volumes[0].Latest()
	if p == nil || p.Snapshot.Damage == nil || !strings.Contains(p.Snapshot.Damage.Error(), "d0c00000-2026-11e3-9d6c-005056c00008") {
		t.Fatalf("without the diff area: %+v", p)
	}
	n, err := p.Files()
	if err == nil {
		_, err = n.Lookup("2025/ledger.txt")
	}
	if err == nil {
		t.Error("a snapshot without its diff area shows files as if they were known")
	}
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]string{"empty": write("empty", nil), "directory": dir, "missing": filepath.Join(dir, "none")} {
		if s, err := points.Open(t.Context(), []string{path}, points.Options{}); err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
		} else if strings.Count(err.Error(), path) != 1 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := open(t, write("text", []byte(strings.Repeat("no disk\n", 9000))))
	if _, err := s.NTFS(); !errors.Is(err, points.ErrNoNTFS) || len(s.Warnings()) == 0 {
		t.Errorf("text file: %v, warnings %q", err, s.Warnings())
	}
}

// TestCutImage opens the demo cut short: what lies before the cut is still there.
func TestCutImage(t *testing.T) {
	docs, _ := split(t)
	if err := os.Truncate(docs, 30<<20); err != nil {
		t.Fatal(err)
	}
	s := open(t, docs)
	got := contents(t, s.Volumes[0].Snapshots()[0])
	want := manifest(t)["Documents"]["vss1"]
	for path, hash := range want {
		if got[path] != hash {
			t.Errorf("%s: %s, want %s", path, got[path], hash)
		}
	}
}
