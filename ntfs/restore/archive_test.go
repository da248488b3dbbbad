package restore

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// member is what an archive has of a file.
type member struct {
	sum, link string
	size      int64
	modified  time.Time
	pax       map[string]string
	extra     []byte
}

// archived makes an archive of what is below a path of a volume, and returns its name and what was told.
func archived(t *testing.T, volume layer.Source, path string, format Format, opts Options) (string, []Result) {
	t.Helper()
	tree, err := ntfs.Open(volume, ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	top, err := tree.Lookup(path)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "archive")
	f, err := Create(name, false)
	if err != nil {
		t.Fatal(err)
	}
	var told []Result
	opts.Done = func(r Result) { told = append(told, r) }
	if err := errors.Join(Archive(context.Background(), f, format, one(Source{Node: top}), opts), f.Commit()); err != nil {
		t.Fatal(err)
	}
	return name, told
}

func one(s Source) iter.Seq2[Source, error] {
	return func(yield func(Source, error) bool) { yield(s, nil) }
}

// readTar reads an archive by the standard library.
func readTar(t *testing.T, name string) map[string]member {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]member{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := out[h.Name]; twice {
			t.Errorf("%s: there twice", h.Name)
		}
		m := member{link: h.Linkname, size: h.Size, modified: h.ModTime, pax: h.PAXRecords}
		if h.Typeflag == tar.TypeLink {
			m.sum = out[h.Linkname].sum
		} else {
			m.sum = sumOfReader(t, r)
		}
		out[h.Name] = m
	}
}

func sumOfReader(t *testing.T, r io.Reader) string {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func readZip(t *testing.T, name string) map[string]member {
	t.Helper()
	r, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := map[string]member{}
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = member{sum: sumOfReader(t, rc), size: int64(f.UncompressedSize64), modified: f.Modified, extra: f.Extra}
		rc.Close()
	}
	return out
}

// mapPath maps each name of a claim's path.
func mapPath(n Names, p string) string {
	parts := strings.Split(strings.Trim(p, "/"), "/")
	for i := range parts {
		parts[i] = n.Map(parts[i])
	}
	return path.Join(parts...)
}

// TestArchivesOfEverything compares archives of a volume with every feature, as the standard library reads them, with
// what was written to the volume.
func TestArchivesOfEverything(t *testing.T) {
	image := ntfstest.Feat512.Build(t)
	volume := testenv.Open(t, image)
	tarName, told := archived(t, volume, "", Tar, Options{})
	if info, err := os.Stat(tarName); err != nil || info.Size() > 200<<20 {
		t.Errorf("a tar of %d bytes, %v: holes are not kept", info.Size(), err)
	}
	for _, r := range told {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Path, r.Err)
		}
	}
	inTar, inZip := readTar(t, tarName), map[string]member{}
	if !testenv.Race { // it takes a minute with it
		zipName, _ := archived(t, volume, "", Zip, Options{})
		inZip = readZip(t, zipName)
	}
	checked := map[string]int{}
	for _, c := range ntfstest.Manifest(t, image) {
		checked[c.Type]++
		checkTarClaim(t, c, inTar)
		if !testenv.Race {
			checkZipClaim(t, c, inZip)
		}
	}
	t.Logf("%d members of the tar, %d of the zip; claims %v", len(inTar), len(inZip), checked)
	for _, kind := range []string{"file", "stream", "times", "acl", "attrib", "objid", "reparse"} {
		if checked[kind] == 0 {
			t.Errorf("no claim of kind %s", kind)
		}
	}
}

func checkTarClaim(t *testing.T, c ntfstest.Claim, in map[string]member) {
	t.Helper()
	p := mapPath(Names{UTF8: true}, c.Path)
	m, known := in[p]
	if dir, ok := in[p+"/"]; ok {
		m, known = dir, true
	}
	xattr := func(name string) []byte { return []byte(m.pax["SCHILY.xattr.system.ntfs_"+name]) }
	le := binary.LittleEndian
	wrong := func(format string, args ...any) {
		t.Errorf("tar: %s of %s: "+format, append([]any{c.Type, c.Path}, args...)...)
	}
	switch c.Type {
	case "file", "wof":
		if !known || m.sum != c.SHA256 || m.size != c.Size && m.link == "" {
			wrong("%v", m)
		}
	case "stream":
		file, stream, _ := strings.Cut(p, ":")
		key := "SCHILY.xattr.user." + stream
		loose, isLoose := in[StreamsName+"/"+file+"%3A"+stream]
		sum := hex.EncodeToString(sumBytes(cmp.Or(in[file].pax[key], in[file+"/"].pax[key])))
		if isLoose {
			sum = loose.sum
		}
		if sum != c.SHA256 {
			wrong("a member %v, sha256 %s, want %s", isLoose, sum, c.SHA256)
		}
	case "attrib":
		const settable = 0x1 | 0x2 | 0x4 | 0x20 | 0x100 | 0x1000 | 0x2000
		if got := xattr("attrib"); len(got) != 4 || (le.Uint32(got)^c.Attrib)&settable != 0 {
			wrong("%x, want %x", got, c.Attrib)
		}
	case "times":
		got := xattr("times")
		for i, want := range c.Times {
			if len(got) != 32 || int64(le.Uint64(got[8*i:])) != want {
				wrong("%x, want %v", got, c.Times)
			}
		}
	case "acl":
		if hex.EncodeToString(xattr("acl")) != c.ACL {
			wrong("%x, want %s", xattr("acl"), c.ACL)
		}
	case "objid":
		if !strings.HasPrefix(hex.EncodeToString(xattr("object_id")), c.ID) {
			wrong("%x, want %s", xattr("object_id"), c.ID)
		}
	case "dircount":
		n := 0
		for name := range in {
			if strings.HasPrefix(name, p+"/") && !strings.Contains(strings.TrimSuffix(name[len(p)+1:], "/"), "/") && name != p+"/" {
				n++
			}
		}
		if n != c.Count {
			wrong("%d, want %d", n, c.Count)
		}
	}
}

func sumBytes(s string) []byte { sum := sha256.Sum256([]byte(s)); return sum[:] }

func checkZipClaim(t *testing.T, c ntfstest.Claim, in map[string]member) {
	t.Helper()
	rule := Names{UTF8: true, Windows: true}
	p := mapPath(rule, c.Path)
	switch c.Type {
	case "stream":
		i := strings.LastIndex(c.Path, ":")
		p = path.Join(StreamsName, path.Dir(mapPath(rule, c.Path[:i])), rule.Map(path.Base(c.Path)))
		if in[p].sum != c.SHA256 {
			t.Errorf("zip: stream %s: %v", c.Path, in[p])
		}
	case "file", "wof":
		if strings.HasPrefix(c.Path, "/case/") {
			return // names that differ in case only are renamed in the order of the directory
		}
		if m, ok := in[p]; !ok || m.sum != c.SHA256 || m.size != c.Size {
			t.Errorf("zip: %s: %v, want %d bytes, sha256 %s", c.Path, m, c.Size, c.SHA256)
		}
	case "times":
		want := []byte{0x0a, 0, 32, 0, 0, 0, 0, 0, 1, 0, 24, 0}
		for _, i := range []int{1, 2, 0} { // modified, accessed, created
			want = binary.LittleEndian.AppendUint64(want, uint64(c.Times[i]))
		}
		m, ok := in[p]
		if !ok {
			m = in[p+"/"]
		}
		if !bytes.Contains(m.extra, want) {
			t.Errorf("zip: times of %s: %x, want %x", c.Path, m.extra, want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for _, c := range []struct {
		sec, nsec int64
		want      string
	}{{0, 0, "0"}, {5, 100, "5.0000001"}, {-1, 750_000_000, "-0.25"}, {-11644473600, 100, "-11644473599.9999999"}, {-3, 0, "-3"}} {
		if got := seconds(time.Unix(c.sec, c.nsec)); got != c.want {
			t.Errorf("%d s, %d ns: %s, want %s", c.sec, c.nsec, got, c.want)
		}
	}
}

func TestSpans(t *testing.T) {
	content := zeroRanges{size: 40 * pageSize, holes: []span{{0, 2 * pageSize}, {10 * pageSize, 100}, {20 * pageSize, 5 * pageSize}}}
	gaps := []Gap{{Off: 5 * pageSize, Len: 10}, {Off: 24 * pageSize, Len: 3 * pageSize}, {Off: 39 * pageSize, Len: pageSize}}
	got, err := dataSpans(content, gaps)
	want := []span{{2 * pageSize, 3 * pageSize}, {5*pageSize + 10, 15*pageSize - 10}, {27 * pageSize, 12 * pageSize}}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

// zeroRanges is content with holes.
type zeroRanges struct {
	size  int64
	holes []span
}

func (z zeroRanges) Size() int64 { return z.size }

func (z zeroRanges) ReadAt(p []byte, off int64) (int, error) {
	return layer.Read(z, p, off, layer.Live)
}

func (z zeroRanges) At(off, n int64) (layer.Extent, error) {
	for _, h := range z.holes {
		switch {
		case off < h.off:
			n = min(n, h.off-off)
		case off < h.off+h.len:
			return layer.Extent{Off: off, Len: min(n, h.off+h.len-off), Kind: layer.Zero}, nil
		}
	}
	return layer.Extent{Off: off, Len: n, Base: bytes.NewReader(make([]byte, z.size)), BaseOff: off}, nil
}

// FuzzPax lets the standard library read headers of any names and values.
func FuzzPax(f *testing.F) {
	f.Add("dir/a name", "user.stream", []byte("value\x00\n"), int64(5))
	f.Add("é\u0301/"+strings.Repeat("long", 80), "system.ntfs_acl", []byte{}, int64(1<<40))
	f.Fuzz(func(t *testing.T, name, key string, value []byte, modified int64) {
		name = strings.Trim(mapPath(Names{UTF8: true, Max: 4000}, name), "./")
		if name == "" || len(name) > 10000 || path.Clean(name) != name || strings.ContainsAny(key, "=\x00") || len(value) > 1<<16 {
			return
		}
		m := Meta{Type: "file", Modified: wintype.Filetime(modified)}
		records := timesPax(&m)
		records["SCHILY.xattr."+key] = string(value)
		var out bytes.Buffer
		p := &tarPacker{out: &out}
		if err := errors.Join(p.header('0', name, "", 0, &m, records), p.close()); err != nil {
			t.Fatal(err)
		}
		h, err := tar.NewReader(&out).Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != name || h.PAXRecords["SCHILY.xattr."+key] != string(value) || m.Modified != 0 && !h.ModTime.Equal(m.Modified.Time()) {
			t.Errorf("%q, %q, %v, want %q, %q, %v", h.Name, h.PAXRecords, h.ModTime, name, value, m.Modified.Time())
		}
	})
}
