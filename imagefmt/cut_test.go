package imagefmt_test

import (
	"bytes"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
)

// TestCut shows a part of a disk only.
func TestCut(t *testing.T) {
	disk := make([]byte, 10_000)
	for i := range disk {
		disk[i] = byte(i / 37)
	}
	path := filepath.Join(folder(t, map[string][]byte{"disk.raw": disk}), "disk.raw")
	for _, c := range []struct {
		off, size int64
		want      []byte // nil is an error
	}{
		{0, 0, disk}, {1, 0, disk[1:]}, {0, 1, disk[:1]}, {777, 512, disk[777:][:512]}, {9_999, 1, disk[9_999:]}, {0, 10_000, disk},
		{10_000, 0, nil}, {9_999, 2, nil}, {0, 10_001, nil}, {-1, 0, nil}, {0, -1, nil}, {math.MaxInt64, math.MaxInt64, nil},
	} {
		img, err := imagefmt.Open(path, imagefmt.Options{Offset: c.off, Size: c.size})
		if c.want == nil {
			if !errors.Is(err, layer.ErrFormat) {
				t.Errorf("%d at %d: error %v", c.size, c.off, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, img, c.want)
		got := make([]byte, len(c.want))
		if err := layer.ReadFull(img, got, 0); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%d at %d: other bytes, %v", c.size, c.off, err)
		}
		img.Close()
	}
}
