package imagefmt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/raw"
)

// folder writes files into a new folder and returns it.
func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t testing.TB, path string) *imagefmt.Image {
	t.Helper()
	img, err := imagefmt.Open(path, imagefmt.Options{Warn: func(err error) { t.Logf("warning: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { img.Close() })
	return img
}

// opened opens an image until the test ends. If it is to fail, with this text in the error, it must, and there is no image.
func opened(t *testing.T, path string, opts imagefmt.Options, fails bool, text string) *imagefmt.Image {
	t.Helper()
	img, err := imagefmt.Open(path, opts)
	if fails && (err == nil || !strings.Contains(err.Error(), text)) {
		t.Errorf("error %v, want %q", err, text)
	}
	if !fails && err != nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Cleanup(func() { img.Close() })
	}
	if fails {
		return nil
	}
	return img
}

// names are the base names of an image's files.
func names(img *imagefmt.Image) (list []string) {
	for _, f := range img.Files() {
		list = append(list, filepath.Base(f))
	}
	return list
}

// qcow is an image of one 64 KiB cluster that is not there, above a backing file.
func qcow(backing, format string) []byte {
	be := binary.BigEndian
	b := make([]byte, 2<<16)
	copy(b, "QFI\xfb")
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], 16)
	be.PutUint64(b[24:], 4096)
	be.PutUint32(b[36:], 1)
	be.PutUint64(b[40:], 1<<16)
	be.PutUint32(b[100:], 104)
	be.PutUint32(b[104:], 0xe2792aca)
	be.PutUint32(b[108:], uint32(len(format)))
	copy(b[112:], format)
	if backing != "" {
		be.PutUint64(b[8:], 1024)
		be.PutUint32(b[16:], uint32(len(backing)))
		copy(b[1024:], backing)
	}
	return b
}

func TestSameDiskInContainers(t *testing.T) {
	first := testenv.Shared(t, "data", "formats", "ext2.splitraw.000")
	second := testenv.Shared(t, "data", "formats", "ext2.splitraw.001")
	var want []byte
	for _, path := range []string{first, second} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
	}
	split := open(t, first)
	if split.Format() != "split raw" || !slices.Equal(split.Files(), []string{first, second}) {
		t.Errorf("format %q of %q", split.Format(), split.Files())
	}
	q := open(t, testenv.Shared(t, "data", "formats", "ext2.qcow2"))
	if q.Format() != "qcow2" {
		t.Errorf("format %q", q.Format())
	}
	plain := open(t, filepath.Join(folder(t, map[string][]byte{"ext2.raw": want}), "ext2.raw"))
	if plain.Format() != "raw" {
		t.Errorf("format %q", plain.Format())
	}
	for _, img := range []*imagefmt.Image{split, q, plain} {
		layertest.Contract(t, img, want)
	}
}

// TestLeafIsTheFile holds that what a front end splices from is the file on disk, through an image and its backing file.
func TestLeafIsTheFile(t *testing.T) {
	dir := folder(t, map[string][]byte{"top.qcow2": qcow("base.raw", "raw"), "base.raw": bytes.Repeat([]byte{5}, 3000)})
	n := 0
	for e, err := range layer.Resolve(open(t, filepath.Join(dir, "top.qcow2")), 0, 4096) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			if f, ok := e.Base.(*raw.File); !ok || filepath.Base(f.File().Name()) != "base.raw" || e.Len != 3000 {
				t.Errorf("extent %+v, want 3000 bytes of base.raw", e)
			}
		} else if e.Kind != layer.Zero {
			t.Errorf("extent %+v, want zeros", e)
		}
	}
	if n != 2 {
		t.Errorf("%d extents, want 2", n)
	}
}

func TestRefused(t *testing.T) {
	pad := func(s string, n int) []byte { return append([]byte(s), make([]byte, n-len(s))...) }
	vdi := make([]byte, 1024)
	copy(vdi[0x40:], "\x7f\x10\xda\xbe")
	dir := folder(t, map[string][]byte{
		"empty": nil, "folder/x": nil,
		"a.vhdx": pad("vhdxfile", 4096), "a.vmdk": pad("KDMV\x01", 4096), "b.vmdk": pad("COWD", 4096), "c.vmdk": []byte("# Disk DescriptorFile\nversion=1\n"),
		"a.vdi": vdi, "a.E01": pad("EVF\x09\x0d\x0a\xff\x00", 100), "a.Ex01": pad("EVF2\x0d\x0a\x81\x00", 100), "a.L01": pad("LVF\x09\x0d\x0a\xff\x00", 100),
		"a.ad":   pad("ADCRYPT\x00", 512),
		"a.aff4": pad("PK\x03\x04", 100), "a.hdd": pad("WithouFreSpacExt", 600), "b.hdd": pad("WithoutFreeSpace", 600),
		"a.dmg": append(make([]byte, 1000), pad("koly", 512)...), "a.gz": pad("\x1f\x8b\x08", 100), "a.zst": pad("\x28\xb5\x2f\xfd", 100),
		"a.xz": pad("\xfd7zXZ\x00", 100), "a.7z": pad("7z\xbc\xaf\x27\x1c", 100), "a.bz2": pad("BZh91AY&SY", 100),
		"broken.qcow2": pad("QFI\xfb", 4096), "broken.vhd": append(make([]byte, 4096), pad("conectix", 512)...), "head.vhd": pad("conectix", 4096),
		"old.vhd": append(make([]byte, 4096), pad("conectix", 511)...),
	})
	testenv.Run(t, testenv.Peer(t, "mkfifo"), filepath.Join(dir, "fifo"))
	for _, c := range []struct {
		name string
		kind error
		text string
	}{
		{"missing", fs.ErrNotExist, ""}, {"folder", nil, "is a directory"}, {"empty", layer.ErrFormat, "is empty"}, {"fifo", nil, "is a pipe"},
		{"a.vhdx", layer.ErrCorrupt, "vhdx: header"}, {"a.vmdk", layer.ErrUnsupported, "vmdk: sparse extent"}, {"b.vmdk", layer.ErrUnsupported, "vmdk: COWD"},
		{"c.vmdk", layer.ErrCorrupt, "vmdk: descriptor at 0x0: 0 extents"}, {"a.vdi", layer.ErrUnsupported, "vdi: version 0.0, want 1.1"}, {"a.E01", layer.ErrCorrupt, "ewf: file header"},
		{"a.Ex01", layer.ErrUnsupported, "ewf: version 0"}, {"a.ad", layer.ErrUnsupported, "AD-encrypted"}, {"a.L01", layer.ErrUnsupported, "L01"}, {"a.aff4", layer.ErrUnsupported, "AFF4"},
		{"a.hdd", layer.ErrUnsupported, "Parallels"}, {"b.hdd", layer.ErrUnsupported, "Parallels"}, {"a.dmg", layer.ErrUnsupported, "DMG"},
		{"a.gz", layer.ErrCorrupt, "gzip"}, {"a.zst", layer.ErrCorrupt, "zstd"}, {"a.xz", layer.ErrUnsupported, "xz"},
		{"a.7z", layer.ErrUnsupported, "7z"}, {"a.bz2", layer.ErrUnsupported, "bzip2"},
		{"broken.qcow2", layer.ErrUnsupported, "qcow2: version 0"}, {"broken.vhd", layer.ErrUnsupported, "vhd: disk type 0"},
		{"head.vhd", layer.ErrUnsupported, "vhd: disk type 0"}, {"old.vhd", layer.ErrUnsupported, "vhd: disk type 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, c.name)
			img, err := imagefmt.Open(path, imagefmt.Options{})
			if err == nil {
				t.Fatalf("opened as %s", img.Format())
			}
			if c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q of kind %v", err, c.text, c.kind)
			}
			if strings.Count(err.Error(), path) != 1 || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with the path once", err)
			}
		})
	}
	if _, err := imagefmt.Open(os.DevNull, imagefmt.Options{}); err == nil || !strings.Contains(err.Error(), "character device") {
		t.Errorf("error %v of the null device", err)
	}
}

func TestShortRaw(t *testing.T) {
	img := open(t, filepath.Join(folder(t, map[string][]byte{"x": {1, 2, 3}}), "x"))
	layertest.Contract(t, img, []byte{1, 2, 3})
}

func TestSplit(t *testing.T) {
	files := map[string][]byte{
		"lone.001": []byte("lone"), "lone.002x": []byte("no"),
		"three.001": []byte("one"), "three.002": []byte("two"), "three.003": []byte("3"), "three.004/x": nil,
		"gap.000": []byte("a"), "gap.003": []byte("c"),
		"d.00": []byte("a"), "d.01": []byte("b"),
		"backup.01": []byte("a"), "backup.02": []byte("b"),
		"xaa": []byte("aa"), "xab": []byte("ab"), "xac": []byte("ac"),
		"img.aaa": []byte("1"), "img.aab": []byte("2"),
		"hole.aa": []byte("1"), "hole.ad": []byte("2"),
		"plain.raw": []byte("raw"), "quaa": []byte("quaa"),
	}
	for i := range 1002 { // goes on with four digits
		files[fmt.Sprintf("many.%03d", i)] = []byte{byte(i), byte(i >> 8)}
	}
	dir := folder(t, files)
	for _, c := range []struct {
		name, format, want, warn, err string
	}{
		{"lone.001", "raw", "lone", "", ""},
		{"three.001", "split raw", "onetwo3", "", ""},
		{"three.002", "raw", "two", "later part", ""},
		{"gap.000", "", "", "", "part gap.001: file does not exist, but gap.003 is there"},
		{"d.00", "split raw", "ab", "", ""},
		{"backup.01", "raw", "a", "", ""},
		{"xaa", "split raw", "aaabac", "", ""},
		{"img.aaa", "split raw", "12", "", ""},
		{"hole.aa", "", "", "", "part hole.ab: file does not exist"},
		{"plain.raw", "raw", "raw", "", ""},
		{"quaa", "raw", "quaa", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var warned []string
			img := opened(t, filepath.Join(dir, c.name), imagefmt.Options{Warn: func(err error) { warned = append(warned, err.Error()) }}, c.err != "", c.err)
			if img == nil {
				return
			}
			if got := string(imagetest.Content(t, img)); got != c.want || img.Format() != c.format {
				t.Errorf("%s %q, want %s %q", img.Format(), got, c.format, c.want)
			}
			if all := strings.Join(warned, "; "); !strings.Contains(all, c.warn) || (all == "") != (c.warn == "") {
				t.Errorf("warned %q, want %q", all, c.warn)
			}
		})
	}
	img := open(t, filepath.Join(dir, "many.000"))
	if b := imagetest.Content(t, img); len(b) != 2004 || b[2002] != 1001&0xff || b[2003] != 1001>>8 {
		t.Errorf("%d bytes of 1002 parts, the last %x", len(b), b[len(b)-2:])
	}
}

func TestSplitOfOtherFormat(t *testing.T) {
	q := qcow("", "")
	dir := folder(t, map[string][]byte{"d.001": q[:len(q)/2+512], "d.002": q[len(q)/2+512:]})
	if img := open(t, filepath.Join(dir, "d.001")); img.Format() != "split qcow2" || img.Size() != 4096 {
		t.Errorf("%s of %d bytes", img.Format(), img.Size())
	}
}

// TestLostMagic warns of files that are raw but for their names.
func TestLostMagic(t *testing.T) {
	names := map[string]bool{"a.raw": false, "a.VHD": true, "a.qcow2": true, "a.E01": true, "a.vhdx.bak": false}
	files := map[string][]byte{}
	for name := range names {
		files[name] = make([]byte, 4096)
	}
	dir := folder(t, files)
	for name, want := range names {
		warned := ""
		img, err := imagefmt.Open(filepath.Join(dir, name), imagefmt.Options{Warn: func(err error) { warned += err.Error() }})
		if err != nil {
			t.Fatal(err)
		}
		img.Close()
		if img.Format() != "raw" || (warned != "") != want || want && !strings.Contains(warned, "read as raw") {
			t.Errorf("%s: %s, warned %q", name, img.Format(), warned)
		}
	}
}
