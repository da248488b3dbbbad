package imagefmt_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

// TestRealEWF opens real images, the one of two segments by either of them, and compares with the same disk as raw parts.
func TestRealEWF(t *testing.T) {
	want := imagetest.Content(t, open(t, testenv.Shared(t, "data", "formats", "ext2.splitraw.000")))
	first := testenv.Shared(t, "data", "formats", "ext2.split.E01")
	second := testenv.Shared(t, "data", "formats", "ext2.split.E02")
	for _, path := range []string{first, second} {
		img := open(t, path)
		if img.Format() != "ewf" || !slices.Equal(img.Files(), []string{first, second}) {
			t.Errorf("%s of %q", img.Format(), img.Files())
		}
		if !bytes.Equal(imagetest.Content(t, img), want) {
			t.Error("other bytes than in the raw parts")
		}
		if r, err := img.Evidence().Verify(context.Background(), nil); err != nil || !r.Intact() || r.Stored.MD5 == "" {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if open(t, testenv.Shared(t, "data", "formats", "ext2.qcow2")).Evidence() != nil {
		t.Error("evidence in a qcow2 image")
	}
}

// TestEWFNames copies a real image to names of other cases, and without one of its segments.
func TestEWFNames(t *testing.T) {
	parts := make([][]byte, 2)
	for i, name := range []string{"ext2.split.E01", "ext2.split.E02"} {
		var err error
		if parts[i], err = os.ReadFile(testenv.Shared(t, "data", "formats", name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		first, second, open string
		err, warn           string
	}{
		{"a.e01", "a.e02", "a.e01", "", ""},
		{"a.E01", "a.e02", "a.E01", "", ""},
		{"A.E01", "a.e02", "a.e02", "", ""},
		{"a.E01", "", "a.E01", "", "segment 2: a.E02 is not beside a.E01"},
		{"a.E01", "b.E02", "a.E01", "", "segment 2: a.E02 is not beside a.E01"},
		{"a.dat", "", "a.dat", "", "segment 2: "},
		{"", "a.E02", "a.E02", "is segment 2 of an image, whose first has to be opened: a.E01 is not beside a.E02", ""},
		{"", "a.dat", "a.dat", "is segment 2 of an image, whose first has to be opened", ""},
	} {
		dir := t.TempDir()
		for i, name := range []string{c.first, c.second} {
			if name != "" {
				if err := os.WriteFile(filepath.Join(dir, name), parts[i], 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		var warned []string
		img, err := imagefmt.Open(filepath.Join(dir, c.open), imagefmt.Options{Warn: func(err error) { warned = append(warned, err.Error()) }})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.open, err)
			continue
		}
		defer img.Close()
		if all := strings.Join(warned, "; "); !strings.Contains(all, c.warn) || (all == "") != (c.warn == "") {
			t.Errorf("warned %q, want %q", all, c.warn)
		}
		_, err = img.ReadAt(make([]byte, 512), img.Size()-512)
		if missing := c.warn != ""; missing != errors.Is(err, layer.ErrUnknown) || missing != (err != nil) {
			t.Errorf("%s: reading the end: %v", c.open, err)
		}
	}
	if _, err := imagefmt.Open(filepath.Join(t.TempDir(), "a.E01"), imagefmt.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
