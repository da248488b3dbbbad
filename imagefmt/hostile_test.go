package imagefmt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"snapmount/imagefmt"
	"snapmount/imagefmt/layer"
)

// memFolder is a Folder in memory that counts what is asked of it.
type memFolder struct {
	files        map[string][]byte
	names        []string // instead of those in files
	opens, lists int
	open         int // files that are not closed
}

type memFile struct {
	*bytes.Reader
	name   string
	folder *memFolder
}

func (f *memFolder) Above(string) imagefmt.Folder       { return nil }
func (f *memFolder) Path(name string) string            { return name }
func (f *memFolder) Outside(_, _ string) (string, bool) { return "", false }
func (f memFile) Modified() time.Time                   { return time.Time{} }
func (f memFile) Same(other imagefmt.File) bool         { return other.(memFile).name == f.name }
func (f memFile) Close() error                          { f.folder.open--; return nil }

func (f *memFolder) List(dir string) ([]string, error) {
	f.lists++
	if f.names != nil {
		return f.names, nil
	}
	var names []string
	for name := range f.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

func (f *memFolder) Open(name string) (imagefmt.File, error) {
	f.opens++
	b, ok := f.files[name]
	if !ok && f.names == nil {
		return nil, fs.ErrNotExist
	}
	f.open++
	return memFile{bytes.NewReader(b), name, f}, nil
}

// bounded opens an image and holds time, memory, and the number of files tried and left open to limits.
func bounded(t *testing.T, f *memFolder, name string) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	img, err := imagefmt.OpenIn(f, name, imagefmt.Options{})
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	t.Logf("%v, %d files opened, %d lists, %d MiB allocated: %.200v", took, f.opens, f.lists, (after.TotalAlloc-before.TotalAlloc)>>20, err)
	if err == nil {
		err = img.Close()
	}
	if took > 10*time.Second || f.opens > 25_000 || f.open != 0 || after.HeapAlloc > before.HeapAlloc+512<<20 || f.lists > 100 {
		t.Errorf("too much: %d files are left open, %d lists", f.open, f.lists)
	}
	if err != nil && len(err.Error()) > 20_000 {
		t.Errorf("an error of %d bytes: %.300v", len(err.Error()), err)
	}
	return err
}

// TestExponential has images that each name the next one under two names, down to one that is not there.
func TestExponential(t *testing.T) {
	const n = 60
	f := &memFolder{files: map[string][]byte{}}
	for i := range byte(n) {
		child := vhdFile(i+1, i+2, fmt.Sprintf("a%d.vhd", i+1))
		f.files[fmt.Sprintf("a%d.vhd", i)] = child
		f.files["named.vhd"] = child // the second name that each has
	}
	if err := bounded(t, f, "a0.vhd"); err == nil {
		t.Error("opened")
	}
	f = &memFolder{files: map[string][]byte{}}
	for i := range byte(n) {
		for _, which := range []string{"a", "b"} {
			f.files[fmt.Sprintf("%s%d.vhd", which, i)] = vhdTwice(i+1, i+2, fmt.Sprintf("a%d.vhd", i+1), fmt.Sprintf("b%d.vhd", i+1))
		}
	}
	if err := bounded(t, f, "a0.vhd"); !errors.Is(err, fs.ErrNotExist) || len(err.Error()) > 200 {
		t.Errorf("error %v", err)
	}
}

// TestExponentialEnds has the same with an end that is not there: above it nothing is tried again.
func TestExponentialEnds(t *testing.T) {
	f := &memFolder{files: map[string][]byte{}}
	for i := range byte(25) {
		for _, which := range []string{"a", "b"} {
			f.files[fmt.Sprintf("%s%d.vhd", which, i)] = vhdTwice(i+1, i+2, fmt.Sprintf("a%d.vhd", i+1), fmt.Sprintf("b%d.vhd", i+1))
		}
	}
	if err := bounded(t, f, "a0.vhd"); !errors.Is(err, fs.ErrNotExist) || f.opens > 200 {
		t.Errorf("error %v", err)
	}
}

// TestManyExtents has a descriptor whose extents are descriptors that have extents.
func TestManyExtents(t *testing.T) {
	const n = 10_000
	f := &memFolder{files: map[string][]byte{}}
	var lines []string
	for i := range n {
		name := fmt.Sprintf("d%d.vmdk", i)
		lines = append(lines, `RW 8 SPARSE "`+name+`"`)
		f.files[name] = vmdkText(1, 0xffffffff, "", `RW 8 SPARSE "top.vmdk"`, `RW 8 SPARSE "d0.vmdk"`)
	}
	f.files["top.vmdk"] = vmdkText(1, 0xffffffff, "", lines...)
	if err := bounded(t, f, "top.vmdk"); err == nil {
		t.Error("opened")
	}
	for name := range f.files {
		f.files[name] = bytes.Repeat([]byte{1}, 4096)
	}
	f.files["top.vmdk"] = vmdkText(1, 0xffffffff, "", strings.ReplaceAll(strings.Join(lines[:2000], "\n"), "SPARSE", "FLAT"))
	f.opens = 0
	if err := bounded(t, f, "top.vmdk"); err != nil {
		t.Errorf("2,000 sound pieces: %v", err)
	}
}

// TestManyDisks has a chain of disks among thousands that are not of it, for formats that look through the folder.
func TestManyDisks(t *testing.T) {
	f := &memFolder{files: map[string][]byte{}}
	for i := range 5000 {
		f.files[fmt.Sprintf("x%d.vdi", i)] = vdiChild(9000+i, 0)
	}
	for i := range 60 {
		f.files[fmt.Sprintf("y%d.vdi", i)] = vdiChild(i+1, i+2)
	}
	if err := bounded(t, f, "y0.vdi"); err == nil {
		t.Error("opened")
	}
}

// TestManyParts has split images of a hundred thousand parts, by either kind of name.
func TestManyParts(t *testing.T) {
	for _, name := range []string{"d.000", "d.aaaaa"} {
		f := &memFolder{}
		for i := range 100_000 {
			part := fmt.Sprintf("d.%03d", i)
			if name == "d.aaaaa" {
				b := []byte("d.aaaaa")
				for k, v := 6, i; k > 1; k, v = k-1, v/26 {
					b[k] += byte(v % 26)
				}
				part = string(b)
			}
			f.names = append(f.names, part)
		}
		if err := bounded(t, f, name); !errors.Is(err, layer.ErrUnsupported) {
			t.Errorf("error %v", err)
		}
	}
}

// vhdTwice is vhdFile with two paths of the parent.
func vhdTwice(id, parentID byte, first, second string) []byte {
	be, b := binary.BigEndian, vhdFile(id, parentID, first)
	h := b[512:][:1024]
	copy(h[600:], "W2ru")
	be.PutUint32(h[608:], uint32(2*len(second)))
	be.PutUint64(h[616:], 2304)
	for i, c := range utf16.Encode([]rune(second)) {
		binary.LittleEndian.PutUint16(b[2304+2*i:], c)
	}
	clear(h[36:40])
	sealed(h, 36)
	return b
}

// vdiChild is vdiFile with numbers for UUIDs.
func vdiChild(id, parent int) []byte {
	b := vdiFile(1, 1, 0, 0)
	for i, v := range []int{id, id, parent, parent} {
		binary.LittleEndian.PutUint32(b[0x188+16*i:], uint32(v))
	}
	return b
}
