package cmd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/layer"
)

// rawDemo writes the demo as a raw image.
func rawDemo(t *testing.T) (name string, content []byte) {
	t.Helper()
	img, err := imagefmt.Open(demo(t), imagefmt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	content = make([]byte, img.Size())
	if err := layer.ReadFull(img, content, 0); err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, content
}

// TestExportUnknown has ranges that were not read when the image was made: in another volume, and in the diff area. They
// are an error, or zeros that are told, and never silent zeros.
func TestExportUnknown(t *testing.T) {
	image, content := rawDemo(t)
	const bad, n = 40 << 20, 8192 // in the second volume
	rescue := fmt.Sprintf("0x0 ? 1\n0x0 0x%x +\n0x%x 0x%x -\n0x%x 0x%x +\n", bad, bad, n, bad+n, len(content)-bad-n)
	if err := os.WriteFile(image+".map", []byte(rescue), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ending := range []string{"raw", "qcow2", "vhd"} {
		out := filepath.Join(t.TempDir(), "out."+ending)
		code, _, errs := run("export", "--full", "--map", image+".map", image+":p1@current", out)
		if _, err := os.Stat(out); code == 0 || err == nil || !strings.Contains(errs, "not read when the image was made") {
			t.Errorf("%s: exit code %d, %v\n%s", ending, code, err, errs)
		}
		code, _, errs = run("export", "--full", "--partial", "--map", image+".map", image+":p1@current", out)
		if code != exitPartial || !regexp.MustCompile(`0x2000 bytes at 0x2800000 of the disk: .*not read when the image was made`).MatchString(errs) {
			t.Errorf("%s, --partial: exit code %d\n%s", ending, code, errs)
		}
		got, err := imagefmt.Open(out, imagefmt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, len(content))
		if err := layer.ReadFull(got, b, 0); err != nil {
			t.Fatal(err)
		}
		got.Close()
		want := bytes.Clone(content)
		clear(want[bad:][:n])
		if !bytes.Equal(b, want) {
			t.Errorf("%s, --partial: other bytes", ending)
		}
	}
}
