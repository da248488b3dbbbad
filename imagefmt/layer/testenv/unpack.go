package testenv

import (
	"archive/zip"
	"compress/bzip2"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Unpack puts what is in a packed file into a folder, sparse, under the names that it has there: an archive's members, or
// the file without its last ending. What is not packed is linked.
func Unpack(t testing.TB, path, dir string) {
	t.Helper()
	base := filepath.Base(path)
	ending := filepath.Ext(base)
	if stem := strings.TrimSuffix(base, ending); strings.HasSuffix(stem, ".tar") || ending == ".tar" {
		Run(t, Peer(t, "tar"), "-xSf", path, "-C", dir)
		return
	}
	out := filepath.Join(dir, strings.TrimSuffix(base, ending))
	switch ending {
	case ".gz", ".bz2":
		in, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		r := bzip2.NewReader(in)
		if ending == ".gz" {
			if r, err = gzip.NewReader(in); err != nil {
				t.Fatal(err)
			}
		}
		writeSparse(t, out, r)
	case ".xz", ".zst":
		program := map[string]string{".xz": "xz", ".zst": "zstd"}[ending]
		cmd := exec.Command(Peer(t, program), "-dc", path)
		r, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		writeSparse(t, out, r)
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	case ".zip":
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			writeSparse(t, filepath.Join(dir, filepath.Base(f.Name)), r)
			r.Close()
		}
	default:
		if err := os.Symlink(path, filepath.Join(dir, base)); err != nil {
			t.Fatal(err)
		}
	}
}

func writeSparse(t testing.TB, path string, r io.Reader) {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := copySparse(out, r); err != nil {
		t.Fatal(err)
	}
}
