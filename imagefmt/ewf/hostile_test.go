package ewf_test

import (
	"bytes"
	"errors"
	"hash/adler32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/ewf"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
)

// openFiles opens segments in memory; a nil one is not there.
func openFiles(segments [][]byte, env format.Env) (*ewf.Disk, error) {
	files := map[string][]byte{}
	for i, b := range segments {
		if name, ok := ewf.SegmentName("a.E01", i+1); ok && b != nil {
			files[name] = b
		}
	}
	env.Name, env.Files = "a.E01", imagetest.Files{Format: ewf.Format, Get: imagetest.InMemory(files)}
	return ewf.Open(bytes.NewReader(segments[0]), env)
}

func openBytes(t testing.TB, segments [][]byte, env format.Env) *ewf.Disk {
	t.Helper()
	d, err := openFiles(segments, env)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// damage opens segments that were edited, and compares with content: exactly the range [off, off+n) must be errors or
// missing, and what the image says was not acquired be that.
func damage(t *testing.T, files [][]byte, content []byte, off, n int, warned string) {
	t.Helper()
	var warnings []string
	d := openBytes(t, files, format.Env{Warn: func(err error) { warnings = append(warnings, err.Error()) }})
	if all := strings.Join(warnings, "; "); !strings.Contains(all, warned) || (warned == "") != (all == "") {
		t.Errorf("warned %q, want %q", all, warned)
	}
	if d.Size() != int64(len(content)) {
		t.Fatalf("size %d, want %d", d.Size(), len(content))
	}
	p := make([]byte, 512)
	for at := 0; at < len(content); at += len(p) {
		k, err := d.ReadAt(p, int64(at))
		bad, skipped := at >= off && at < off+n, notAcquired(d, at)
		var unknown *layer.UnknownError
		if errors.As(err, &unknown) {
			zeros := bytes.Clone(p)
			want := layer.Missing
			if skipped && !bad {
				want = layer.NotAcquired
			}
			if _, err := layer.Read(d, zeros, int64(at), layer.Zeros); unknown.Why != want || k != 0 || err != nil || !bytes.Equal(zeros, make([]byte, 512)) {
				t.Fatalf("at %d: %v, want %v; as zeros %v", at, unknown, want, err)
			}
		}
		if (bad || skipped) != (err != nil) || bad && (!errors.Is(err, layer.ErrCorrupt) && unknown == nil || k != 0) || skipped && unknown == nil {
			t.Fatalf("at %d: %d bytes, %v, want an error: %v", at, k, err, bad)
		}
		if !bad && !skipped && !bytes.Equal(p, content[at:at+512]) {
			t.Fatalf("at %d: other bytes", at)
		}
	}
	at := int64(0)
	for e := range layer.Extents(d, 0, d.Size()) {
		if e.Off != at || e.Len <= 0 {
			t.Fatalf("extent %+v, want one at %d", e, at)
		}
		at += e.Len
	}
	if at != d.Size() {
		t.Errorf("extents end at %d", at)
	}
}

// notAcquired reports whether the image says that it has not read the sector at a byte offset.
func notAcquired(d *ewf.Disk, at int) bool {
	return slices.ContainsFunc(d.Info().ReadErrors, func(s format.Sectors) bool {
		return int64(at)/512 >= s.First && int64(at)/512 < s.First+s.Count
	})
}

// reseal mends the Adler-32 of the n bytes before at.
func reseal(b []byte, at, n int) { le.PutUint32(b[at:], adler32.Checksum(b[at-n:at])) }

// where finds the nth section of a kind.
func where(t *testing.T, b []byte, kind string, nth int) int {
	t.Helper()
	key := append([]byte(kind), make([]byte, 16-len(kind))...)
	at := 0
	for ; nth >= 0; nth-- {
		i := bytes.Index(b[at:], key)
		if i < 0 {
			t.Fatalf("no section %s", kind)
		}
		at += i + 1
	}
	return at - 1
}

// loseTables damages the headers of tables and of their copies.
func loseTables(t *testing.T, b []byte, list ...int) []byte {
	for _, i := range list {
		b[where(t, b, "table", i)+76+1]++
		b[where(t, b, "table2", i)+76+1]++
	}
	return b
}

// TestDamageIsLocal edits an image of three tables of 10, 10 and 5 chunks of 1,024 bytes; the last chunk is short.
func TestDamageIsLocal(t *testing.T) {
	content := layertest.Mixed(200_000, 24*1024+512, 20)
	for i := range content {
		content[i] ^= byte(i >> 10) // no two chunks are alike
	}
	const span = 10 * 1024
	whole := len(content)
	for _, c := range []struct {
		name   string
		edit   func(b []byte) []byte
		off, n int
		warned string
	}{
		{"nothing", func(b []byte) []byte { return b }, 0, 0, ""},
		{"chunk as it is", func(b []byte) []byte { // chunk 2
			b[bytes.Index(b, content[2048:3072])+100]++
			return b
		}, 2048, 1024, ""},
		{"packed chunk", func(b []byte) []byte { b[where(t, b, "sectors", 0)+76+40]++; return b }, 0, 1024, ""},
		{"descriptor of sectors", func(b []byte) []byte { b[where(t, b, "sectors", 1)+20]++; return b }, 0, 0, `"sectors" with a wrong checksum`},
		{"descriptor of table", func(b []byte) []byte { b[where(t, b, "table", 1)+40]++; return b }, 0, 0, `"table" with a wrong checksum`},
		{"descriptor of table2", func(b []byte) []byte { b[where(t, b, "table2", 1)+40]++; return b }, 0, 0, `"table2" with a wrong checksum`},
		{"kind of table", func(b []byte) []byte { b[where(t, b, "table", 1)]++; return b }, 0, 0, "wrong checksum"},
		{"table, its copy is used", func(b []byte) []byte { b[where(t, b, "table", 0)+76+24+4]++; return b }, 0, 0, "its copy at"},
		{"table header, its copy is used", func(b []byte) []byte { b[where(t, b, "table", 0)+76+1]++; return b }, 0, 0, "its copy at"},
		{"copy only", func(b []byte) []byte { b[where(t, b, "table2", 0)+76+24+4]++; return b }, 0, 0, ""},
		{"both tables, a wrong offset", func(b []byte) []byte { // chunk 4 and both beside it that it may hide
			b[where(t, b, "table", 0)+76+24+16+2]++
			b[where(t, b, "table2", 0)+76+24+16+2]++
			return b
		}, 3 * 1024, 3 * 1024, "used where its offsets are in order"},
		{"both table headers", func(b []byte) []byte { return loseTables(t, b, 1) }, span, span, "cannot be found"},
		{"two tables lost, one after the other", func(b []byte) []byte { return loseTables(t, b, 0, 1) }, 0, 2 * span, "cannot be found"},
		{"two tables lost, one between them", func(b []byte) []byte { return loseTables(t, b, 0, 2) }, 0, whole, "cannot be found"},
		{"cut in the last sectors", func(b []byte) []byte { return b[:where(t, b, "sectors", 2)+100] }, 2 * span, whole - 2*span, "cut short"},
		{"cut before done", func(b []byte) []byte { return b[:where(t, b, "done", 0)] }, 0, 0, "cut short"},
		{"cut within the first table", func(b []byte) []byte { return b[:where(t, b, "table", 0)+90] }, 0, whole, "cut short"},
		{"hash", func(b []byte) []byte { b[where(t, b, "hash", 0)+80]++; return b }, 0, 0, "hash section at"},
		{"size against offset", func(b []byte) []byte {
			at := where(t, b, "table2", 2)
			b[at+24]++
			reseal(b, at+72, 72)
			return b
		}, 0, 0, "but the next one is at"},
		{"loop", func(b []byte) []byte {
			at := where(t, b, "sectors", 2)
			le.PutUint64(b[at+16:], 13)
			reseal(b, at+72, 72)
			return b
		}, 0, 0, `"sectors" goes on at 0xd`},
		{"far away", func(b []byte) []byte {
			at := where(t, b, "sectors", 2)
			le.PutUint64(b[at+16:], 1<<60)
			reseal(b, at+72, 72)
			return b
		}, 2 * span, whole - 2*span, "cut short"},
		{"count of entries", func(b []byte) []byte {
			for _, k := range []string{"table", "table2"} {
				at := where(t, b, k, 2) + 76
				le.PutUint32(b[at:], 1<<32-1)
				reseal(b, at+20, 20)
			}
			return b
		}, 2 * span, whole - 2*span, "4294967295 entries"},
		{"base", func(b []byte) []byte {
			for _, k := range []string{"table", "table2"} {
				at := where(t, b, k, 2) + 76
				le.PutUint64(b[at+8:], 1<<63+5)
				reseal(b, at+20, 20)
			}
			return b
		}, 2 * span, whole - 2*span, "from 0x8000000000000005"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := disk1{content, 2, 10, 0}.build()[0]
			damage(t, [][]byte{c.edit(b)}, content, c.off, c.n, c.warned)
		})
	}
}

func TestSegmentsMissing(t *testing.T) {
	content := layertest.Mixed(200_000, 30*1024, 21)
	build := func() [][]byte { return disk1{content, 2, 5, 2}.build() } // 10 chunks in each of three
	damage(t, build(), content, 0, 0, "")
	files := build()
	damage(t, files[:2], content, 20*1024, 10*1024, "segment 3: file does not exist; 10 of 30 chunks")
	files[1] = nil
	damage(t, files, content, 10*1024, 10*1024, "segment 2: file does not exist; 10 of 30 chunks")
	files = build()
	files[1], files[2] = files[2], files[1]
	damage(t, files, content, 0, 0, "segment 3: is in the file that has the name of segment 2")
	files = build()
	files[2] = disk1{content[1024:], 2, 5, 2}.build()[2]
	damage(t, files, content, 20*1024, 10*1024, "describes another disk")
	files = build()
	files[1] = files[1][:where(t, files[1], "table", 1)+80]
	damage(t, files, content, 15*1024, 5*1024, "segment 2: ends without") // those of the third are counted from the end
	files = build()
	files[2][3]++
	damage(t, files, content, 20*1024, 10*1024, "segment 3: file header: magic")
	files = build()
	files[0][where(t, files[0], "volume", 0)+80]++ // the copies in the others tell
	damage(t, files, content, 0, 0, "volume section at")
	if _, err := openFiles(build()[1:], format.Env{}); err == nil || !strings.Contains(err.Error(), "is segment 2") {
		t.Errorf("error %v", err)
	}
}

func TestRefused(t *testing.T) {
	good := disk1{layertest.Mixed(200_000, 1024, 22), 2, 5, 0}.build()[0]
	geometry := func(sectors, sectorLen uint32, total uint64) []byte {
		b := bytes.Clone(good)
		at := where(t, b, "volume", 0) + 76
		le.PutUint32(b[at+8:], sectors)
		le.PutUint32(b[at+12:], sectorLen)
		le.PutUint64(b[at+16:], total)
		reseal(b, at+1048, 1048)
		return b
	}
	cut := func(b []byte) []byte { return b[:where(t, b, "done", 0)] } // else the tables tell the size
	logical := bytes.Clone(good)
	logical[0] = 'L'
	for name, c := range map[string]struct {
		b    []byte
		kind error
		text string
	}{
		"empty":           {nil, layer.ErrFormat, ""},
		"short":           {good[:12], layer.ErrFormat, ""},
		"header only":     {good[:13], layer.ErrCorrupt, "volume section"},
		"other":           {make([]byte, 100), layer.ErrFormat, "magic"},
		"logical":         {logical, layer.ErrUnsupported, "logical evidence (L01)"},
		"logical 2":       {append([]byte("LEF2\x0d\x0a\x81\x00"), make([]byte, 100)...), layer.ErrUnsupported, "logical evidence (L01)"},
		"version 3":       {append([]byte("EVF2\x0d\x0a\x81\x00\x03"), make([]byte, 100)...), layer.ErrUnsupported, "version 3"},
		"segment 0":       {append([]byte("EVF2\x0d\x0a\x81\x00\x02"), make([]byte, 100)...), layer.ErrCorrupt, "segment number 0"},
		"short 2":         {[]byte("EVF2\x0d\x0a\x81\x00\x02\x01\x01\x00\x01\x00"), layer.ErrCorrupt, "14 bytes"},
		"no sectors":      {geometry(0, 512, 2), layer.ErrCorrupt, "volume section"},
		"no bytes":        {geometry(64, 0, 2), layer.ErrCorrupt, "volume section"},
		"chunk of 1 EiB":  {geometry(1<<30, 1<<30, 2), layer.ErrCorrupt, "volume section"},
		"too large":       {geometry(2, 512, 1<<63), layer.ErrCorrupt, "volume section"},
		"too many chunks": {cut(geometry(1, 1, 1<<40)), layer.ErrUnsupported, "1099511627776 chunks"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openFiles([][]byte{c.b}, format.Env{})
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q of kind %v", err, c.text, c.kind)
			}
		})
	}
}

// TestMarks has error2 and session sections, and a disk of unknown size.
func TestMarks(t *testing.T) {
	content := layertest.Mixed(200_000, 4096, 23)
	b := disk1{content, 2, 5, 0}.build()[0]
	at := where(t, b, "done", 0)
	list := func(headerLen int, rows ...uint32) []byte {
		head := make([]byte, headerLen-4)
		le.PutUint32(head, 2)
		var body []byte
		for _, r := range rows {
			body = le.AppendUint32(body, r)
		}
		return append(sum(head), sum(body)...)
	}
	b = b[:at]
	b = append(b, section1(len(b), "error2", list(520, 7, 1, 3, 2))...)
	b = append(b, section1(len(b), "session", list(36, 0, 16, 0, 0, 0, 0, 0, 0, 1, 300, 0, 0, 0, 0, 0, 0))...)
	b = append(b, section1(len(b), "done", nil)...)
	i := openBytes(t, [][]byte{b}, format.Env{Warn: func(err error) { t.Error(err) }}).Info()
	if len(i.ReadErrors) != 2 || i.ReadErrors[0] != (format.Sectors{First: 7, Count: 1}) || i.ReadErrors[1] != (format.Sectors{First: 3, Count: 2}) {
		t.Errorf("read errors %v", i.ReadErrors)
	}
	if len(i.Sessions) != 2 || i.Sessions[0] != (format.Session{First: 16}) || i.Sessions[1] != (format.Session{First: 300, Audio: true}) {
		t.Errorf("sessions %v", i.Sessions)
	}
	v := where(t, b, "volume", 0) + 76
	le.PutUint64(b[v+16:], 0)
	reseal(b, v+1048, 1048)
	damage(t, [][]byte{b}, content, 0, 0, "no number of sectors")
}

// TestReadErrorsAreNotKept holds that what could not be read is asked for again, and is never read as zeros.
func TestReadErrorsAreNotKept(t *testing.T) {
	content := layertest.Mixed(200_000, 30*1024, 24)
	b := disk1{content, 2, 50, 0}.build()[0]
	for _, at := range []int64{0, 2048} { // packed, and as it is
		src := &imagetest.Failing{Source: bytes.NewReader(b), Off: 2000, Len: int64(len(b))}
		src.Mended.Store(true)
		d, err := ewf.Open(src, format.Env{ZeroBad: true})
		if err != nil {
			t.Fatal(err)
		}
		src.Mended.Store(false)
		p := make([]byte, 512)
		if _, err := d.ReadAt(p, at); err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "bad sector") {
			t.Errorf("error %v, want the disk's own", err)
		}
		src.Mended.Store(true)
		if _, err := d.ReadAt(p, at); err != nil || !bytes.Equal(p, content[at:at+512]) {
			t.Errorf("after the disk came back: %v", err)
		}
	}
}

// TestFarMissing has a disk of which almost nothing is there.
func TestFarMissing(t *testing.T) {
	content := layertest.Mixed(200_000, 40*1024, 28)
	b := disk1{content, 2, 50, 0}.build()[0]
	at := where(t, b, "volume", 0) + 76
	le.PutUint64(b[at+16:], 1<<32)
	reseal(b, at+1048, 1048)
	b = b[:where(t, b, "done", 0)]
	d := openBytes(t, [][]byte{b}, format.Env{})
	p := make([]byte, 1024)
	for off := 0; off < len(content); off += len(p) {
		if _, err := d.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, content[off:off+1024]) {
			t.Fatalf("at %d: %v, or other bytes", off, err)
		}
	}
	for e, err := range layer.Extents(d, 40*1024, d.Size()) {
		if err != nil || e.Kind != layer.Unknown || e.Len != d.Size()-40*1024 {
			t.Errorf("extent %+v, %v", e, err)
		}
	}
	for _, off := range []int64{40 * 1024, d.Size() - 10} {
		var unknown *layer.UnknownError
		if _, err := d.ReadAt(p[:10], off); !errors.As(err, &unknown) || unknown.Why != layer.Missing {
			t.Errorf("at %d: %v", off, err)
		}
	}
}

// TestMutations flips bytes anywhere but in chunks. What still reads must be right, or be told of: the description of
// the disk has a checksum, and so have the tables.
func TestMutations(t *testing.T) {
	content := layertest.Mixed(200_000, 14*1024, 25)
	r := rand.New(rand.NewPCG(26, 26))
	v1 := disk1{content, 2, 4, 2}.build()
	v2 := [][]byte{disk2(content, 1, 2, 0, 0)}
	for i := range 1500 {
		files := slices.Clone(v1)
		if i%2 > 0 {
			files = slices.Clone(v2)
		}
		files[0] = imagetest.Mutated(r, files[0], [2]int{0, len(files[0])})
		if i%7 == 0 {
			files[0] = files[0][:r.IntN(len(files[0]))]
		}
		d, err := openFiles(files, format.Env{})
		if err != nil || d.Size() != int64(len(content)) {
			continue
		}
		p := make([]byte, 1024)
		for at := 0; at < len(content); at += 1024 {
			if _, err := d.ReadAt(p, int64(at)); err == nil && !bytes.Equal(p, content[at:at+1024]) {
				t.Fatalf("mutation %d: other bytes at %d", i, at)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	content := layertest.Mixed(200_000, 3*1024, 27)
	f.Add(disk1{content, 2, 2, 0}.build()[0])
	f.Add(disk2(content, 1, 2, 0, 0))
	f.Add(disk2(content, 2, 2, 0, 0))
	f.Add([]byte("EVF\x09\x0d\x0a\xff\x00\x01\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		imagetest.Hostile(t, func() (*ewf.Disk, error) { return ewf.Open(bytes.NewReader(b), format.Env{}) })
	})
}
