package ntfs

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs/layout"
)

// bounded fails the test when f takes long.
func bounded(t *testing.T, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > 30*time.Second {
		t.Fatalf("took %v", took)
	}
}

func FuzzBoot(f *testing.F) {
	f.Add(bootSector(2, 8, 0xf6, 512))
	f.Add(bootSector(16, 0xf4, 1, 1<<40))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < layout.BootSectorLen {
			return
		}
		g, err := decodeBoot(b, 0)
		if err == nil && (g.cluster <= 0 || g.record < 256 || g.clusters <= 0 || g.mft <= 0 || g.size/int64(g.cluster) != g.clusters) {
			t.Errorf("%+v", g)
		}
	})
}

func FuzzRecord(f *testing.F) {
	v := tinyVolume()
	for i := range tinyRecords {
		f.Add(v[recordAt(i):][:1024])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 512 || len(b)&(len(b)-1) != 0 || len(b) > 64<<10 {
			return
		}
		r, err := decodeRecord(b, 1, 0)
		if err != nil {
			return
		}
		list, _ := r.attributes()
		if 24*len(list) > len(b) {
			t.Errorf("%d attributes in %d bytes", len(list), len(b))
		}
		tree := &Tree{src: &bytesSource{}, geo: boot{cluster: 4096, clusters: 1 << 20, size: 1 << 32}}
		n := tree.newNode(&r)
		n.Streams()
		n.Names()
	})
}

func FuzzRuns(f *testing.F) {
	f.Add([]byte{0x11, 1, tinyData, 0x01, 1, 0x11, 4, 1, 0}, uint64(0), uint64(5), []byte{0x21, 3, 0, 1}, uint64(4), uint64(9))
	f.Fuzz(func(t *testing.T, b1 []byte, low1, high1 uint64, b2 []byte, low2, high2 uint64) {
		var l runList
		for _, a := range []attribute{{low: low1, high: high1, pairs: b1}, {low: low2, high: high2, pairs: b2}} {
			if a.low < 1<<63 && a.high < 1<<63-1 && a.high+1 >= a.low {
				l.extend(&a, 1<<20)
			}
		}
		var end int64
		for i, r := range l.runs {
			if r.vcn != end || r.n <= 0 || (r.lcn >= 0 && r.lcn+r.n > 1<<20) || (r.lcn < hole && l.err(r) == nil) {
				t.Fatalf("run %d of %v", i, l.runs)
			}
			end += r.n
			if l.find(r.vcn) != i || l.find(end-1) != i {
				t.Fatalf("run %d is not found in %v", i, l.runs)
			}
		}
	})
}

func FuzzAttributeList(f *testing.F) {
	f.Add(append(listed(typeData, 1, 29, 0), listed(typeFileName, 0, 28, 2)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeList(b)
		if err == nil && len(b) > 0 && (len(list) == 0 || 26*len(list) > len(b)) {
			t.Errorf("%d entries in %d bytes", len(list), len(b))
		}
	})
}

func FuzzIndex(f *testing.F) {
	v := tinyVolume()
	f.Add(v[tinyIndex*tinyCluster:][:8192], []byte{3}, "big")
	f.Add(v[tinyIndex*tinyCluster:][:8192], []byte(nil), "FILE.TXT")
	upper := new(upcase)
	f.Fuzz(func(t *testing.T, blocks, bitmap []byte, name string) {
		clusters := int64(len(blocks) / tinyCluster)
		if clusters == 0 || clusters > 16 {
			return
		}
		tree := &Tree{src: &bytesSource{blocks}, geo: boot{cluster: tinyCluster, record: 1024, clusters: clusters, size: clusters * tinyCluster}, records: 10}
		tree.upcase = func() *upcase { return upper }
		tree.cache = NewCache(1 << 20)
		tree.mft = &stream{t: tree, label: func() string { return "" }}
		d := &directory{t: tree, blockSize: 4096, vcnSize: 4096, limit: clusters, root: parseNode(encodeNode(16, encodeEntry(0, nil, 0))[16:], true)}
		d.alloc = &stream{t: tree, label: tree.mft.label, size: clusters * tinyCluster, initialized: clusters * tinyCluster}
		d.alloc.runs.add(clusters, 0)
		if int64(len(bitmap)) >= (clusters+7)/8 {
			d.bitmap = bitmap
		}
		tree.cache.store(key{kind: keptDirectory, base: tree, number: 9}, d)
		n := &Node{Ref: Ref{Record: 9}, tree: tree, dir: true}
		bounded(t, func() {
			list, _ := n.Children()
			if len(list) > len(blocks)/(16+fileNameLen) {
				t.Errorf("%d entries in %d bytes", len(list), len(blocks))
			}
			n.Child(name)
		})
	})
}

// FuzzNames makes an index node of names, each a length and UTF-16 units, and looks them up.
func FuzzNames(f *testing.F) {
	f.Add([]byte("\x02a\x00b\x00\x02A\x00B\x00\x01\xff\xfe\x02\x00\xd8\x00\xdc\x01\x00\xdc\x03a\x00:\x00/\x00"))
	u := new(upcase)
	for i := range u {
		u[i] = uint16(i)
	}
	for c := 'a'; c <= 'z'; c++ {
		u[c] = uint16(c) - 32
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var keys [][]byte
		for len(b) > 2 && len(keys) < 50 {
			n := min(max(int(b[0]), 1), (len(b)-1)/2)
			key := make([]byte, fileNameLen)
			key[64] = byte(n)
			keys, b = append(keys, append(key, b[1:][:2*n]...)), b[1+2*n:]
		}
		slices.SortStableFunc(keys, func(a, b []byte) int { return u.compare(a[fileNameLen:], b[fileNameLen:]) })
		entries := make([][]byte, 0, len(keys)+1)
		for i, k := range keys {
			entries = append(entries, encodeEntry(100+i, k, -1))
		}
		node := parseNode(slices.Concat(append(entries, encodeEntry(0, nil, -1))...), false)
		if node.err != nil || len(node.starts) != len(keys)+1 || !node.sorted(u) {
			t.Fatalf("%d of %d entries, %v", len(node.starts), len(keys), node.err)
		}
		tree := &Tree{upcase: func() *upcase { return u }}
		names := node.names()
		for i, k := range keys {
			name := wintype.DecodeUTF16(k[fileNameLen:])
			if names.ends[i]&noName != 0 || !strings.HasSuffix(names.text[:names.ends[i]], name) {
				t.Errorf("name %d: %q in %q", i, name, names.text)
			}
			var room nameRoom
			s := search{d: &directory{}}
			var ok bool
			if s.key, ok = tree.fold(name, &room); !ok {
				t.Fatalf("%q is too long", name)
			}
			s.node(node, 0)
			at := int(s.ref.Record) - 100
			if s.rank != rankSame || at < 0 || !bytes.Equal(keys[at], k) {
				t.Errorf("%q: rank %d, entry %d, want %d", name, s.rank, at, i)
			}
		}
	})
}

func FuzzReparse(f *testing.F) {
	f.Add(reparseLink(TagSymlink, `..\a`, "b", 1, 0, 0, 0))
	f.Add(reparseLink(TagMountPoint, `\??\C:\a`, "b"))
	f.Add(reparseOf(tagAppExecLink, append([]byte{3, 0, 0, 0}, utf16le("a\x00b\x00c\x000\x00")...)))
	f.Add(reparseOf(TagWOF, []byte{1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0}))
	f.Add(reparseOf(tagNFS, []byte{'C', 'H', 'R', 0, 0, 0, 0, 0, 8, 0, 0, 0, 17, 0, 0, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeReparse(b); err == nil && (len(r.Data) > len(b) || len(r.Target) > 3*len(b)) {
			t.Errorf("%+v", r)
		}
	})
}

// FuzzVolume changes bytes of the tiny volume: each five bytes are an offset and a value. Torn fixups would hide what
// is below them, so they are made good again.
func FuzzVolume(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0x0d, 7})
	f.Add([]byte{0, 0, 0x40 + 5*4, 0x60, 9, 0, 1, 0x40, 0x11, 3})
	f.Add([]byte{})
	base, upper := metaVolume(), new(upcase)
	for _, d := range damages(f) { // among them an index of 2^34 bytes, and one without end
		v := bytes.Clone(base)
		d.spoil(v)
		var edits []byte
		for i := range v {
			if v[i] != base[i] {
				edits = append(binary.BigEndian.AppendUint32(edits, uint32(i)), v[i])
			}
		}
		f.Add(edits[:min(len(edits), 500)])
	}
	f.Fuzz(func(t *testing.T, edits []byte) {
		if len(edits) > 500 {
			return
		}
		v := bytes.Clone(base)
		for ; len(edits) >= 5; edits = edits[5:] {
			at := int(binary.BigEndian.Uint32(edits)) % len(v)
			if at%512 < 510 || at < tinyCluster {
				v[at] = edits[4]
			}
		}
		bounded(t, func() { exercise(t, v, upper) })
	})
}

func exercise(t *testing.T, v []byte, upper *upcase) {
	tree, err := Open(&bytesSource{v}, Options{})
	if err != nil {
		return
	}
	tree.upcase = func() *upcase { return upper } // Unicode's takes most of the time
	p := make([]byte, 16<<10)
	for i := range min(tree.Records(), 1000) {
		n, err := tree.Node(Ref{Record: i})
		if err != nil {
			continue
		}
		n.Children()
		n.Child("inner")
		n.Reparse()
		n.Names()
		tree.Paths(n)
		n.Slack()
		n.Security()
		n.ObjectID()
		n.LX()
		n.Metadata()
		n.RawReparse()
		n.DOSName()
		n.IndexAllocated()
		list, _ := n.Streams()
		for _, info := range list[:min(len(list), 5)] {
			s, err := n.Stream(info.Name)
			if err != nil {
				continue
			}
			if s.Size() < 0 {
				t.Errorf("record %d: size %d", i, s.Size())
			}
			io.NewSectionReader(s, 0, 1<<20).Read(p)
			s.ReadAt(p[:10], max(s.Size()-5, 0))
			checkExtents(t, s)
		}
	}
	tree.FreeClusters()
	tree.Log()
	tree.Journal()
	count := 0
	for n := range tree.Deleted() {
		if count++; count > 1000 {
			break
		}
		if n != nil {
			tree.Paths(n)
			n.Slack()
			n.Reuse("")
		}
	}
	count = 0
	fs.WalkDir(tree.FS(), ".", func(string, fs.DirEntry, error) error {
		if count++; count > 200 { // a directory may be its own ancestor
			return fs.SkipAll
		}
		return nil
	})
}

func checkExtents(t *testing.T, s layer.Mapper) {
	var end int64
	for e := range layer.Extents(s, 0, s.Size()) {
		if e.Off != end || e.Len <= 0 {
			t.Fatalf("extent %+v after 0x%x", e, end)
		}
		end += e.Len
	}
	if end != s.Size() {
		t.Fatalf("extents end at 0x%x of 0x%x", end, s.Size())
	}
}
