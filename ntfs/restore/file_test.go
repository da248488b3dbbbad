package restore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/ntfstest"
)

// names lists a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

// TestCreateRemovesLeft leaves parts as a killed run does: the next one to the same file removes them, and nothing that is
// in use, of another file, or not its own.
func TestCreateRemovesLeft(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.tar.AAAAAAAAAAAAAAA2.part", "a.tar.AAAAAAAAAAAAAA2.part", "a.tar.aaaaaaaaaaaaaaaa.part", "b.tar.AAAAAAAAAAAAAAAA.part", "a.tar.part"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.tar.part", filepath.Join(dir, "a.tar.BBBBBBBBBBBBBBBB.part")); err != nil {
		t.Skipf("SKIPPED: no links: %v", err)
	}
	first, err := Create(filepath.Join(dir, "a.tar"), false)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Create(filepath.Join(dir, "a.tar"), false)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !strings.Contains(got, first.part) || !strings.Contains(got, second.part) {
		t.Error(got)
	}
	if err := errors.Join(first.Commit(), second.Abort()); err != nil {
		t.Error(err)
	}
	want := "a.tar a.tar.AAAAAAAAAAAAAA2.part a.tar.BBBBBBBBBBBBBBBB.part a.tar.aaaaaaaaaaaaaaaa.part a.tar.part b.tar.AAAAAAAAAAAAAAAA.part"
	if got := names(t, dir); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	long := strings.Repeat("n", 255)
	f, err := Create(filepath.Join(dir, long), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Error(err)
	}
}

// TestArchiveCancelled ends an archive in its midst: nothing is left of it, nor of its lines.
func TestArchiveCancelled(t *testing.T) {
	top, err := ntfsRoot(testenv.Open(t, ntfstest.Feat512.Build(t)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, format := range []Format{Tar, Zip} {
		f, err := Create(filepath.Join(dir, "archive"), false)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		why, done := errors.New("enough"), 0
		err = Archive(ctx, f, format, one(Source{Node: top}), Options{Done: func(Result) {
			if done++; done == 100 {
				cancel(why)
			}
		}})
		if !errors.Is(err, why) || done > 101 {
			t.Errorf("%v after %d", err, done)
		}
		if err := f.Abort(); err != nil {
			t.Error(err)
		}
		if got := names(t, dir); got != "" {
			t.Errorf("left: %s", got)
		}
	}
}
