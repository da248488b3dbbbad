package imagefmt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
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
	"snapmount/imagefmt/raw"
	"snapmount/imagefmt/wintype"
)

// vhdxFile is a disk of one block of 1 MiB: full of its identifier when it has no parent, else without the block.
func vhdxFile(id, parentID byte, paths ...string) []byte {
	const mib = 1 << 20
	le := binary.LittleEndian
	b := make([]byte, 4*mib)
	put := func(at int, parts ...any) {
		for _, p := range parts {
			n, err := binary.Encode(b[at:], le, p)
			if err != nil {
				panic(err)
			}
			at += n
		}
	}
	guid := func(s string) wintype.GUID {
		g, err := wintype.ParseGUID(s)
		if err != nil {
			panic(err)
		}
		return g
	}
	fill := func(c byte) [16]byte { return [16]byte(bytes.Repeat([]byte{c}, 16)) }
	seal := func(b []byte) { le.PutUint32(b[4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))) }

	put(0, []byte("vhdxfile"))
	for i := range 2 {
		at := (i + 1) << 16
		put(at, []byte("head"), uint32(0), uint64(i), fill(0xf0), fill(id), fill(0), uint16(0), uint16(1), uint32(mib), uint64(mib))
		seal(b[at : at+4096])
	}
	put(3<<16, []byte("regi"), uint32(0), uint64(2), guid("2dc27766-f623-4200-9d64-115e9bfd4a08"), uint64(2*mib), uint32(mib), uint32(1),
		guid("8b7ca206-4790-4b9a-b8fe-575f050f886e"), uint64(3*mib), uint32(mib), uint32(1))
	seal(b[3<<16 : 4<<16])

	var pairs []string
	if paths != nil {
		pairs = []string{"parent_linkage", fmt.Sprintf("{%s}", wintype.GUID(fill(parentID)))}
		for i, p := range paths {
			pairs = append(pairs, []string{"relative_path", "volume_path", "absolute_win32_path"}[i], p)
		}
	}
	const items = 64 << 10
	put(3*mib, []byte("metadata"), uint16(0), uint16(4))
	for i, g := range []string{"caa16737-fa36-4d43-b3b6-33f0aa44e76b", "2fa54224-cd1b-4876-b211-5dbed83bf4b8", "8141bf1d-a96f-4709-ba47-f233a8faab5f", "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"} {
		put(3*mib+32+32*i, guid(g), uint32(items+4096*i), uint32([]int{8, 8, 4, 4096}[i]), uint32(4))
	}
	put(3*mib+items, uint32(mib), uint32(2*min(1, len(paths))))
	put(3*mib+items+4096, uint64(mib))
	put(3*mib+items+2*4096, uint32(512))
	put(3*mib+items+3*4096, guid("b04aefb7-d19e-4a81-b789-25b8e9445913"), uint16(0), uint16(len(pairs)/2))
	at := 1024
	for i, s := range pairs {
		text := utf16.Encode([]rune(s))
		put(3*mib+items+3*4096+at, text)
		row := 3*mib + items + 3*4096 + 20 + i/2*12
		put(row+i%2*4, uint32(at))
		put(row+8+i%2*2, uint16(2*len(text)))
		at += 2 * len(text)
	}
	if paths == nil {
		put(2*mib, uint64(4*mib|6))
		b = append(b, bytes.Repeat([]byte{id}, mib)...)
	}
	return b
}

func TestVHDXParents(t *testing.T) {
	base := vhdxFile(1, 0)
	const absolute = `\\?\C:\VMs\Base.vhdx`
	for _, c := range []struct {
		name  string
		paths []string // of the parent, in the child
		files map[string][]byte
		want  []string // open files
		warn  string
		err   string
	}{
		{"relative", []string{`.\base.vhdx`}, map[string][]byte{"base.vhdx": base}, []string{"base.vhdx"}, "", ""},
		{"below", []string{`sub\base.vhdx`}, map[string][]byte{"sub/base.vhdx": base}, []string{"base.vhdx"}, "", ""},
		{"above", []string{`..\..\vm\base.vhdx`}, map[string][]byte{"base.vhdx": base}, []string{"base.vhdx"}, "", ""},
		{"volume", []string{`x.vhdx`, `\\?\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\vm\BASE.VHDX`}, map[string][]byte{"base.vhdx": base}, []string{"base.vhdx"}, "", ""},
		{"absolute", []string{`x.vhdx`, `y.vhdx`, absolute}, map[string][]byte{"Base.vhdx": base, "x.vhdx": vhdxFile(9, 0)}, []string{"Base.vhdx"}, "", ""},
		{"renamed", []string{absolute}, map[string][]byte{"a.vhdx": vhdxFile(9, 0), "b.vhdx": nil, "copy of base.VHDX": base}, []string{"copy of base.VHDX"}, "copy of base.VHDX has its identifier", ""},
		{"renamed, others broken", []string{absolute}, map[string][]byte{"a.vhdx": []byte("vhdxfile"), "c.vhdx": []byte("short"), "d.vhdx": base}, []string{"d.vhdx"}, "d.vhdx has its identifier", ""},
		{"checkpoints", []string{`mid.avhdx`}, map[string][]byte{"mid.avhdx": vhdxFile(1, 3, absolute), "old.avhdx": vhdxFile(3, 4, "Base.vhdx"), "Base.vhdx": vhdxFile(4, 0)},
			[]string{"mid.avhdx", "old.avhdx", "Base.vhdx"}, "mid.avhdx: the parent is not where its names lead to, but old.avhdx has its identifier", ""},
		{"same name", []string{`C:\parents\top.avhdx`}, map[string][]byte{"other.vhdx": base}, []string{"other.vhdx"}, "other.vhdx has its identifier", ""},
		{"in the folder above", []string{absolute}, map[string][]byte{"../any.vhdx": base}, []string{"any.vhdx"}, "any.vhdx has its identifier", ""},
		{"in a folder below", []string{absolute}, map[string][]byte{"sub/any.vhdx": base}, []string{"any.vhdx"}, "sub/any.vhdx has its identifier", ""},
		{"absent", []string{absolute}, nil, nil, "", "Base.vhdx is not beside top.avhdx"},
		{"outside", []string{`..\..\outside.vhdx`}, nil, nil, "", "outside.vhdx is not beside top.avhdx"},
		{"other disk", []string{`base.vhdx`}, map[string][]byte{"base.vhdx": vhdxFile(9, 0)}, nil, "", "id 09090909-0909-0909-0909-090909090909, want 01010101"},
		{"no disk", []string{`base.vhdx`}, map[string][]byte{"base.vhdx": make([]byte, 4096)}, nil, "", "not this format"},
		{"itself", []string{`C:\other\top.avhdx`}, nil, nil, "", "top.avhdx, which is open already"},
		{"grandparent absent", []string{`mid.avhdx`}, map[string][]byte{"mid.avhdx": vhdxFile(1, 3, absolute)}, nil, "", "Base.vhdx is not beside mid.avhdx"},
		{"loop", []string{`mid.avhdx`}, map[string][]byte{"mid.avhdx": vhdxFile(1, 2, "top.avhdx")}, nil, "", "top.avhdx, which is open already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string][]byte{"x/vm/top.avhdx": vhdxFile(2, 1, c.paths...), "outside.vhdx": base}
			for name, b := range c.files {
				files["x/vm/"+name] = b
			}
			var warned []string
			img := opened(t, filepath.Join(folder(t, files), "x", "vm", "top.avhdx"), imagefmt.Options{Warn: func(err error) { warned = append(warned, err.Error()) }}, c.err != "", c.err)
			if img == nil {
				return
			}
			if want := append([]string{"top.avhdx"}, c.want...); !slices.Equal(names(img), want) || img.Format() != "vhdx" {
				t.Errorf("%s of files %q, want %q", img.Format(), names(img), want)
			}
			if all := strings.Join(warned, "; "); !strings.Contains(all, c.warn) || (all == "") != (c.warn == "") {
				t.Errorf("warned %q, want %q", all, c.warn)
			}
			want := byte(1)
			if c.name == "checkpoints" {
				want = 4
			}
			for e, err := range layer.Resolve(img, 0, img.Size()) {
				f, ok := e.Base.(*raw.File)
				if err != nil || !ok || filepath.Base(f.File().Name()) != c.want[len(c.want)-1] {
					t.Errorf("extent %+v, error %v, want it in the last file", e, err)
				}
			}
			if !bytes.Equal(imagetest.Content(t, img), bytes.Repeat([]byte{want}, 1<<20)) {
				t.Error("other bytes")
			}
		})
	}
}

// TestVHDXChainDepth holds that long chains open, and that a failed search leaves no file open.
func TestVHDXChainDepth(t *testing.T) {
	chain := func(n byte) string {
		files := map[string][]byte{fmt.Sprint(n, ".vhdx"): vhdxFile(n+1, 0)}
		for i := range n {
			files[fmt.Sprint(i, ".vhdx")] = vhdxFile(i+1, i+2, fmt.Sprint(i+1, ".vhdx"))
		}
		return filepath.Join(folder(t, files), "0.vhdx")
	}
	if img := open(t, chain(33)); len(img.Files()) != 34 {
		t.Errorf("%d files, want 34", len(img.Files()))
	}
	files := make(map[string][]byte)
	for i := range byte(12) { // the last has no parent, to which each has three names
		next := fmt.Sprint(i+1, ".vhdx")
		files[fmt.Sprint(i, ".vhdx")] = vhdxFile(i+1, i+2, next, `.\`+next, `C:\`+next)
	}
	begin := time.Now()
	if _, err := imagefmt.Open(filepath.Join(folder(t, files), "0.vhdx"), imagefmt.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if s := time.Since(begin); s > 30*time.Second {
		t.Errorf("took %v", s)
	}
	before, _ := os.ReadDir("/proc/self/fd")
	path := filepath.Join(folder(t, map[string][]byte{"a.vhdx": vhdxFile(2, 1, "x"), "b.vhdx": vhdxFile(1, 3, "y")}), "a.vhdx")
	for range 20 {
		if _, err := imagefmt.Open(path, imagefmt.Options{}); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if after, _ := os.ReadDir("/proc/self/fd"); len(after) > len(before)+5 {
		t.Errorf("%d open files, %d before", len(after), len(before))
	}
}
