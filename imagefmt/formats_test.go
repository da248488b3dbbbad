package imagefmt

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
)

// TestTable holds what opening relies on: raw is last and takes everything, no other row takes what has no mark, and
// names and endings are of one format each.
func TestTable(t *testing.T) {
	table := formats()
	seen := make(map[string]bool)
	once := func(s string) {
		if seen[s] {
			t.Errorf("%q is there twice", s)
		}
		seen[s] = true
	}
	blank := strings.Repeat("\x00", format.EndLen)
	for i, f := range table {
		once(f.Name)
		if last := i == len(table)-1; f.Match(blank, blank) != last || f.Match("", "") != last {
			t.Errorf("%s takes a file without a mark, or raw does not", f.Name)
		}
		for _, ending := range f.Endings {
			if once(ending); ending != strings.ToLower(ending) || ending != path.Ext("x"+ending) {
				t.Errorf("%s: ending %q", f.Name, ending)
			}
		}
		if f.Open == nil && (f.ID != nil || f.Part != nil || f.Endings != nil) {
			t.Errorf("%s is refused and has more than a name and a mark", f.Name)
		}
	}
}

// TestUnreadableEnd has files whose last sector cannot be read: the mark at the start is enough, and a file without one may
// be of a format that has it at the end.
func TestUnreadableEnd(t *testing.T) {
	o := &opener{formats: formats()}
	for head, want := range map[string]string{"vhdxfile": "vhdx", "conectix": "vhd", "QFI\xfb": "qcow2", "": ""} {
		src := &imagetest.Failing{Source: bytes.NewReader(append([]byte(head), make([]byte, 8192)...)), Off: 8000, Len: 1000}
		row, err := o.probe(src, 0)
		if (err != nil) != (want == "") || err == nil && o.formats[row].Name != want {
			t.Errorf("%q: row %d, error %v, want %q", head, row, err, want)
		}
	}
}

// plain is a folder of files in memory.
type plain map[string]string

type plainFile struct {
	*strings.Reader
	name string
}

func (f plain) List(string) (names []string, err error) {
	for name := range f {
		names = append(names, name)
	}
	return names, nil
}

func (f plain) Open(name string) (File, error) {
	s, ok := f[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return plainFile{strings.NewReader(s), name}, nil
}

func (f plain) Above(string) Folder                { return nil }
func (f plain) Path(name string) string            { return name }
func (f plain) Outside(_, _ string) (string, bool) { return "", false }
func (f plainFile) Close() error                   { return nil }
func (f plainFile) Modified() time.Time            { return time.Time{} }
func (f plainFile) Same(other File) bool           { return f.name == other.(plainFile).name }

// TestNewFormat opens a disk of a format that the rest of the package has never heard of: one value is all it takes. Its
// files are a mark and the name of the parent, or the disk.
func TestNewFormat(t *testing.T) {
	const mark = "toy\x01"
	toy := format.Format{Name: "toy", Match: format.Begins(mark), Endings: []string{".toy"}, Open: func(src layer.Source, env format.Env) (d format.Disk, err error) {
		d.Created = time.Unix(1, 0)
		b := make([]byte, src.Size())
		if err := layer.ReadFull(src, b, 0); err != nil {
			return d, err
		}
		if text := strings.TrimPrefix(string(b), mark); !strings.HasSuffix(text, ".toy") {
			d.Source = strings.NewReader(text)
		} else if d.Parent, err = env.Files.Parent(format.Lineage{Names: []string{text}, Style: format.Windows, Check: func(layer.Source) error { return nil }}); err == nil {
			d.Source = d.Parent.Source
		}
		return d, err
	}}
	folder := plain{"top.toy": mark + `C:\disks\BASE.toy`, "base.toy": mark + "the disk", "loop.toy": mark + "LOOP.toy", "lost.toy": "no mark"}
	open := func(name string) (*format.Disk, error, error) {
		var warned error
		o := &opener{ctx: t.Context(), formats: append([]format.Format{toy}, formats()...), warn: func(err error) { warned = err }, beside: make(map[folderOf][]identified)}
		d, err := o.disk(place{folder: newListed(folder), name: name})
		return d, err, warned
	}
	d, err, warned := open("top.toy")
	if err != nil || warned != nil {
		t.Fatal(err, warned)
	}
	layers := list(d)
	if len(layers) != 2 || layers[0].Name != "top.toy" || layers[1].Name != "base.toy" || layers[1].Format != "toy" || layers[1].Time.IsZero() || layers[1].Size != 8 {
		t.Errorf("layers %+v", layers)
	}
	if _, err, _ := open("loop.toy"); !errors.Is(err, layer.ErrCorrupt) || !strings.Contains(err.Error(), "is loop.toy, which is open already") {
		t.Errorf("a file that stands on itself: %v", err)
	}
	if d, err, warned := open("lost.toy"); err != nil || d.Format != "raw" || warned == nil || !strings.Contains(warned.Error(), "is named .toy and has no mark") {
		t.Errorf("without its mark: %+v, %v, warned %v", d, err, warned)
	}
}
