package timeline_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/timeline"
)

// FuzzVersions changes bytes of the file records of a small volume, differently at two points. Each edit is 7 bytes: the
// point, a record, an offset in it, a length and a value.
func FuzzVersions(f *testing.F) {
	image := filepath.Join(f.TempDir(), "small")
	if err := os.WriteFile(image, make([]byte, 2*mib), 0o600); err != nil {
		f.Fatal(err)
	}
	testenv.Run(f, testenv.Peer(f, "mkntfs"), "-F", "-Q", "-q", "-c", "4096", "-s", "512", "-p", "0", "-H", "255", "-S", "63", image)
	base, err := os.ReadFile(image)
	if err != nil {
		f.Fatal(err)
	}
	mft := bytes.Index(base, []byte("FILE0")) // $MFT is before $MFTMirr here
	f.Add([]byte{1, 5, 0, 22, 1, 3, 0, 1, 3, 0, 0, 4, 0xff, 0})
	f.Add([]byte{0, 24, 0, 32, 6, 5, 0, 0, 24, 0, 24, 1, 9, 0})
	f.Add([]byte{0, 11, 1, 0, 8, 11, 0, 1, 24, 0, 80, 40, 1, 2})
	f.Fuzz(func(t *testing.T, edits []byte) {
		if len(edits) > 7*64 {
			return
		}
		images := [3][]byte{bytes.Clone(base), bytes.Clone(base), base}
		for ; len(edits) >= 7; edits = edits[7:] {
			at := mft + int(edits[1]%64)*1024 + int(binary.BigEndian.Uint16(edits[2:])%1024)
			for i := range int(edits[4] % 16) {
				images[edits[0]%2][at+i] = edits[5] + byte(i)*edits[6]
			}
		}
		start := time.Now()
		var points []*ntfs.Tree
		for _, b := range images {
			tree, err := ntfs.Open(bytes.NewReader(b), ntfs.Options{})
			if err != nil {
				tree = nil
			}
			points = append(points, tree)
		}
		check(t, points)
		if took := time.Since(start); took > 30*time.Second {
			t.Fatalf("took %v", took)
		}
	})
}

// check holds what must be of any volume: order, intervals within the points, paths that cover them.
func check(t *testing.T, points []*ntfs.Tree) {
	d := timeline.ReadDirs(t.Context(), points, nil)
	record, last := uint64(0), -1
	for v, err := range timeline.Versions(t.Context(), points, timeline.Options{}) {
		if v.First < 0 || v.First > v.Last || v.Last >= len(points) {
			t.Fatalf("from %d to %d, %v", v.First, v.Last, err)
		}
		if err != nil {
			continue
		}
		r := v.Node.Ref.Record
		if r < record || r == record && v.First <= last {
			t.Fatalf("record %d from %d after %d to %d", r, v.First, record, last)
		}
		record, last = r, v.Last
		for _, n := range v.Names {
			at := v.First
			for _, s := range d.Paths(n, v.First, v.Last) {
				if s.First != at || s.Last < at {
					t.Fatalf("%+v, want one from %d", s, at)
				}
				at = s.Last + 1
			}
			if at != v.Last+1 {
				t.Fatalf("paths to %d, want %d", at-1, v.Last)
			}
		}
	}
}
