package restore_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs/restore"
)

// countingWriter counts what is written after a moment.
type countingWriter struct{ all, after, end int64 }

func (w *countingWriter) Write(p []byte) (int, error) {
	w.all += int64(len(p))
	w.after += w.end * int64(len(p))
	return len(p), nil
}

// TestArchiveEnds ends an archive in the midst of a large file: nothing is written any more, no rest of it made up.
func TestArchiveEnds(t *testing.T) {
	s, err := points.Open(t.Context(), []string{filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for format, name := range map[restore.Format]string{restore.Tar: "tar", restore.Zip: "zip"} {
		n, err := s.Volumes[0].Oldest().Walk("$LogFile", false)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		out, cause := &countingWriter{}, errors.New("enough")
		opts := restore.Options{Jobs: 1, Progress: func(what string, done, _ int64) {
			if what == restore.ProgressBytes && done >= 1<<20 {
				out.end = 1
				cancel(cause)
			}
		}}
		err = restore.Archive(ctx, out, format, all(restore.Source{Node: n, Name: "log"}), opts)
		if !errors.Is(err, cause) || out.after > 0 {
			t.Errorf("%s: %v; %d bytes, %d of them after the end", name, err, out.all, out.after)
		}
	}
}
