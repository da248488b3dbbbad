package restore

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
)

// limitMembers are members at the limits of the formats, without the largest.
func limitMembers() []Meta {
	long := strings.Repeat("\u540d", 85) // 255 bytes
	file := func(path string, modified wintype.Filetime, streams ...Stream) Meta {
		return Meta{Path: path, Type: "file", Modified: modified, Created: 1, Accessed: 2, Changed: 3, Streams: streams}
	}
	at := func(year int, nsec int) wintype.Filetime {
		return wintype.FiletimeOf(time.Date(year, 5, 6, 7, 8, 9, nsec, time.UTC))
	}
	return []Meta{
		file(strings.Repeat("n", 100), at(2000, 100)), file(strings.Repeat("n", 101), at(2001, 0)),
		file(long, at(2002, 123456700)), file(strings.Repeat(long+"/", 4)+long, at(2003, 0)),
		file("1601", 1), file("1969", at(1969, 999999900)), file("1975", at(1975, 5000)), file("2040", at(2040, 0)),
		file("2108", at(2108, 0)), file("2300", at(2300, 100)), file("30828", 1<<63-1),
		file("streams", at(2004, 0), Stream{Name: "new\nline", Data: []byte("1"), Size: 1}, Stream{Name: " sp\u00e9cial ", Data: []byte("=\n\x00"), Size: 3}),
	}
}

const limitContent = "content\n"

// limits writes an archive of limitMembers.
func addLimits(t *testing.T, p packer) {
	t.Helper()
	a := archiver{pack: p, copier: &copier{ctx: t.Context(), tick: func(int64) {}}}
	for _, m := range limitMembers() {
		if _, err := a.send(m.Path, &m, whole([]byte(limitContent))); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
}

const pythonTar = `
import json, sys, tarfile
for m in tarfile.open(sys.argv[1]):
    print(json.dumps([m.name, m.size, m.pax_headers.get("mtime", str(m.mtime)), m.pax_headers]))
`

const pythonZip = `
import json, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
for m in z.infolist():
    print(json.dumps([m.filename, m.file_size, "%04d-%02d-%02d %02d:%02d:%02d" % m.date_time, {}]))
`

// A listedMember is what python says of a member.
type listedMember struct {
	name  string
	size  int64
	mtime string
	pax   map[string]string
}

func listed(t *testing.T, script, archive string) (out []listedMember) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(said(t, "python3", "-c", script, archive))); d.More(); {
		var m listedMember
		if err := d.Decode(&[]any{&m.name, &m.size, &m.mtime, &m.pax}); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// said runs a program, and returns what it says.
func said(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(testenv.Peer(t, args[0]), args[1:]...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %v, %.2000s", cmd, err, b)
	}
	return string(b)
}

// written makes an archive.
func written(t *testing.T, write func(f *os.File)) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "archive"))
	if err != nil {
		t.Fatal(err)
	}
	write(f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// TestTarLimits lets GNU tar, bsdtar and python read members at the limits of tar. GNU tar lists times before 1970 wrongly,
// but sets them right; bsdtar does neither.
func TestTarLimits(t *testing.T) {
	name := written(t, func(f *os.File) { addLimits(t, &tarPacker{out: f}) })
	python := listed(t, pythonTar, name)
	gnu := strings.Split(said(t, "tar", "--full-time", "--quoting-style=literal", "-tvf", name), "\n")
	mtree := said(t, "bsdtar", "-cf", "-", "--format=mtree", "--options=!all,time,size", "@"+name)
	for i, m := range limitMembers() {
		at := m.Modified.Time()
		want := new(big.Rat).Add(big.NewRat(at.Unix(), 1), big.NewRat(int64(at.Nanosecond()), 1e9))
		if mtime, ok := new(big.Rat).SetString(python[i].mtime); !ok || mtime.Cmp(want) != 0 || python[i].name != m.Path || python[i].size != int64(len(limitContent)) {
			t.Errorf("python: %v, want %s, %v", python[i], m.Path, want)
		}
		for _, s := range m.Streams {
			if python[i].pax["SCHILY.xattr.user."+s.Name] != string(s.Data) {
				t.Errorf("python: %q of %q, want %q", python[i].pax, s.Name, s.Data)
			}
		}
		if at.Unix() < 0 {
			continue
		}
		if !strings.Contains(gnu[i], at.Format(" 2006-01-02 15:04:05.999999999 ")) || !strings.HasSuffix(gnu[i], m.Path) {
			t.Errorf("GNU tar: %q, want %v, %s", gnu[i], at, m.Path)
		}
		if line := fmt.Sprintf("./%s time=%d.%d size=%d\n", m.Path, at.Unix(), at.Nanosecond(), len(limitContent)); m.Path[0] < 0x80 && !strings.Contains(mtree, line) {
			t.Errorf("bsdtar: %s, want %s", mtree, line)
		}
	}
	dir := t.TempDir()
	said(t, "tar", "--warning=no-timestamp", "-C", dir, "-xf", name, "1969")
	info, err := os.Stat(filepath.Join(dir, "1969"))
	if want := time.Date(1969, 5, 6, 7, 8, 9, 999999900, time.UTC); err != nil || !info.ModTime().Equal(want) {
		t.Errorf("GNU tar: %v, %v, want %v", info.ModTime(), err, want)
	}
}

// TestZipLimits lets unzip, bsdtar and python read members at the limits of zip: its times are in steps of 2 seconds from
// 1980 to 2107, or of 1 second from 1970 to 2038 for those who read them.
func TestZipLimits(t *testing.T) {
	name := written(t, func(f *os.File) { addLimits(t, newZipPacker(f)) })
	python := listed(t, pythonZip, name)
	info := strings.Split(said(t, "unzip", "-Z", "-T", name), "\n")[2:]
	mtree := said(t, "bsdtar", "-cf", "-", "--format=mtree", "--options=!all,time,size", "@"+name)
	for i, m := range limitMembers() {
		at := m.Modified.Time()
		dos := at.Truncate(2 * time.Second)
		if at.Year() < 1980 {
			dos = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
		} else if at.Year() > 2107 {
			dos = time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)
		}
		if want := dos.Format(time.DateTime); python[i].mtime != want || python[i].name != m.Path || python[i].size != int64(len(limitContent)) {
			t.Errorf("python: %v, want %s, %s", python[i], m.Path, want)
		}
		unix := dos
		if at.Year() >= 1970 && at.Year() < 2038 {
			unix = at
		}
		if !strings.Contains(info[i], unix.Format(" 20060102.150405 ")) || !strings.HasSuffix(info[i], m.Path) {
			t.Errorf("unzip: %s, want %v, %s", info[i], unix, m.Path)
		}
		if line := fmt.Sprintf("./%s time=%d.0 size=%d\n", m.Path, unix.Unix(), len(limitContent)); m.Path[0] < 0x80 && !strings.Contains(mtree, line) {
			t.Errorf("bsdtar: %s, want %s", mtree, line)
		}
	}
}

// TestZipOfMany has more members than 16 bits count.
func TestZipOfMany(t *testing.T) {
	const many = 1<<16 + 10
	name := written(t, func(f *os.File) {
		z := newZipPacker(f)
		for i := range many {
			if err := z.dir(fmt.Sprint(i), &Meta{Type: "dir"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.close(); err != nil {
			t.Fatal(err)
		}
	})
	for _, tool := range [][]string{{"unzip", "-Z1", name}, {"bsdtar", "-tf", name}} {
		if n := strings.Count(said(t, tool...), "/\n"); n != many {
			t.Errorf("%s: %d members, want %d", tool[0], n, many)
		}
	}
	if n := len(listed(t, pythonZip, name)); n != many {
		t.Errorf("python: %d members, want %d", n, many)
	}
}

// zeros is a source of zeros.
type zeros int64

func (z zeros) Size() int64 { return int64(z) }

func (z zeros) ReadAt(b []byte, _ int64) (int, error) { clear(b); return len(b), nil }

// holed is a file in which large writes, all of them zeros, are holes.
type holed struct{ *os.File }

func (h holed) Write(b []byte) (int, error) {
	if len(b) < piece {
		return h.File.Write(b)
	}
	_, err := h.Seek(int64(len(b)), io.SeekCurrent)
	return len(b), err
}

// TestLargeMembers has members that 32 and 33 bits do not count: of data in a tar, mostly of a hole in a tar and a zip.
func TestLargeMembers(t *testing.T) {
	const large = 9<<30 + 1
	full := body{Source: zeros(large), spans: []span{{0, large}}, data: large, sum: "known"}
	sparse := func(size int64) body {
		return body{Source: zeros(size), spans: []span{{size - 9, 9}}, data: 9, sum: "known"}
	}
	add := func(p packer, bodies ...body) {
		a := archiver{pack: p, copier: &copier{ctx: t.Context(), tick: func(int64) {}}}
		for i, b := range bodies {
			if _, err := a.send(fmt.Sprint(i), &Meta{Path: "x", Type: "file"}, b); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
	}
	check := func(tool, said string, sizes ...int64) {
		t.Helper()
		for _, size := range sizes {
			if !strings.Contains(said, fmt.Sprintf(" %d ", size)) {
				t.Errorf("%s: %s, want %d", tool, said, size)
			}
		}
	}
	tar := written(t, func(f *os.File) { add(&tarPacker{out: holed{f}}, full, sparse(large+1)) })
	check("GNU tar", said(t, "tar", "-tvf", tar), large, large+1)
	check("bsdtar", said(t, "bsdtar", "-tvf", tar), large, large+1)
	if python := listed(t, pythonTar, tar); len(python) != 2 || python[0].size != large || python[1].size != large+1 {
		t.Errorf("python: %v", python)
	}
	for _, tool := range [][]string{{"tar"}, {"bsdtar", "--no-xattrs"}} {
		dir := t.TempDir()
		said(t, append(tool, "-C", dir, "-x", "-f", tar, "1")...)
		if info, err := os.Stat(filepath.Join(dir, "1")); err != nil || info.Size() != large+1 {
			t.Errorf("%s: %v, %v", tool[0], info, err)
		}
	}
	if os.Getenv("SNAPMOUNT_LONG") == "" {
		t.Skip("SKIPPED: a zip of a large file takes half a minute: set SNAPMOUNT_LONG")
	}
	const over = 1<<32 + 5
	zip := written(t, func(f *os.File) { add(newZipPacker(f), sparse(over), whole([]byte(limitContent))) })
	check("unzip", said(t, "unzip", "-Z", zip), over, int64(len(limitContent)))
	said(t, "unzip", "-tq", zip)
	check("bsdtar", said(t, "bsdtar", "-tvf", zip), over, int64(len(limitContent)))
	if python := listed(t, pythonZip, zip); len(python) != 2 || python[0].size != over {
		t.Errorf("python: %v", python)
	}
}
