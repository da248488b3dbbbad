package ntfs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// realVolume unpacks a volume that Windows (or mkntfs) made to a raw file of its own, once per user.
func realVolume(t *testing.T, name string) string {
	t.Helper()
	path := testenv.Shared(t, "data", name)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("SKIPPED: no cache folder: %v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw := filepath.Join(cache, "snapmount-test", fmt.Sprintf("%s-%.8x.raw", name, sha256.Sum256(b)))
	if _, err := os.Stat(raw); err == nil {
		return raw
	}
	if err := os.MkdirAll(filepath.Dir(raw), 0o700); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".qcow2") {
		testenv.Run(t, testenv.Peer(t, "qemu-img"), "convert", "-O", "raw", path, raw+".part")
	} else {
		copyPartition(t, testenv.Gunzip(t, path), raw+".part")
	}
	if err := os.Rename(raw+".part", raw); err != nil {
		t.Fatal(err)
	}
	return raw
}

// copyPartition copies the partition of one of the msuhanov samples, leaving zeros as holes.
func copyPartition(t *testing.T, disk, raw string) {
	t.Helper()
	const first, size = 128 * 512, 2091008 * 512
	in := testenv.Open(t, disk)
	out, err := os.Create(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := out.Truncate(size); err != nil {
		t.Fatal(err)
	}
	b, zero := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); off < size; off += int64(len(b)) {
		b = b[:min(int64(len(b)), size-off)]
		if err := layer.ReadFull(in, b, first+off); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, zero[:len(b)]) {
			if _, err := out.WriteAt(b, off); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// paths walks a tree: every path, named streams as path:stream, with its node.
func paths(t *testing.T, tree *ntfs.Tree) map[string]*ntfs.Node {
	t.Helper()
	out := map[string]*ntfs.Node{}
	var walk func(dir *ntfs.Node, at string, depth int)
	walk = func(dir *ntfs.Node, at string, depth int) {
		list, err := dir.Children()
		if err != nil || depth > 50 {
			t.Fatalf("%s: %v", at, err)
		}
		for _, e := range list {
			path := at + e.Name
			n, err := e.Node()
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if e.Kind != n.Kind || n.Damage != nil || e.Metafile() != n.Metafile() {
				t.Errorf("%s: the entry says kind %d, metafile %v, the node %d, %v, damage %v", path, e.Kind, e.Metafile(), n.Kind, n.Metafile(), n.Damage)
			}
			out[path] = n
			streams, err := n.Streams()
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			for _, s := range streams {
				if s.Name != "" {
					out[path+":"+s.Name] = n
				}
			}
			if n.Attr&ntfs.AttrDirectory != 0 {
				walk(n, path+"/", depth+1)
			}
		}
	}
	root, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	walk(root, "", 0)
	return out
}

var realVolumes = []string{"ntfs-ramslack.raw.gz", "ntfs-si-vs-fn.raw.gz", "windows_volume.qcow2", "vsstest.qcow2"}

// TestSleuthkit compares names, records, stream contents and times with The Sleuth Kit's.
func TestSleuthkit(t *testing.T) {
	fls, icat, istat := testenv.Peer(t, "fls"), testenv.Peer(t, "icat"), testenv.Peer(t, "istat")
	line := regexp.MustCompile(`^[-rdlv]/[-rdlv] (\* )?(\d+)-(\d+)-\d+(?:\(realloc\))?:\t(.*)$`)
	for _, name := range realVolumes {
		t.Run(name, func(t *testing.T) {
			raw := realVolume(t, name)
			ours := paths(t, openTree(t, testenv.Open(t, raw)))
			theirs := map[string]string{}
			for l := range strings.Lines(string(testenv.Run(t, fls, "-r", "-p", "-u", raw))) {
				if m := line.FindStringSubmatch(strings.TrimSuffix(l, "\n")); m != nil && m[1] == "" && (m[3] == "128" || !strings.Contains(m[4], ":")) {
					theirs[m[4]] = m[2]
				}
			}
			for path, record := range theirs {
				if n := ours[path]; n == nil || fmt.Sprint(n.Ref.Record) != record {
					t.Errorf("%s: fls has it as record %s, we %v", path, record, n)
				}
			}
			hashed := 0
			for path, n := range ours {
				if _, err := n.Stream(""); errors.Is(err, fs.ErrNotExist) && n.Kind == ntfs.KindFile && !strings.Contains(path, ":") {
					continue // fls lists such system files by their indexes or named streams only
				}
				if theirs[path] == "" {
					t.Errorf("%s: fls does not have it", path)
				}
				if compareSleuthkit(t, raw, icat, istat, path, n) {
					hashed++
				}
			}
			t.Logf("%d names, %d contents", len(ours), hashed)
		})
	}
}

// compareSleuthkit compares one stream, unless it is large, and the times of its node.
func compareSleuthkit(t *testing.T, raw, icat, istat, path string, n *ntfs.Node) bool {
	_, stream, _ := strings.Cut(path, ":")
	got := string(testenv.Run(t, istat, raw, fmt.Sprint(n.Ref.Record)))
	_, got, _ = strings.Cut(got, "$STANDARD_INFORMATION")
	for what, ours := range map[string]time.Time{"Created": n.Times.Created.Time(), "File Modified": n.Times.Modified.Time(),
		"MFT Modified": n.Times.Changed.Time(), "Accessed": n.Times.Accessed.Time()} {
		if want := ours.Format("2006-01-02 15:04:05.000000000"); !strings.Contains(got, what+":\t"+want) && ours.Year() > 1601 {
			t.Errorf("%s: %s %s, istat has\n%.400s", path, what, want, got)
		}
	}
	s, err := n.Stream(stream)
	if err != nil || s.Size() > 64<<20 || stream == "$Bad" { // icat gives nothing for what was never initialized
		if err != nil && n.Attr&ntfs.AttrDirectory == 0 {
			t.Errorf("%s: %v", path, err)
		}
		return false
	}
	ours, err := sum(s)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	typ := regexp.MustCompile(`\(128-(\d+)\)   Name: ` + regexp.QuoteMeta(streamName(stream)) + ` `).FindStringSubmatch(got)
	if typ == nil {
		t.Errorf("%s: istat does not have the stream", path)
		return false
	}
	theirs := sha256.Sum256(testenv.Run(t, icat, raw, fmt.Sprintf("%d-128-%s", n.Ref.Record, typ[1])))
	if hex.EncodeToString(theirs[:]) != ours {
		t.Errorf("%s: not what icat gives", path)
	}
	return true
}

func streamName(stream string) string {
	if stream == "" {
		return "N/A"
	}
	return stream
}

// TestThreeTimes holds the three sets of times of a prepared file apart.
func TestThreeTimes(t *testing.T) {
	tree := openTree(t, testenv.Open(t, realVolume(t, "ntfs-si-vs-fn.raw.gz")))
	dir, err := tree.Lookup("test")
	if err != nil {
		t.Fatal(err)
	}
	list, err := dir.Children()
	if err != nil || len(list) != 1 || list[0].Name != "test.txt" {
		t.Fatalf("%v, %v", list, err)
	}
	n, err := list[0].Node()
	if err != nil {
		t.Fatal(err)
	}
	names, err := n.Names()
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	for what, c := range map[string]struct {
		times ntfs.Times
		want  string
	}{"$STANDARD_INFORMATION": {n.Times, "2015-11-03"}, "$FILE_NAME": {names[0].Times, "2014-12-12"}, "index": {list[0].Times, "2016-09-24"}} {
		if got := c.times.Created.Time().Format(time.DateOnly); got != c.want {
			t.Errorf("%s: created %s, want %s", what, got, c.want)
		}
	}
}

func TestFS(t *testing.T) {
	tree := openTree(t, testenv.Open(t, ntfstest.Feat.Build(t)))
	for _, c := range []struct{ dir, file string }{{"case", "fIlE.tXt"}, {"times", "y1601.txt"}, {"dos", "Another one.text"}} {
		sub, err := fs.Sub(tree.FS(), c.dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := fstest.TestFS(sub, c.file); err != nil {
			t.Errorf("%s: %v", c.dir, err)
		}
	}
}

// TestEntries walks all of a volume: what the indexes say must be what the records say.
func TestEntries(t *testing.T) {
	all := paths(t, openTree(t, testenv.Open(t, ntfstest.Feat.Build(t))))
	if len(all) < 14000 {
		t.Errorf("%d paths", len(all))
	}
	for _, path := range []string{"links/orig.txt", "links/second.txt", "links/other/third_name.txt"} {
		n := all[path]
		if n == nil || n.Links != 3 {
			t.Fatalf("%s: %+v, want 3 links", path, n)
		}
		if names, err := n.Names(); err != nil || len(names) != 3 {
			t.Errorf("%s: %v, %v", path, names, err)
		}
	}
}

// TestContract holds streams of every kind to the contract of a Source.
func TestContract(t *testing.T) {
	tree := openTree(t, testenv.Open(t, ntfstest.Feat.Build(t)))
	for _, path := range []string{"sizes/s500.bin", "sizes/s65537.bin", "sizes/s0.bin", "sparse/odd.bin", "sparse/allhole.bin", "init/half.bin", "frag/f1.bin",
		"comp/one_cu_plus1.txt", "comp/frag/scatter_mixed.bin"} {
		n, err := tree.Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := n.Stream("")
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(path, func(t *testing.T) { layertest.Contract(t, s, want) })
	}
}
