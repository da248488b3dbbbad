package imagefmt_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer/testenv"
)

// TestRealFiles holds the SHA-256 of every disk among the real images against what qemu-img 7.2, libewf 20140813 and
// libvhdi 20210425 read.
func TestRealFiles(t *testing.T) {
	const ext2 = "a6c2f0e39afe6c6ab432ca5465349fcefe8dc944398e97b2d957d3f89dbb5d80"
	const fat = "c6db12a7db548e193c29420c1b4533e4708b20c5033db5cc29ef075d48316d25"
	sums := map[string]string{
		"ext2.E01": ext2, "ext2.qcow2": ext2, "ext2.split.E01": ext2, "ext2.split.E02": ext2, "ext2.splitraw.000": ext2, "ext2.vmdk": ext2,
		"ext2.splitraw.001": "", // read alone
		"image.vhd":         fat, "image-differential.vhd": fat,
	}
	dir := testenv.Shared(t, "data", "formats")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		want, known := sums[e.Name()]
		if !known {
			t.Errorf("%s: not in the table", e.Name())
			continue
		}
		got := fmt.Sprintf("%x", sha256.Sum256(imagetest.Content(t, open(t, filepath.Join(dir, e.Name())))))
		if want != "" && got != want {
			t.Errorf("%s: %s, want %s", e.Name(), got, want)
		}
	}
	if len(entries) < len(sums) {
		t.Errorf("%d files, want %d", len(entries), len(sums))
	}
}
