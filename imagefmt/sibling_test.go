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
	"time"
	"unicode/utf16"

	"snapmount/imagefmt"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

func TestBackingNames(t *testing.T) {
	base := bytes.Repeat([]byte{7}, 4096)
	for _, c := range []struct {
		name, format string // in the image
		files        []string
		want         string // the backing file that is opened, "" for an error
		err          string
	}{
		{"base.raw", "raw", []string{"base.raw"}, "base.raw", ""},
		{"base.raw", "", []string{"base.raw"}, "base.raw", ""},
		{"./base.raw", "raw", []string{"base.raw"}, "base.raw", ""},
		{"file:base.raw", "raw", []string{"base.raw"}, "base.raw", ""},
		{"sub/base.raw", "raw", []string{"sub/base.raw", "base.raw"}, "sub/base.raw", ""},
		{"sub/base.raw", "raw", []string{"base.raw"}, "base.raw", ""},
		{"/nowhere/base.raw", "raw", []string{"base.raw"}, "base.raw", ""},
		{"../../base.raw", "raw", []string{"base.raw"}, "base.raw", ""},
		{"/etc/passwd", "raw", nil, "", `backing file "/etc/passwd": passwd is not beside top.qcow2`},
		{"../outside.raw", "raw", nil, "", "outside.raw is not beside"},
		{"..", "raw", nil, "", "not the name of a file"},
		{"/", "raw", nil, "", "not the name of a file"},
		{"json:{\"driver\":\"file\"}", "", nil, "", "unsupported"},
		{"nbd://host/x", "raw", nil, "", "unsupported"},
		{"base.raw", "qcow2", []string{"base.raw"}, "", "raw, want qcow2"},
		{"base.raw", "vpc", []string{"base.raw"}, "", "raw, want vhd"},
		{"top.qcow2", "qcow2", nil, "", "top.qcow2, which is open already"},
		{"top.qcow2", "raw", nil, "", "which is open already"},
		{"base.raw/", "raw", []string{"base.raw/x"}, "", "is a directory"},
		{"base\x00.raw", "raw", nil, "", `"base\x00.raw"`},
	} {
		t.Run(c.name+","+c.format, func(t *testing.T) {
			files := map[string][]byte{"disks/top.qcow2": qcow(c.name, c.format), "outside.raw": base}
			for _, f := range c.files {
				files["disks/"+f] = base
			}
			dir := filepath.Join(folder(t, files), "disks")
			img := opened(t, filepath.Join(dir, "top.qcow2"), imagefmt.Options{}, c.want == "", c.err)
			if img == nil {
				return
			}
			if want := []string{filepath.Join(dir, "top.qcow2"), filepath.Join(dir, c.want)}; !slices.Equal(img.Files(), want) {
				t.Errorf("files %q, want %q", img.Files(), want)
			}
			if !bytes.Equal(imagetest.Content(t, img), base) {
				t.Error("other bytes than the backing file's")
			}
		})
	}
}

func TestRawBackingIsNotProbed(t *testing.T) {
	dir := folder(t, map[string][]byte{"top.qcow2": qcow("base", "raw"), "base": qcow("/etc/passwd", "raw")})
	img := open(t, filepath.Join(dir, "top.qcow2"))
	if b := imagetest.Content(t, img); string(b[:4]) != "QFI\xfb" {
		t.Errorf("begins with %q, want the bytes of the backing file itself", b[:4])
	}
}

func TestChains(t *testing.T) {
	chain := func(n int, last string) string {
		files := make(map[string][]byte)
		for i := range n {
			files[fmt.Sprint(i, ".qcow2")] = qcow(fmt.Sprint(i+1, ".qcow2"), "qcow2")
		}
		files[fmt.Sprint(n, ".qcow2")] = qcow(last, "qcow2")
		return filepath.Join(folder(t, files), "0.qcow2")
	}
	if img := open(t, chain(512, "")); len(img.Files()) != 513 {
		t.Errorf("%d files, want 513", len(img.Files()))
	}
	if _, err := imagefmt.Open(chain(513, ""), imagefmt.Options{}); !errors.Is(err, layer.ErrUnsupported) {
		t.Errorf("error %v of 514 files, want unsupported", err)
	}
	if _, err := imagefmt.Open(chain(3, "1.qcow2"), imagefmt.Options{}); err == nil || !strings.Contains(err.Error(), "1.qcow2, which is open already") {
		t.Errorf("error %v of a loop", err)
	}
	path := chain(1, "2.qcow2")
	if err := os.Link(path, filepath.Join(filepath.Dir(path), "2.qcow2")); err != nil {
		t.Skipf("SKIPPED: no hard links: %v", err)
	}
	if _, err := imagefmt.Open(path, imagefmt.Options{}); err == nil || !strings.Contains(err.Error(), "open already") {
		t.Errorf("error %v of a loop by another name", err)
	}
}

// TestFilesAreClosed holds that a failed open leaves no descriptor behind.
func TestFilesAreClosed(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skipf("SKIPPED: no /proc: %v", err)
		}
		return len(entries)
	}
	dir := folder(t, map[string][]byte{"a": qcow("b", "qcow2"), "b": qcow("a", "qcow2"), "x.001": {1}, "x.002": {2}})
	before := count()
	for range 50 {
		if _, err := imagefmt.Open(filepath.Join(dir, "a"), imagefmt.Options{}); err == nil {
			t.Fatal("a loop was opened")
		}
		img, err := imagefmt.Open(filepath.Join(dir, "x.001"), imagefmt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := img.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := count(); after > before+5 {
		t.Errorf("%d open files, %d before", after, before)
	}
}

// vhdFile is an empty disk of 4 KiB: fixed when parent is "", else differencing.
func vhdFile(id byte, parentID byte, parent string) []byte {
	be := binary.BigEndian
	f := make([]byte, 512)
	copy(f, "conectix")
	be.PutUint64(f[16:], 512)
	be.PutUint64(f[48:], 4096)
	be.PutUint32(f[60:], 2)
	copy(f[68:], bytes.Repeat([]byte{id}, 16))
	if parent == "" {
		return append(bytes.Repeat([]byte{id}, 4096), sealed(f, 64)...)
	}
	be.PutUint32(f[60:], 4)
	h := make([]byte, 1024)
	copy(h, "cxsparse")
	be.PutUint64(h[16:], 1536)
	be.PutUint32(h[28:], 1)
	be.PutUint32(h[32:], 4096)
	copy(h[40:], bytes.Repeat([]byte{parentID}, 16))
	copy(h[576:], "W2ku")
	be.PutUint32(h[584:], uint32(2*len(parent)))
	be.PutUint64(h[592:], 2048)
	for i, c := range utf16.Encode([]rune("named.vhd")) {
		be.PutUint16(h[64+2*i:], c)
	}
	table := bytes.Repeat([]byte{0xff}, 512)
	path := make([]byte, 512)
	for i, c := range utf16.Encode([]rune(parent)) {
		binary.LittleEndian.PutUint16(path[2*i:], c)
	}
	return slices.Concat(sealed(f, 64), sealed(h, 36), table, path, f)
}

// sealed writes the checksum of b at at.
func sealed(b []byte, at int) []byte {
	var s uint32
	for _, c := range b {
		s += uint32(c)
	}
	binary.BigEndian.PutUint32(b[at:], ^s)
	return b
}

func TestVHDParents(t *testing.T) {
	for _, c := range []struct {
		name  string
		path  string // of the parent, in the child
		files map[string][]byte
		want  []string // open files
		err   string
	}{
		{"absolute", `C:\VMs\Base.vhd`, map[string][]byte{"Base.vhd": vhdFile(1, 0, "")}, []string{"top.avhd", "Base.vhd"}, ""},
		{"other case", `C:\VMs\BASE.VHD`, map[string][]byte{"base.vhd": vhdFile(1, 0, "")}, []string{"top.avhd", "base.vhd"}, ""},
		{"relative", `.\sub\base.vhd`, map[string][]byte{"Sub/base.vhd": nil, "sub/base.vhd": vhdFile(1, 0, "")}, []string{"top.avhd", "base.vhd"}, ""},
		{"other disk, then the right one", `C:base.vhd`, map[string][]byte{"base.vhd": vhdFile(9, 0, ""), "named.vhd": vhdFile(1, 0, "")}, []string{"top.avhd", "named.vhd"}, ""},
		{"grandparent", `base.vhd`, map[string][]byte{"base.vhd": vhdFile(1, 3, `D:\old.vhd`), "old.vhd": vhdFile(3, 0, "")}, []string{"top.avhd", "base.vhd", "old.vhd"}, ""},
		{"absent", `C:\VMs\base.vhd`, nil, nil, `parent "C:\\VMs\\base.vhd": base.vhd is not beside top.avhd`},
		{"other disk", `base.vhd`, map[string][]byte{"base.vhd": vhdFile(9, 0, "")}, nil, "id 09090909-0909-0909-0909-090909090909, want 01010101"},
		{"no disk", `base.vhd`, map[string][]byte{"base.vhd": make([]byte, 4096)}, nil, "not this format"},
		{"itself", `C:\other\top.avhd`, nil, nil, "top.avhd, which is open already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, c.files)
			path := filepath.Join(dir, "top.avhd")
			if err := os.WriteFile(path, vhdFile(2, 1, c.path), 0o600); err != nil {
				t.Fatal(err)
			}
			img := opened(t, path, imagefmt.Options{Warn: func(err error) { t.Errorf("warning: %v", err) }}, c.err != "", c.err)
			if img == nil {
				return
			}
			if !slices.Equal(names(img), c.want) || img.Format() != "vhd" {
				t.Errorf("%s of files %q, want %q", img.Format(), img.Files(), c.want)
			}
			if b := imagetest.Content(t, img); b[0] == 0 || b[0] == 9 {
				t.Errorf("first byte %d", b[0])
			}
		})
	}
}

// TestRealVHDs opens a real pair, and a warning about the parent names it.
func TestRealVHDs(t *testing.T) {
	child := testenv.Shared(t, "data", "formats", "image-differential.vhd")
	var warned []string
	img, err := imagefmt.Open(child, imagefmt.Options{Warn: func(err error) { warned = append(warned, err.Error()) }})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if want := []string{"image-differential.vhd", "image.vhd"}; !slices.Equal(names(img), want) || img.Size() != 104448 {
		t.Errorf("files %q, size %d", names(img), img.Size())
	}
	if len(warned) < 2 || !strings.HasPrefix(warned[0], "footer: checksum") || !strings.HasPrefix(warned[len(warned)-1], "image.vhd: ") {
		t.Errorf("warned %q", warned)
	}
	b, err := os.ReadFile(child)
	if err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(folder(t, map[string][]byte{"child.vhd": b}), "child.vhd")
	if _, err := imagefmt.Open(alone, imagefmt.Options{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "image.vhd is not beside child.vhd") {
		t.Errorf("error %v without the parent", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(qcow("", ""))
	f.Add(qcow("other", "raw"))
	f.Add(qcow("image", ""))
	f.Add(vhdFile(1, 0, ""))
	f.Add(vhdFile(1, 2, "other"))
	f.Add([]byte("vhdxfile"))
	f.Add([]byte{0})
	dir := f.TempDir()
	path := filepath.Join(dir, "image")
	if err := os.WriteFile(filepath.Join(dir, "other"), vhdFile(2, 0, ""), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		img, err := imagefmt.Open(path, imagefmt.Options{})
		if err != nil {
			if img != nil || strings.Count(err.Error(), path) != 1 {
				t.Errorf("image %v, error %q", img, err)
			}
			return
		}
		for _, name := range img.Files() {
			if filepath.Dir(name) != dir {
				t.Errorf("opened %s", name)
			}
		}
		p := make([]byte, 1000)
		if n, err := img.ReadAt(p, img.Size()-500); n == len(p) && err == nil {
			t.Error("read past the end")
		}
		if err := img.Close(); err != nil {
			t.Error(err)
		}
		if s := time.Since(begin); s > 30*time.Second {
			t.Errorf("took %v", s)
		}
	})
}
