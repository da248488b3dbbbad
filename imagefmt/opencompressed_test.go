package imagefmt_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
)

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// rawFrame is b in a zstd frame of one block that is not packed, after a skippable frame as pzstd writes it.
func rawFrame(b []byte) []byte {
	n := len(b)
	head := []byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, byte(n), byte(n >> 8), 0, 0, 0x28, 0xb5, 0x2f, 0xfd, 0x60, byte(n - 256), byte((n - 256) >> 8)}
	return append(append(head, byte(n<<3|1), byte(n>>5), byte(n>>13)), b...)
}

func tarFile(t testing.TB) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "disk.raw", Size: 3}), w.Close()); err == nil {
		t.Fatal("a tar of less than it says")
	}
	return buf.Bytes()
}

// TestPacked opens what is in compressed files: raw disks, images of other formats, and their backing files.
func TestPacked(t *testing.T) {
	disk := bytes.Repeat([]byte("a raw disk of 4096 bytes, packed"), 128)
	base := bytes.Repeat([]byte{7}, 4096)
	whole := gzipped(t, disk)
	dir := folder(t, map[string][]byte{
		"disk.raw.gz": whole, "disk.zst": rawFrame(disk), "plain.zst": rawFrame(disk)[12:], "part.gz.001": whole[:50], "part.gz.002": whole[50:],
		"q.qcow2.gz": gzipped(t, qcow("base.raw", "raw")), "base.raw": base, "fixed.vhd.gz": gzipped(t, vhdFile(7, 0, "")),
		"fixed.vhd.zst": rawFrame(vhdFile(7, 0, "")), "twice.gz": gzipped(t, whole), "xz.gz": gzipped(t, []byte("\xfd7zXZ\x00 and so on")),
		"bad.qcow2.gz": gzipped(t, []byte("QFI\xfb and no more")), "files.tar.gz": gzipped(t, tarFile(t)), "files.tar": tarFile(t),
	})
	for _, c := range []struct {
		name, format string
		want         []byte
		files        int
		err          string
	}{
		{"disk.raw.gz", "gzip raw", disk, 1, ""},
		{"disk.zst", "zstd raw", disk, 1, ""},
		{"plain.zst", "zstd raw", disk, 1, ""},
		{"part.gz.001", "split gzip raw", disk, 2, ""},
		{"q.qcow2.gz", "gzip qcow2", base, 2, ""},
		{"fixed.vhd.gz", "gzip vhd", base, 1, ""},
		{"fixed.vhd.zst", "zstd vhd", base, 1, ""},
		{"twice.gz", "", nil, 0, "gzip: gzip, to be unpacked first in it: unsupported"},
		{"xz.gz", "", nil, 0, "gzip: xz, to be unpacked first in it: unsupported"},
		{"files.tar.gz", "", nil, 0, "gzip: tar archive in it: unsupported"},
		{"files.tar", "", nil, 0, "tar archive: unsupported"},
		{"bad.qcow2.gz", "", nil, 0, "gzip qcow2: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			done, total := int64(0), int64(0)
			img := opened(t, filepath.Join(dir, c.name), imagefmt.Options{
				Warn:     func(err error) { t.Errorf("warning: %v", err) },
				Progress: func(_ string, d, n int64) { done, total = d, n },
			}, c.err != "", c.err)
			if img == nil {
				return
			}
			if img.Format() != c.format || len(img.Files()) != c.files || !slices.Equal(imagetest.Content(t, img), c.want) {
				t.Errorf("%s of %d bytes, files %q, or other bytes", img.Format(), img.Size(), img.Files())
			}
			if done == 0 || done != total {
				t.Errorf("progress %d of %d", done, total)
			}
			layertest.Contract(t, img, c.want)
		})
	}
}

// TestPackedRealVHD opens a real disk and its packed copy.
func TestPackedRealVHD(t *testing.T) {
	path := testenv.Shared(t, "data", "formats", "image.vhd")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	packed := open(t, filepath.Join(folder(t, map[string][]byte{"image.vhd.gz": gzipped(t, b)}), "image.vhd.gz"))
	layertest.Contract(t, packed, imagetest.Content(t, open(t, path)))
}

// TestPackedDamageIsLocal cuts a file: the disk ends there, with a warning.
func TestPackedDamageIsLocal(t *testing.T) {
	disk := make([]byte, 1<<20)
	for i := range disk {
		disk[i] = byte(i>>7) ^ byte(i*i>>3)
	}
	whole := gzipped(t, disk)
	path := filepath.Join(folder(t, map[string][]byte{"cut.gz": whole[:len(whole)/2]}), "cut.gz")
	warned := 0
	img, err := imagefmt.Open(path, imagefmt.Options{Warn: func(error) { warned++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if b := imagetest.Content(t, img); warned != 1 || len(b) == 0 || len(b) >= len(disk) || !bytes.Equal(b, disk[:len(b)]) {
		t.Errorf("%d bytes, %d warnings", len(b), warned)
	}
	if _, err := img.ReadAt(make([]byte, 1), img.Size()); err == nil {
		t.Error("no error past the cut")
	}
}
