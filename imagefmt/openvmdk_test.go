package imagefmt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

// vmdkText is a descriptor; hint "" for no parent.
func vmdkText(cid, parentCID uint32, hint string, lines ...string) []byte {
	return fmt.Appendf(nil, "# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=%08x\nparentFileNameHint=\"%s\"\n%s\n", cid, parentCID, hint, strings.Join(lines, "\n"))
}

// cowdFile is a COWD extent of 8 KiB whose second half is there.
func cowdFile(fill byte) []byte {
	b := make([]byte, 40*512)
	copy(b, "COWD")
	for i, v := range []byte{1, 3, 16, 8, 4, 1, 38} {
		b[4+4*i] = v
	}
	b[4*512] = 5
	b[5*512+4] = 37
	return append(b[:37*512], bytes.Repeat([]byte{fill}, 4096)...)
}

func TestVMDKNames(t *testing.T) {
	flat := bytes.Repeat([]byte{1}, 8192)
	base := vmdkText(5, 0xffffffff, "", `RW 16 VMFS "disk-flat.vmdk"`)
	child := func(hint string) []byte { return vmdkText(6, 5, hint, `RW 16 VMFSSPARSE "top-delta.vmdk"`) }
	for _, c := range []struct {
		name  string
		files map[string][]byte // opened as top.vmdk
		want  []string          // open files
		err   string
	}{
		{"flat", map[string][]byte{"top.vmdk": base, "disk-flat.vmdk": flat}, []string{"top.vmdk", "disk-flat.vmdk"}, ""},
		{"renamed", map[string][]byte{"top.vmdk": base, "top-flat.vmdk": flat}, []string{"top.vmdk", "top-flat.vmdk"}, ""},
		{"renamed in upper case", map[string][]byte{"top.vmdk": base, "TOP-FLAT.VMDK": flat}, []string{"top.vmdk", "TOP-FLAT.VMDK"}, ""},
		{"renamed pieces", map[string][]byte{"top.vmdk": vmdkText(1, 0xffffffff, "", `RW 8 FLAT "disk-f001.vmdk" 0`, `RW 8 FLAT "disk-f002.vmdk" 0`),
			"top-f001.vmdk": flat, "top-f002.vmdk": flat}, []string{"top.vmdk", "top-f001.vmdk", "top-f002.vmdk"}, ""},
		{"gone", map[string][]byte{"top.vmdk": base, "other-flat.vmdk": flat}, nil, `extent "disk-flat.vmdk": disk-flat.vmdk is not beside top.vmdk`},
		{"host file", map[string][]byte{"top.vmdk": vmdkText(1, 0xffffffff, "", `RW 1 FLAT "/etc/passwd" 0`)}, nil, "passwd is not beside"},
		{"host file above", map[string][]byte{"top.vmdk": vmdkText(1, 0xffffffff, "", `RW 1 FLAT "../../../../../etc/passwd" 0`)}, nil, "passwd is not beside"},
		{"itself", map[string][]byte{"top.vmdk": vmdkText(1, 0xffffffff, "", `RW 1 FLAT "top.vmdk" 0`)}, nil, "top.vmdk, which is open already"},
		{"snapshot", map[string][]byte{"top.vmdk": child("disk.vmdk"), "top-delta.vmdk": cowdFile(2), "disk.vmdk": base, "disk-flat.vmdk": flat},
			[]string{"top.vmdk", "top-delta.vmdk", "disk.vmdk", "disk-flat.vmdk"}, ""},
		{"parent on ESXi", map[string][]byte{"top.vmdk": child("/vmfs/volumes/5f/vm/disk.vmdk"), "top-delta.vmdk": cowdFile(2), "disk.vmdk": base, "disk-flat.vmdk": flat},
			[]string{"top.vmdk", "top-delta.vmdk", "disk.vmdk", "disk-flat.vmdk"}, ""},
		{"parent on Windows", map[string][]byte{"top.vmdk": child(`D:\VMs\Disk.vmdk`), "top-delta.vmdk": cowdFile(2), "disk.vmdk": base, "disk-flat.vmdk": flat},
			[]string{"top.vmdk", "top-delta.vmdk", "disk.vmdk", "disk-flat.vmdk"}, ""},
		{"parent written to", map[string][]byte{"top.vmdk": vmdkText(6, 4, "disk.vmdk", `RW 16 VMFSSPARSE "top-delta.vmdk"`), "top-delta.vmdk": cowdFile(2),
			"disk.vmdk": base, "disk-flat.vmdk": flat}, nil, `parent "disk.vmdk": not the parent as it was: CID 00000005, want 00000004`},
		{"parent gone", map[string][]byte{"top.vmdk": child("disk.vmdk"), "top-delta.vmdk": cowdFile(2)}, nil, "disk.vmdk is not beside top.vmdk"},
		{"its own parent", map[string][]byte{"top.vmdk": child("top.vmdk"), "top-delta.vmdk": cowdFile(2)}, nil, "top.vmdk, which is open already"},
		{"loop", map[string][]byte{"top.vmdk": child("b.vmdk"), "top-delta.vmdk": cowdFile(2), "b.vmdk": vmdkText(5, 6, "top.vmdk", "RW 16 ZERO")}, nil, "which is open already"},
		{"parent is an extent", map[string][]byte{"top.vmdk": child("disk-flat.vmdk"), "top-delta.vmdk": cowdFile(2), "disk-flat.vmdk": flat}, nil, "not this format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			img := opened(t, filepath.Join(folder(t, c.files), "top.vmdk"), imagefmt.Options{}, c.err != "", c.err)
			if img == nil {
				return
			}
			if !slices.Equal(names(img), c.want) || img.Format() != "vmdk" {
				t.Errorf("%s of files %q, want %q", img.Format(), names(img), c.want)
			}
			if b := imagetest.Content(t, img); len(b) != 8192 || b[0] != 1 || c.files["top-delta.vmdk"] != nil && b[4096] != 2 {
				t.Errorf("%d bytes, first %d, middle %d", len(b), b[0], b[4096])
			}
		})
	}
}

// TestVMDKExtents opens extents instead of the disk.
func TestVMDKExtents(t *testing.T) {
	sparse := make([]byte, 1024)
	copy(sparse, "KDMV\x01")
	dir := folder(t, map[string][]byte{
		"a.vmdk": vmdkText(1, 2, ""), "a-s001.vmdk": sparse, "a-000001-delta.vmdk": cowdFile(1), "a-sesparse.vmdk": append([]byte("\xbe\xba\xfe\xca\x00\x00\x00\x00"), sparse...),
		"x.vmdk": sparse, "a-flat.vmdk": []byte("raw"), "b-f001.vmdk": []byte("raw"), "no-flat.img": []byte("raw"), "my-sand.vmdk": []byte("raw"),
	})
	for name, text := range map[string]string{
		"a-s001.vmdk": "open a.vmdk: unsupported", "a-000001-delta.vmdk": "open a-000001.vmdk, which is not beside it", "a-sesparse.vmdk": "open a.vmdk: unsupported",
		"x.vmdk": "open the descriptor (.vmdk) that names it",
	} {
		_, err := imagefmt.Open(filepath.Join(dir, name), imagefmt.Options{})
		if !errors.Is(err, layer.ErrUnsupported) || !strings.Contains(err.Error(), "an extent without its descriptor, "+text) {
			t.Errorf("%s: error %v, want %q", name, err, text)
		}
	}
	for name, text := range map[string]string{"a-flat.vmdk": "open a.vmdk", "b-f001.vmdk": "open b.vmdk, which is not beside it", "no-flat.img": "", "my-sand.vmdk": ""} {
		warned := ""
		img, err := imagefmt.Open(filepath.Join(dir, name), imagefmt.Options{Warn: func(err error) { warned += err.Error() }})
		if err != nil {
			t.Fatal(err)
		}
		img.Close()
		if !strings.HasSuffix(warned, text) || (warned == "") != (text == "") || img.Format() != "raw" {
			t.Errorf("%s: %s, warned %q, want %q", name, img.Format(), warned, text)
		}
	}
}

// TestVMDKEncodings has extents whose names are in other encodings, composed in other ways, or in another case.
func TestVMDKEncodings(t *testing.T) {
	flat := bytes.Repeat([]byte{1}, 8192)
	text := func(label, name string) []byte {
		line := "encoding=\"" + label + "\"\nversion=1"
		return bytes.Replace(vmdkText(5, 0xffffffff, "", `RW 16 FLAT "`+name+`" 0`), []byte("version=1"), []byte(line), 1)
	}
	for _, c := range []struct{ label, name, file string }{
		{"GBK", "\xbb\xe1\xbc\xc6-flat.vmdk", "会计-flat.vmdk"},
		{"GBK", "\xbb\xe1\xbc\xc6-flat.vmdk", "\xbb\xe1\xbc\xc6-flat.vmdk"}, // copied as it is
		{"windows-1252", "B\xfcro \x96 M\xe4rz-flat.vmdk", "Büro – März-flat.vmdk"},
		{"Shift_JIS", "\x89\xef\x8cv-flat.vmdk", "会計-flat.vmdk"},
		{"windows-1252", "Büro-flat.vmdk", "Büro-flat.vmdk"},
		{"UTF-8", "B\u00fcro-flat.vmdk", "Bu\u0308ro-flat.vmdk"},
		{"UTF-8", "Bu\u0308ro-flat.vmdk", "B\u00fcro-flat.vmdk"},
		{"UTF-8", "BÜRO-flat.vmdk", "bu\u0308ro-FLAT.vmdk"},
	} {
		for _, mark := range []string{"", "\xef\xbb\xbf"} {
			dir := folder(t, map[string][]byte{"d.vmdk": append([]byte(mark), text(c.label, c.name)...), c.file: flat})
			img := open(t, filepath.Join(dir, "d.vmdk"))
			if b := imagetest.Content(t, img); !bytes.Equal(b, flat) || len(img.Faults()) > 0 {
				t.Errorf("%s %q: %d bytes, faults %v", c.label, c.name, len(b), img.Faults())
			}
		}
	}
}

// TestVMDKMissingPiece warns of a piece that is gone, and reads the others.
func TestVMDKMissingPiece(t *testing.T) {
	dir := folder(t, map[string][]byte{"a.vmdk": vmdkText(1, 0xffffffff, "", `RW 1 FLAT "a-f001.vmdk" 0`, `RW 1 FLAT "a-f002.vmdk" 0`), "a-f002.vmdk": bytes.Repeat([]byte{7}, 512)})
	var warned []error
	img, err := imagefmt.Open(filepath.Join(dir, "a.vmdk"), imagefmt.Options{Warn: func(err error) { warned = append(warned, err) }})
	if err != nil || len(warned) != 1 || !errors.Is(warned[0], fs.ErrNotExist) {
		t.Fatalf("error %v, warned %v", err, warned)
	}
	defer img.Close()
	p := make([]byte, 512)
	var unknown *layer.UnknownError
	if _, err := img.ReadAt(p, 0); !errors.As(err, &unknown) || unknown.Why != layer.Missing {
		t.Errorf("error %v of the missing piece", err)
	}
	if _, err := img.ReadAt(p, 512); err != nil || p[0] != 7 {
		t.Errorf("the other piece: %v", err)
	}
}

func TestRealVMDK(t *testing.T) {
	img := open(t, testenv.Shared(t, "data", "formats", "ext2.vmdk"))
	want := open(t, testenv.Shared(t, "data", "formats", "ext2.splitraw.000"))
	if !bytes.Equal(imagetest.Content(t, img), imagetest.Content(t, want)) || img.Format() != "vmdk" {
		t.Errorf("%s, or other bytes than the same disk in raw", img.Format())
	}
}
