package imagefmt_test

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/imagetest"
)

// vdiFile is a disk of one block: there when fill is not 0, else of the parent. Its modification UUID is that of the image and
// changed.
func vdiFile(id, parent, fill, changed byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, 1024)
	for at, v := range map[int]uint32{0x40: 0xbeda107f, 0x44: 0x10001, 0x4c: 1, 0x154: 512, 0x158: 1024, 0x170: 4096, 0x178: 4096, 0x180: 1} {
		le.PutUint32(b[at:], v)
	}
	if parent != 0 {
		b[0x4c] = 4
	}
	for i, v := range []byte{id, id + changed, parent, parent} {
		copy(b[0x188+16*i:], bytes.Repeat([]byte{v}, 16))
	}
	if fill == 0 {
		le.PutUint32(b[512:], 0xffffffff)
		return b
	}
	return append(b, bytes.Repeat([]byte{fill}, 4096)...)
}

func TestVDIParents(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string][]byte // besides {top}.vdi
		want  []string          // open files
		fill  byte
		text  string // of the error, or the warning
	}{
		{"found", map[string][]byte{"a.vdi": vdiFile(7, 0, 7, 0), "b.VDI": vdiFile(1, 0, 1, 0), "c.vdi": []byte("junk"), "d.vdi/x": nil}, []string{"{top}.vdi", "b.VDI"}, 1, ""},
		{"grandparent", map[string][]byte{"a.vdi": vdiFile(1, 3, 0, 0), "b.vdi": vdiFile(3, 0, 3, 0)}, []string{"{top}.vdi", "a.vdi", "b.vdi"}, 3, ""},
		{"changed copy", map[string][]byte{"a.vdi": vdiFile(1, 0, 9, 5), "b.vdi": vdiFile(1, 0, 1, 0)}, []string{"{top}.vdi", "b.vdi"}, 1, ""},
		{"changed", map[string][]byte{"a.vdi": vdiFile(1, 0, 9, 5)}, []string{"{top}.vdi", "a.vdi"}, 9, "it was changed after this image was made"},
		{"gone", map[string][]byte{"a.vdi": vdiFile(7, 0, 7, 0), "b.img": vdiFile(1, 0, 1, 0)}, nil, 0, "parent 01010101-0101-0101-0101-010101010101: no file beside {top}.vdi, below it or in the folder above has this identifier"},
		{"loop", map[string][]byte{"a.vdi": vdiFile(1, 2, 0, 0)}, nil, 0, "{top}.vdi, which is open already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.files["{top}.vdi"] = vdiFile(2, 1, 0, 0)
			warned := ""
			img := opened(t, filepath.Join(folder(t, c.files), "{top}.vdi"), imagefmt.Options{Warn: func(err error) { warned += err.Error() }}, c.want == nil, c.text)
			if img == nil {
				return
			}
			if !slices.Equal(names(img), c.want) || img.Format() != "vdi" {
				t.Errorf("%s of files %q, want %q", img.Format(), names(img), c.want)
			}
			if b := imagetest.Content(t, img); b[0] != c.fill || b[4095] != c.fill {
				t.Errorf("bytes %d, want %d", b[0], c.fill)
			}
			if !strings.Contains(warned, c.text) || (warned == "") != (c.text == "") {
				t.Errorf("warned %q, want %q", warned, c.text)
			}
		})
	}
}
