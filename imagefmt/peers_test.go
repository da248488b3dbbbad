package imagefmt_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

// expected is what other programs say of an image of another project.
type expected struct {
	Open   string
	Pack   string
	Size   int64
	SHA256 string // of the disk
	NZ64k  string // of what is not zero, see sumOf
	RC     []int  // exit codes, one of which refuses the image
	Before int64  `json:"raw_bytes_before_footer"`
}

// TestPeersImages opens the test images of other projects, and compares their disks with what their owners and others read.
func TestPeersImages(t *testing.T) {
	dir := testenv.Shared(t, "data", "peers")
	text, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]expected
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	packed, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil || len(packed) < 30 {
		t.Fatalf("%d files, %v", len(packed), err)
	}
	tmp := t.TempDir()
	for _, path := range packed {
		testenv.Unpack(t, path, tmp)
	}
	for name, want := range all {
		t.Run(name, func(t *testing.T) { comparePeer(t, filepath.Join(tmp, want.Open), want) })
	}
	for name, text := range map[string]string{
		"empty.bochs": "Bochs", "simple-pattern.cloop": "cloop", "parallels-v1": "Parallels", "image.qcow": "version 1",
		"tw_sparse-s001.vmdk": "an extent without its descriptor, open tw_sparse.vmdk",
	} {
		if _, err := imagefmt.Open(filepath.Join(tmp, name), imagefmt.Options{Anywhere: true}); !errors.Is(err, layer.ErrUnsupported) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: error %v, want unsupported and %q", name, err, text)
		}
	}
}

func comparePeer(t *testing.T, path string, want expected) {
	img, err := imagefmt.Open(path, imagefmt.Options{Anywhere: true}) // links lead to the data
	if want.RC != nil || strings.Contains(path, "bochs") || strings.Contains(path, "cloop") {
		if !errors.Is(err, layer.ErrUnsupported) && !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("error %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if want.Before > 0 {
		checkShort(t, img, want.Before)
		return
	}
	if len(img.Faults()) > 0 {
		t.Errorf("faults %v", img.Faults())
	}
	if want.Size > 0 && img.Size() != want.Size {
		t.Errorf("%d bytes, want %d", img.Size(), want.Size)
	}
	if want.NZ64k == "" && want.SHA256 == "" {
		return
	}
	nz, whole := sumOf(t, img)
	if want.NZ64k != "" && nz != want.NZ64k || want.NZ64k == "" && whole != want.SHA256 {
		t.Errorf("sums %s and %s, want %s or %s", nz, whole, want.NZ64k, want.SHA256)
	}
}

// sumOf gives the SHA-256 over all blocks of 64 KiB that are not zeros, each behind its number as 8 bytes, little-endian;
// and of small disks that of all.
func sumOf(t *testing.T, img *imagefmt.Image) (nz, whole string) {
	const block = 64 << 10
	blocks, all, zero := sha256.New(), sha256.New(), make([]byte, block)
	last := int64(-1)
	for e, err := range layer.Resolve(img, 0, img.Size()) {
		if err != nil {
			t.Fatal(err)
		}
		for no := max(e.Off/block, last+1); e.Kind != layer.Zero && no*block < e.Off+e.Len; no++ {
			b := make([]byte, layer.Clip(img.Size(), no*block, block))
			if err := layer.ReadFull(img, b, no*block); err != nil {
				t.Fatal(err)
			}
			if last = no; !bytes.Equal(b, zero[:len(b)]) {
				blocks.Write(binary.LittleEndian.AppendUint64(nil, uint64(no)))
				blocks.Write(b)
			}
		}
	}
	if img.Size() < 1<<20 {
		b := make([]byte, img.Size())
		if err := layer.ReadFull(img, b, 0); err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return fmt.Sprintf("%x", blocks.Sum(nil)), fmt.Sprintf("%x", all.Sum(nil))
}

// checkShort has a fixed VHD of which only so many bytes are there.
func checkShort(t *testing.T, img *imagefmt.Image, have int64) {
	if f := img.Faults(); len(f) != 1 || !strings.Contains(f[0].Error(), fmt.Sprintf("the file holds 0x%x bytes of the disk, want 0x%x", have, img.Size())) {
		t.Errorf("faults %v", f)
	}
	for e, err := range layer.Resolve(img, 0, img.Size()) {
		if lost := e.Off >= have; err != nil || lost != (e.Kind == layer.Unknown && e.Why == layer.Missing) || !lost && e.Off+e.Len > have {
			t.Errorf("extent %+v, %v", e, err)
		}
	}
}

// TestBackups refuses every backup that cannot be read, by its name and with advice, also where it is packed.
func TestBackups(t *testing.T) {
	dir, tmp := testenv.Shared(t, "data", "backup"), t.TempDir()
	for _, name := range []string{"clone.tar.xz", "clonezilla.tar", "parallels.tar.xz", "mrimgx/aes256.tar", "mrimgx/plain.tar.xz", "mrimgx/vendor-deltas.tar.xz", "mrimgx/vendor-2394E9AA621DDC3A-00-00.mrimgx.xz"} {
		testenv.Unpack(t, filepath.Join(dir, filepath.FromSlash(name)), tmp)
	}
	seen := make(map[string]int)
	refused := func(path string) {
		img, err := imagefmt.Open(path, imagefmt.Options{})
		if err == nil {
			img.Close()
			t.Errorf("%s: opened as %s", path, img.Format())
			return
		}
		if !errors.Is(err, layer.ErrUnsupported) && !strings.Contains(err.Error(), "is empty") { // a folder's mark
			t.Errorf("%s: %v", path, err)
		}
		for _, kind := range []string{"Macrium Reflect", "ntfsclone", "partclone", "Clonezilla image in a folder", "Parallels", "AFF4", "VMA", "lzop", "7z"} {
			if strings.Contains(err.Error(), kind) {
				seen[kind]++
			}
		}
	}
	err := filepath.WalkDir(tmp, func(path string, d os.DirEntry, err error) error {
		name := d.Name()
		small := strings.HasSuffix(name, ".list") || strings.HasSuffix(name, ".txt") || strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".sf") || strings.HasSuffix(name, "-mbr") ||
			strings.Contains(name, "-gpt-") || name == "disk" || name == "parts" || name == "clonezilla-img" || strings.HasPrefix(name, "Info-") || strings.HasSuffix(name, ".json")
		if isFolder := d.IsDir(); err == nil && !small && (!isFolder || strings.HasSuffix(name, ".hdd") || exists(filepath.Join(path, "parts"))) && !strings.HasSuffix(name, ".gz.ab") {
			refused(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"aff4/*.aff4", "vma/*", "nested/*.7z"} {
		list, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		for _, path := range list {
			refused(path)
		}
	}
	for kind, n := range map[string]int{"Macrium Reflect": 8, "ntfsclone": 2, "partclone": 5, "Clonezilla image in a folder": 1, "Parallels": 1, "AFF4": 6, "VMA": 2, "lzop": 1, "7z": 2} {
		if seen[kind] < n {
			t.Errorf("%s: %d refused, want %d or more", kind, seen[kind], n)
		}
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }
