package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImageAsOutput names the image where a file to write is wanted: each time that is refused, and the image stays.
func TestImageAsOutput(t *testing.T) {
	dir := t.TempDir()
	image, link := filepath.Join(dir, "disk.qcow2"), filepath.Join(dir, "link")
	want, err := os.ReadFile(demo(t))
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, make([]byte, 5<<20)...) // as large as a log that is put aside
	if err := os.WriteFile(image, want, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(image, link); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "text.vmdk") // an image that is text
	if err := os.WriteFile(text, []byte("# Disk DescriptorFile\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mnt := filepath.Join(dir, "mnt")
	for _, args := range [][]string{
		{"timeline", image, "--format", "csv", "-o", image}, {"timeline", image, "--format", "csv", "-o", link},
		{"restore", "--overwrite", "always", "--receipt", link, image, filepath.Join(dir, "out")},
		{"restore", "--overwrite", "always", "--to", "zip", image, link}, {"restore", "--overwrite", "always", image, image},
		{"mount", "--log", image, image, mnt}, {"mount", "--log", link, image, mnt},
		{"mount", "--log", image, text, mnt}, {"mount", "--log", text, text, mnt},
	} {
		if code, _, stderr := run(args...); code != exitUsage || !strings.Contains(stderr, "of the image") && !strings.Contains(stderr, "no text") {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
	}
	for _, name := range []string{image, link} {
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d as before, %v", name, len(got), len(want), err)
		}
	}
	if b, err := os.ReadFile(text); string(b) != "# Disk DescriptorFile\n" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := os.Stat(image + ".old"); err == nil {
		t.Error("the image was put aside")
	}
}
