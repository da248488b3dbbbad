// Package testenv finds what tests need around them: the repository, shared data, programs of other projects.
package testenv

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer"
)

// Shared returns the path of a file below the shared data folder: SNAPMOUNT_SHARED, else "shared" beside the
// repository. It skips the test, loudly, when that is not there: the data is not the repository's own.
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	dir := os.Getenv("SNAPMOUNT_SHARED")
	if dir == "" {
		dir = filepath.Join(filepath.Dir(Root(t)), "shared")
	}
	path := filepath.Join(append([]string{dir}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: real data is missing: %v (set SNAPMOUNT_SHARED)", err)
	}
	return path
}

// Root returns the folder of go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// Peer returns the path of another tool's program, or skips the test, loudly.
func Peer(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: the peer %s is not installed", name)
	}
	return path
}

// NotUnderRace skips a test that takes minutes with the race detector, loudly. Runs without it take it.
func NotUnderRace(t testing.TB) {
	t.Helper()
	if Race {
		t.Skip("SKIPPED: takes minutes under the race detector")
	}
}

// Run runs a program and returns its standard output; a failure ends the test with what it printed.
func Run(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd, err, out, stderr.Bytes())
	}
	return out
}

// Gunzip unpacks a .gz file into a sparse file of the test's own temporary folder and returns its path.
func Gunzip(t testing.TB, path string) string {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "image.raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := copySparse(out, z); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}

// copySparse copies r, leaving blocks of zeros as holes.
func copySparse(out *os.File, r io.Reader) error {
	buf, zero := make([]byte, 64<<10), make([]byte, 64<<10)
	var size int64
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 && !bytes.Equal(buf[:n], zero[:n]) {
			if _, err := out.WriteAt(buf[:n], size); err != nil {
				return err
			}
		}
		size += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return out.Truncate(size)
		}
		if err != nil {
			return err
		}
	}
}

// Open opens a file as a Source until the end of the test.
func Open(t testing.TB, path string) layer.Source {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return io.NewSectionReader(f, 0, info.Size())
}
