package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// item is a file of an archive: its name there, where it is, and its mode.
type item struct {
	name, path string
	mode       fs.FileMode
}

// below lists the files below a directory whose names, with slashes, are wanted.
func below(dir string, want func(string) bool) (all []item, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if name = filepath.ToSlash(name); err == nil && want(name) {
			all = append(all, item{name, path, 0o644})
		}
		return err
	})
	return all, err
}

// writeArchive writes items below a directory top, in the order of their names and with one time: a zip by its
// extension, else a tar packed by gzip. Owners are 0, without names.
func writeArchive(path, top string, items []item, at time.Time) error {
	items = slices.SortedFunc(slices.Values(items), func(a, b item) int { return cmp.Compare(a.name, b.name) })
	var out bytes.Buffer
	var err error
	if strings.HasSuffix(path, ".zip") {
		err = writeZip(&out, top, items, at)
	} else {
		err = writeTar(&out, top, items, at)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func writeTar(out *bytes.Buffer, top string, items []item, at time.Time) error {
	pack, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(pack)
	for _, i := range items {
		content, err := os.ReadFile(i.path)
		if err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: top + "/" + i.name, Size: int64(len(content)), Mode: int64(i.mode), ModTime: at, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(content); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return pack.Close()
}

func writeZip(out *bytes.Buffer, top string, items []item, at time.Time) error {
	z := zip.NewWriter(out)
	for _, i := range items {
		content, err := os.ReadFile(i.path)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: top + "/" + i.name, Method: zip.Deflate, Modified: at}
		h.SetMode(i.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	return z.Close()
}

// gzipped packs a page or a log as packages have them.
func gzipped(content []byte) ([]byte, error) {
	var out bytes.Buffer
	pack, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := pack.Write(content); err != nil {
		return nil, err
	}
	err = pack.Close()
	return out.Bytes(), err
}

// sums writes SHA256SUMS of all files that stand beside it.
func (r *release) sums() error {
	all, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var lines strings.Builder
	for _, e := range all {
		if e.IsDir() {
			continue
		}
		sum, err := sha256Of(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%s  %s\n", sum, e.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(lines.String()), 0o644)
}

func sha256Of(path string) (string, error) {
	content, err := os.ReadFile(path)
	return fmt.Sprintf("%x", sha256.Sum256(content)), err
}
