package campaign

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// seeds are all that can be had here; what cannot is told.
func seeds(t *testing.T) []*seed {
	shared := func(elem ...string) func(*testing.T, string) string {
		return func(sub *testing.T, _ string) string {
			return testenv.Shared(sub, append([]string{"data"}, elem...)...)
		}
	}
	out := []*seed{seedOf(t, "demo", filepath.Join(testenv.Root(t), "testdata", "demo.qcow2"))}
	add := func(name string, image func(sub *testing.T, dir string) string) {
		path, dir := "", t.TempDir()
		t.Run(name, func(sub *testing.T) { path = image(sub, dir) })
		if path != "" {
			out = append(out, seedOf(t, name, path))
		}
	}
	add("mixed", mixedImage)
	add("windows", shared("windows_volume.qcow2"))
	add("ctf", shared("peers", "ctf_file6.E01"))
	add("alpha", func(sub *testing.T, dir string) string {
		return unpacked(sub, testenv.Shared(sub, "data", "peers", "alpha-ntfs.img.gz"), dir)
	})
	if os.Getenv("SNAPMOUNT_LONG") != "" || os.Getenv("SNAPMOUNT_CAMPAIGN") != "" {
		add("vsstest", shared("vsstest.qcow2"))
	}
	return out
}

func unpacked(t *testing.T, name, dir string) string {
	in, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "unpacked.raw")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, z); err != nil {
		t.Fatal(err)
	}
	return out
}
