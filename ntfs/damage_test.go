package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
)

func openTiny(t *testing.T, v []byte, warnings *int) *Tree {
	t.Helper()
	tree, err := Open(&bytesSource{v}, Options{Warn: func(err error) {
		t.Log("warning:", err)
		*warnings++
	}})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// readPath reads "path" or "path:stream" through all of the package.
func readPath(tree *Tree, path string) (string, error) {
	path, stream, _ := strings.Cut(path, ":")
	n, err := tree.Lookup(path)
	if err != nil {
		return "", err
	}
	s, err := n.Stream(stream)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
	return string(b), err
}

// names are those of a listing, without system files: the tiny volume's are in its records only.
func names(list []Entry) []string {
	var out []string
	for _, e := range list {
		if !e.Metafile() {
			out = append(out, e.Name)
		}
	}
	return out
}

var tinyRoot = []string{"big", "dir", "file.txt", "junction", "listed"}

func TestTiny(t *testing.T) {
	warnings := 0
	tree := openTiny(t, tinyVolume(), &warnings)
	for path, want := range tinyFiles() {
		if got, err := readPath(tree, path); err != nil || got != want {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
		path, stream, _ := strings.Cut(path, ":")
		n, _ := tree.Lookup(path)
		s, err := n.Stream(stream)
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, s, []byte(want))
	}
	root, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	list, err := root.Children()
	if got := names(list); err != nil || !slices.Equal(got, tinyRoot) {
		t.Errorf("root: %q, %v", got, err)
	}
	if list[3].Kind != KindFile && list[3].Kind != KindDir {
		t.Errorf("junction: kind %d in the index, which has no tag for it", list[3].Kind)
	}
	for _, name := range []string{"FILE.TXT", "file~1.txt", "File~1.Txt"} {
		if n, err := root.Child(name); err != nil || n.Ref.Record != recFile {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := root.Child("fil"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("fil: error %v", err)
	}
	free, err := tree.FreeClusters()
	if major, minor := tree.Version(); err != nil || free != 28 || tree.Label() != "Tiny" || major != 3 || minor != 1 || !tree.Dirty() {
		t.Errorf("%d free, %v, label %q, version %d.%d, dirty %v", free, err, tree.Label(), major, minor, tree.Dirty())
	}
	if warnings != 1 { // there is no $UpCase
		t.Errorf("%d warnings, want 1", warnings)
	}
	for record, want := range map[Ref]error{{recFile, 0}: nil, {recFile, recFile}: nil, {recFile, 99}: ErrStale, {recExtension, 0}: ErrStale, {40, 0}: ErrStale, {tinyRecords, 0}: ErrStale} {
		if _, err := tree.Node(record); !errors.Is(err, want) {
			t.Errorf("node %v: error %v, want %v", record, err, want)
		}
	}
}

// recordAt is where the tiny volume has a record.
func recordAt(number int) int { return tinyMFT*tinyCluster + number*1024 }

// find returns where b is in the record or block of n bytes at off.
func find(t testing.TB, v []byte, off, n int, b ...byte) int {
	t.Helper()
	i := bytes.Index(v[off:off+n], b)
	if i < 0 {
		t.Fatalf("no % x at 0x%x", b, off)
	}
	return off + i
}

// A damage is one thing broken in the tiny volume, and what that may cost; everything else stays.
type damage struct {
	name  string
	spoil func(v []byte)
	lost  []string // streams that give an error
	warns bool
}

func damages(t testing.TB) []damage {
	le := binary.LittleEndian
	bigPairs := []byte{0x11, 1, tinyData, 0x01, 1, 0x11, 4, 1, 0}
	return []damage{
		{"boot sector zeroed", func(v []byte) { clear(v[:512]) }, nil, true},
		{"record 0 zeroed", func(v []byte) { clear(v[recordAt(0):][:1024]) }, nil, true},
		{"records 0 to 3 torn", func(v []byte) { v[recordAt(0)+510]++; v[recordAt(3)+1022]++ }, nil, true},
		{"BAAD record", func(v []byte) { copy(v[recordAt(recFile):], "BAAD") }, []string{"file.txt", "file.txt:s"}, false},
		{"record of a directory zeroed", func(v []byte) { clear(v[recordAt(recDir):][:1024]) }, []string{"dir/inner"}, false},
		{"index block zeroed", func(v []byte) { clear(v[tinyIndex*tinyCluster:][:4096]) }, nil, true},
		{"index block torn", func(v []byte) { v[(tinyIndex+1)*tinyCluster+1022]++ }, nil, true},
		{"index block of another VCN", func(v []byte) { v[tinyIndex*tinyCluster+16] = 1 }, nil, true},
		{"index root broken", func(v []byte) { v[find(t, v, recordAt(5), 1024, 0x30, 0, 0, 0, 1, 0, 0, 0, 0, 0x10)+16]++ }, nil, true},
		{"index block not in $BITMAP", func(v []byte) { v[find(t, v, recordAt(5), 1024, 3, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255)] = 2 }, nil, true},
		{"index loop", func(v []byte) {
			copy(v[tinyIndex*tinyCluster:], indexBlock(0, encodeEntry(recBig, encodeName(5, "big", 0, 0), 1), encodeEntry(0, nil, 0)))
		}, nil, true},
		{"$INDEX_ALLOCATION of 2^34", func(v []byte) {
			le.PutUint64(v[find(t, v, recordAt(5), 1024, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x20)+8:], 1<<34)
		}, nil, true},
		{"$DATA of 2^62", func(v []byte) {
			at := find(t, v, recordAt(recBig), 1024, 0xf7, 0x5f)
			le.PutUint64(v[at:], 1<<62)
		}, []string{"big"}, false},
		{"runs outside the volume", func(v []byte) { v[find(t, v, recordAt(recBig), 1024, bigPairs...)+2] = 0x7f }, []string{"big"}, false},
		{"runs end early", func(v []byte) { v[find(t, v, recordAt(recBig), 1024, bigPairs...)+3] = 0 }, []string{"big"}, false},
		{"attribute list to nowhere", func(v []byte) {
			v[find(t, v, recordAt(recListed), 1024, recExtension, 0, 0, 0, 0, 0, recExtension)] = 200
		}, nil, true},
		{"extension of another file", func(v []byte) { v[recordAt(recExtension)+32] = recFile }, []string{"listed"}, false},
		{"extension with another sequence", func(v []byte) { v[recordAt(recExtension)+16]++ }, nil, true},
		{"stale index entry", func(v []byte) { v[recordAt(recBig)+16]++ }, []string{"big"}, false},
		{"deleted file", func(v []byte) { v[recordAt(recBig)+22] = 0 }, []string{"big"}, false},
		{"an entry that says it is the last", func(v []byte) {
			v[find(t, v, (tinyIndex+1)*tinyCluster, 4096, utf16le("file.txt")...)-66-4] |= entryLast
		}, nil, true},
		{"an entry that hides its child", func(v []byte) {
			v[find(t, v, recordAt(5), 1024, utf16le("dir")...)-66-4] &^= entryHasChild
		}, nil, true},
		{"an entry of another file", func(v []byte) {
			at := find(t, v, tinyIndex*tinyCluster, 4096, utf16le("big")...) - 66 - 16
			le.PutUint64(v[at:], tinyRef(recListed))
		}, nil, true},
		{"an entry without a name", func(v []byte) {
			v[find(t, v, tinyIndex*tinyCluster, 4096, utf16le("big")...)-2] = 0
		}, nil, true},
		{"a hole in a stream that is not sparse", func(v []byte) {
			at := find(t, v, recordAt(recBig), 1024, 0, 0x80, 2, 0)
			le.PutUint16(v[at:], 0)
		}, []string{"big"}, false},
		{"entry with a child at VCN -1", func(v []byte) {
			copy(v[tinyIndex*tinyCluster:], indexBlock(0, encodeEntry(recBig, encodeName(5, "big", 0, 0), 1<<63-1), encodeEntry(0, nil, -1)))
			v[find(t, v, tinyIndex*tinyCluster, 4096, 255, 255, 255, 255, 255, 255, 255, 127)+7] = 255
		}, nil, true},
	}
}

// TestDamage breaks one thing at a time.
func TestDamage(t *testing.T) {
	for _, c := range damages(t) {
		t.Run(c.name, func(t *testing.T) {
			v := tinyVolume()
			c.spoil(v)
			warnings := 0
			tree := openTiny(t, v, &warnings)
			for path, want := range tinyFiles() {
				got, err := readPath(tree, path)
				lost := slices.Contains(c.lost, path)
				if lost && (err == nil || errors.Is(err, fs.ErrNotExist)) {
					t.Errorf("%s: error %v", path, err)
				}
				if !lost && (err != nil || got != want) {
					t.Errorf("%s: %d bytes, %v", path, len(got), err)
				}
				if lost && !strings.HasPrefix(want, got) {
					t.Errorf("%s: wrong bytes before the error", path)
				}
			}
			root, err := tree.Root()
			if err != nil {
				t.Fatal(err)
			}
			list, err := root.Children()
			if got := names(list); !slices.Equal(got, tinyRoot) || err != nil {
				t.Errorf("root: %q, %v, want %q", got, err, tinyRoot)
			}
			if c.warns != (warnings > 1) {
				t.Errorf("%d warnings", warnings)
			}
		})
	}
}

// TestOutOfOrder checks that names in the wrong order are found all the same.
func TestOutOfOrder(t *testing.T) {
	v := tinyVolume()
	copy(v[(tinyIndex+1)*tinyCluster:], indexBlock(1, encodeEntry(recJunction, encodeName(5, "junction", attrIndexed|uint32(AttrReparse), 0), -1),
		encodeEntry(recFile, encodeName(5, "file.txt", 0, 0), -1), encodeEntry(recListed, encodeName(5, "listed", 0, 0), -1), encodeEntry(0, nil, -1)))
	tree := openTiny(t, v, new(int))
	for path, want := range tinyFiles() {
		if got, err := readPath(tree, path); got != want || err != nil {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	if _, err := tree.Lookup("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name that no record has: error %v", err)
	}
	clear(v[recordAt(recInner):][:1024]) // which may be it, then
	if _, err := openTiny(t, v, new(int)).Lookup("none"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name that is not there: error %v, want that of the damage", err)
	}
}

// TestDamagedRange checks that a run outside the volume costs its own range of the file, no more.
func TestDamagedRange(t *testing.T) {
	v := tinyVolume()
	v[find(t, v, recordAt(recBig), 1024, 0x11, 1, tinyData, 0x01, 1, 0x11, 4, 1, 0)+7] = 0x60 // the last run
	warnings := 0
	n, err := openTiny(t, v, &warnings).Lookup("big")
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.Stream("")
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 2*tinyCluster)
	if err := layer.ReadFull(s, p, 0); err != nil || string(p) != tinyFiles()["big"][:len(p)] {
		t.Errorf("before the damage: %v", err)
	}
	if _, err := s.ReadAt(p, tinyCluster); !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("across the damage: error %v", err)
	}
	if err := layer.ReadFull(s, p[:100], 5*tinyCluster); err != nil || !bytes.Equal(p[:100], make([]byte, 100)) {
		t.Errorf("after what was initialized: %v", err)
	}
}

// unknown is a volume of which some clusters were not kept.
type unknown struct {
	bytesSource
	lost map[int64]bool
}

func (u *unknown) At(off, n int64) (layer.Extent, error) {
	e := layer.Extent{Off: off, Len: min(tinyCluster-off%tinyCluster, n), Base: &u.bytesSource, BaseOff: off}
	if u.lost[off/tinyCluster] {
		e.Kind, e.Why = layer.Unknown, layer.Unprotected
	}
	return e, nil
}

func TestUnknown(t *testing.T) {
	big := tinyFiles()["big"]
	for _, c := range []struct {
		policy layer.Policy
		want   string // of the two clusters that map clusters 31 and 32; "" for an error
	}{
		{layer.Fail, ""},
		{layer.Live, big[2*tinyCluster:][:2*tinyCluster]},
		{layer.Zeros, string(make([]byte, tinyCluster)) + big[3*tinyCluster:][:tinyCluster]},
	} {
		u := &unknown{bytesSource{tinyVolume()}, map[int64]bool{tinyData + 1: true, tinyIndex + 1: true}}
		tree, err := Open(u, Options{Unknown: c.policy})
		if err != nil {
			t.Fatal(err)
		}
		s, err := readPath(tree, "big")
		switch {
		case c.want == "" && (!errors.Is(err, layer.ErrUnknown) || s != big[:len(s)]):
			t.Errorf("policy %d: %d bytes, %v", c.policy, len(s), err)
		case c.want != "" && (err != nil || s[2*tinyCluster:][:2*tinyCluster] != c.want):
			t.Errorf("policy %d: %d bytes, %v", c.policy, len(s), err)
		}
		root, _ := tree.Root()
		list, err := root.Children()
		fromRecord := 0
		for _, e := range list {
			if e.FromRecord && !e.Metafile() {
				fromRecord++
			}
		}
		if live := c.policy == layer.Live; err != nil || len(names(list)) != len(tinyRoot) || (fromRecord == 0) != live {
			t.Errorf("policy %d: %d names, %d of them from records, %v", c.policy, len(list), fromRecord, err)
		}
	}
}

func TestFSErrors(t *testing.T) {
	warnings := 0
	f := openTiny(t, tinyVolume(), &warnings).FS()
	for _, name := range []string{"nothing", "file.txt/below"} {
		if _, err := f.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	b, err := fs.ReadFile(f, "file.txt")
	if err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
}
