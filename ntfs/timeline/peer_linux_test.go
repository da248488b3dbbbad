package timeline_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/timeline"
)

// volumeOf names points as a command does.
func volumeOf(points []*ntfs.Tree) *timeline.Volume {
	v := &timeline.Volume{}
	for i, t := range points {
		p := timeline.Point{Name: fmt.Sprint("point", i), Time: time.Date(2026, 3, i+1, 0, 0, 0, 0, time.UTC), Tree: t}
		if i == len(points)-1 {
			p.Name, p.Time = "current", time.Time{}
		}
		v.Points = append(v.Points, p)
	}
	return v
}

// export writes a timeline to a file.
func export(t *testing.T, v *timeline.Volume, format string, o timeline.RowOptions) string {
	t.Helper()
	return written(t, v.Rows(t.Context(), o), format)
}

// written writes rows to a file.
func written(t *testing.T, rows iter.Seq2[*timeline.Row, error], format string) string {
	t.Helper()
	var out bytes.Buffer
	w := timeline.NewWriter(format, &out)
	for r, err := range rows {
		if err == nil {
			err = w.Write(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "timeline")
	if err := errors.Join(w.Close(), os.WriteFile(path, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// bodyLines gives name, record, mode, size and times of each line. Left out are what fls and we call by other names, or
// measure otherwise: indexes, their sizes, streams of directories, and $MFT's times, whose 0 fls takes for 2076.
func bodyLines(t *testing.T, body []byte) (out []string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSuffix(string(body), "\n"), "\n") {
		f := strings.Split(line, "|")
		if len(f) != 11 {
			t.Errorf("%q: %d fields, want 11", line, len(f))
			continue
		}
		name, record := f[1], strings.Split(f[2], "-")[0]
		if strings.HasPrefix(f[3], "d/") && !strings.HasSuffix(name, "($FILE_NAME)") {
			f[6] = "of the index"
		}
		special := strings.HasPrefix(name, "/$Extend/") || strings.HasPrefix(name, "/$Secure") || strings.HasPrefix(name, "/$OrphanFiles") || name == "/$MFT" || strings.HasPrefix(f[3], "V/")
		if !special {
			out = append(out, strings.Join(append([]string{name, record, f[3], f[6]}, f[7:]...), "|"))
		}
	}
	slices.Sort(out)
	return out
}

// TestFls compares with fls at one point, and lets mactime read the result.
func TestFls(t *testing.T) {
	fls, mactime := testenv.Peer(t, "fls"), testenv.Peer(t, "mactime")
	qemu := testenv.Peer(t, "qemu-img")
	for _, name := range []string{"vsstest.qcow2", "windows_volume.qcow2"} {
		t.Run(name, func(t *testing.T) {
			raw := filepath.Join(t.TempDir(), "raw")
			testenv.Run(t, qemu, "convert", "-O", "raw", testenv.Shared(t, "data", name), raw)
			points := volumes(t, raw)[0]
			v := volumeOf(points[len(points)-1:])
			want := bodyLines(t, testenv.Run(t, fls, "-m", "/", "-r", raw))
			got := export(t, v, "bodyfile", timeline.RowOptions{System: true})
			b, err := os.ReadFile(got)
			if err != nil {
				t.Fatal(err)
			}
			lines := bodyLines(t, b)
			for _, l := range lines {
				if !slices.Contains(want, l) {
					t.Errorf("only we have %s", l)
				}
			}
			for _, l := range want {
				if !slices.Contains(lines, l) {
					t.Errorf("only fls has %s", l)
				}
			}
			t.Logf("%d lines", len(want))
			table := testenv.Run(t, mactime, "-d", "-z", "UTC", "-b", got)
			if !bytes.Contains(table, []byte("($FILE_NAME)")) || bytes.Count(table, []byte("\n")) < len(lines) {
				t.Errorf("mactime made %d lines of %d", bytes.Count(table, []byte("\n")), len(lines))
			}
		})
	}
}

// TestParquet reads a timeline back with the library; TestDuckDB has another reader.
func TestParquet(t *testing.T) {
	points, truth := story(t)
	path := export(t, volumeOf(points), "parquet", timeline.RowOptions{})
	type row struct {
		Path   string `parquet:"path"`
		Record int64  `parquet:"record"`
		Size   int64  `parquet:"size"`
		Kind   string `parquet:"kind"`
		From   string `parquet:"valid_from"`
		To     string `parquet:"valid_to"`
		Mtime  *int64 `parquet:"si_mtime,optional"`
		Ticks  *int64 `parquet:"si_mtime_ticks,optional"`
	}
	rows, err := parquet.ReadFile[row](path)
	if err != nil {
		t.Fatal(err)
	}
	last := truth[len(truth)-1]
	for _, r := range rows {
		w, ok := last[r.Path]
		if r.To != "current" || r.Kind == "stream" || !ok {
			continue
		}
		if uint64(r.Record) != w.record || r.Size != w.size || *r.Ticks != int64(w.modified) || *r.Mtime != w.modified.Time().UnixNano() {
			t.Errorf("%+v, want %+v", r, w)
		}
		delete(last, r.Path)
	}
	if len(last) > 0 {
		t.Errorf("missing: %v", last)
	}
}

// TestPointRows has a row for each point and path.
func TestPointRows(t *testing.T) {
	points, truth := story(t)
	got := make([]map[string]seen, len(points))
	for i := range got {
		got[i] = map[string]seen{}
	}
	for r, err := range volumeOf(points).Rows(t.Context(), timeline.RowOptions{Points: true}) {
		if err != nil || r.First != r.Last {
			t.Fatal(r, err)
		}
		if r.Stream == "" && !r.Node.Deleted {
			if _, twice := got[r.First][r.Path]; twice {
				t.Errorf("point %d: %s: twice", r.First, r.Path)
			}
			got[r.First][r.Path] = seen{r.Node.Ref.Record, r.Size, r.Node.Times.Modified}
		}
	}
	compareSeen(t, got, truth)
}

// broken is a volume of which a range cannot be read, or is not what it was.
type broken struct {
	layer.Source
	off, n int64
	flip   bool
}

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	hit := off < b.off+b.n && b.off < off+int64(len(p))
	if hit && !b.flip {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.Source.ReadAt(p, off)
	if hit {
		for i := max(off, b.off); i < min(b.off+b.n, off+int64(n)); i++ {
			p[i-off] ^= 0x5a
		}
	}
	return n, err
}

// TestDamage has a range of the $MFT that is lost, or damaged, at one of two points: no other record changes.
func TestDamage(t *testing.T) {
	image := filepath.Join(t.TempDir(), "raw")
	testenv.Run(t, testenv.Peer(t, "qemu-img"), "convert", "-O", "raw", testenv.Shared(t, "data", "windows_volume.qcow2"), image)
	good := testenv.Open(t, image)
	tree := open(t, good)
	size := int64(tree.RecordSize())
	const first, count = 40, 3
	e, err := layer.Leaf(tree.MFT(), first*size, count*size)
	if err != nil || e.Len < count*size {
		t.Fatal(e, err)
	}
	whole := told(t, []*ntfs.Tree{tree})[0]
	for _, flip := range []bool{false, true} {
		bad := open(t, &broken{good, e.BaseOff, count * size, flip})
		got, lost := map[string]bool{}, 0
		points := []*ntfs.Tree{tree, bad, tree}
		d := timeline.ReadDirs(t.Context(), points, nil)
		for v, err := range timeline.Versions(t.Context(), points, timeline.Options{}) {
			var gap *timeline.Gap
			if errors.As(err, &gap) {
				if gap.First != 1 || gap.Last != 1 || gap.From < first || gap.To > first+count {
					t.Errorf("%+v", gap)
				}
				lost += int(gap.To - gap.From)
				continue
			}
			r := v.Node.Ref.Record
			if in := r >= first && r < first+count; !in && (v.First != 0 || v.Last != 2) || in && (v.First == 1 || v.Last == 1) {
				t.Errorf("%v: from %d to %d", v.Node.Ref, v.First, v.Last)
			}
			if !v.Node.Deleted && v.First == 0 {
				for _, n := range v.Names {
					if n.Namespace != ntfs.NamespaceDOS && r != 5 {
						got[d.Paths(n, 0, 0)[0].Path] = true
					}
				}
			}
		}
		if names, told := deleted(t, []*ntfs.Tree{tree, bad}); len(names) > 0 || !told {
			t.Errorf("flip %v: deleted, though the newest point cannot be read there: %q; told %v", flip, names, told)
		}
		if lost != count || len(got) != len(whole) {
			t.Errorf("flip %v: %d records lost, want %d; %d paths at the first point, want %d", flip, lost, count, len(got), len(whole))
		}
	}
}

// deleted gives the files that were seen alive and that the newest point lacks, and whether anything could not be told.
func deleted(t *testing.T, points []*ntfs.Tree) (names []string, told bool) {
	t.Helper()
	for h, err := range timeline.Find(t.Context(), points, timeline.ReadDirs(t.Context(), points, nil), timeline.Query{Deleted: true}, nil) {
		if told = told || err != nil; err == nil && !h.Deleted {
			names = append(names, h.Path)
		}
	}
	return names, told
}

func open(t testing.TB, s layer.Source) *ntfs.Tree {
	t.Helper()
	nt, err := ntfs.Open(s, ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return nt
}
