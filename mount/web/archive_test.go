package web_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/receipt"
	"snapmount/mount/report"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// order asks for a download, and gives what came.
func order(t *testing.T, s *httptest.Server, body string) (archive []byte, d report.Download) {
	t.Helper()
	answer, err := http.Post(s.URL+"/api/select", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var job struct{ Job, Err string }
	if err := json.NewDecoder(answer.Body).Decode(&job); err != nil || job.Job == "" {
		t.Fatalf("%v: %s %s", err, answer.Status, job.Err)
	}
	_, text := get(t, s, "/api/zip?job="+job.Job)
	_, state := get(t, s, "/api/job?job="+job.Job)
	if again, _ := get(t, s, "/api/zip?job="+job.Job); again.StatusCode == http.StatusOK {
		t.Error("a download began twice")
	}
	return []byte(text), decoded[report.Download](t, state)[0]
}

// TestZip holds what is in an archive against what the demo image is known to hold.
func TestZip(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth map[string]map[string]map[string]string
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	s := serve(t, demo(t))
	b, d := order(t, s, `{"volume":"`+docs+`","format":"zip","items":[{"point":"`+oldest+`","path":"/Letters"},{"point":"`+second+`","path":"/Projects/budget.csv"}]}`)
	if !d.Done || d.Failed != 0 || d.Error != "" || d.Files < 4 {
		t.Errorf("%+v", d)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Error(f.Name, err)
		}
		got[f.Name] = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	for name, want := range map[string]string{"Letters/offer.txt": truth["Documents"]["vss1"]["Letters/offer.txt"],
		"Letters/thanks.txt": truth["Documents"]["vss1"]["Letters/thanks.txt"], "budget.csv": truth["Documents"]["vss2"]["Projects/budget.csv"]} {
		if got[name] != want || want == "" {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
	if got[".snapmount-meta.jsonl"] == "" {
		t.Errorf("no sidecar among %v", got)
	}
}

// TestProof unpacks archives, whose receipt and metadata the commands understand.
func TestProof(t *testing.T) {
	dirs, spool := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", spool)
	s := serve(t, demo(t))
	for _, format := range []string{"zip", "tar"} {
		b, d := order(t, s, `{"volume":"`+docs+`","format":"`+format+`","items":[{"point":"`+oldest+`","path":"/"}]}`)
		dir := filepath.Join(dirs, format)
		unpack(t, format, b, dir)
		written := filepath.Join(dir, restore.ReceiptName)
		text, err := os.ReadFile(written)
		if err != nil {
			t.Fatal(err)
		}
		var r receipt.Receipt
		if err := json.Unmarshal(text, &r); err != nil || r.To != format || r.Tool != "snapmount test" || !r.Complete || r.Files+r.Dirs+r.Links != d.Files || r.Failed != 0 ||
			!slices.Equal(r.Locations, []string{demo(t) + ":" + docs + "@" + oldest + ":/"}) {
			t.Errorf("%s: %v: the receipt says %+v %+v, the page %+v", format, err, r.Head, r.End, d)
		}
		files := 0
		for _, x := range r.Items {
			if x.Type == "file" && x.SHA256 != "" {
				files++
			}
		}
		if files != int(r.Files) || files == 0 {
			t.Errorf("%s: %d hashes of %d files", format, files, r.Files)
		}
		if said := run(t, "verify", written, dir); !strings.Contains(said, "as in the receipt are the contents of 7 files, 2 links and 3 directories") {
			t.Errorf("%s: %s", format, said)
		}
	}
	if left, err := os.ReadDir(spool); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// unpack unpacks an archive.
func unpack(t *testing.T, format string, b []byte, dir string) {
	t.Helper()
	put := func(name string, is fs.FileMode, r io.Reader) {
		at := filepath.Join(dir, filepath.FromSlash(name))
		content, err := io.ReadAll(r)
		switch {
		case err != nil:
		case is.IsDir():
			err = os.MkdirAll(at, 0o700)
		case is.IsRegular():
			err = errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, content, 0o600))
		case is&fs.ModeSymlink != 0:
			err = os.Symlink(string(content), at)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if format == "tar" {
		for z := tar.NewReader(bytes.NewReader(b)); ; {
			h, err := z.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.Typeflag == tar.TypeLink {
				if err := os.Link(filepath.Join(dir, h.Linkname), filepath.Join(dir, h.Name)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			in := io.Reader(z)
			if h.Typeflag == tar.TypeSymlink {
				in = strings.NewReader(h.Linkname)
			}
			put(h.Name, h.FileInfo().Mode(), in)
		}
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		put(f.Name, f.Mode(), r)
		r.Close()
	}
}

// TestCut has an archive end in the midst of a file, of which the image lacks something that no table tells: what came must
// not pass for all.
func TestCut(t *testing.T) {
	image := filepath.Join(t.TempDir(), "cut.img")
	b, err := os.ReadFile(ntfstest.Feat512.Build(t))
	if err := errors.Join(err, os.WriteFile(image, b, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := serve(t, image)
	volume, end := lastData(t, image, "/sparse/mid.bin")
	if err := os.Truncate(image, end-1<<20); err != nil { // now it is too late for the tables to tell
		t.Fatal(err)
	}
	for _, format := range []string{"zip", "tar"} {
		answer, err := http.Post(s.URL+"/api/select", "application/json", strings.NewReader(`{"volume":"`+volume+`","format":"`+format+`","items":[{"point":"current","path":"/sparse/mid.bin"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		var job struct{ Job, Err string }
		err = json.NewDecoder(answer.Body).Decode(&job)
		answer.Body.Close()
		if err != nil || job.Job == "" {
			t.Fatal(err, job.Err)
		}
		if answer, err = http.Get(s.URL + "/api/zip?job=" + job.Job); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err == nil || n == 0 {
			t.Errorf("%s: %d bytes, and the answer passes for whole", format, n)
		}
		_, state := get(t, s, "/api/job?job="+job.Job)
		if d := decoded[report.Download](t, state)[0]; !d.Done || d.Error == "" {
			t.Errorf("%s: the page is told %+v", format, d)
		}
	}
}

// lastData gives the name of the only volume of an image, and where the last data of a file in it ends.
func lastData(t *testing.T, image, path string) (volume string, end int64) {
	t.Helper()
	s, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, stream, err := s.Volumes[0].Current().Lookup(path, true)
	if err != nil {
		t.Fatal(err)
	}
	m, err := n.Stream(stream)
	if err != nil {
		t.Fatal(err)
	}
	for e := range layer.Resolve(m, 0, m.Size()) {
		if e.Kind == layer.Data {
			end = max(end, e.BaseOff+e.Len)
		}
	}
	return s.Volumes[0].Name, end
}
