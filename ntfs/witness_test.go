package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
	"snapmount/ntfs/ntfstest"
)

// checkTiny fails unless all files of the tiny volume are there, but those lost, which must be told.
func checkTiny(t *testing.T, tree *Tree, lost ...string) {
	t.Helper()
	for path, want := range tinyFiles() {
		got, err := readPath(tree, path)
		switch isLost := slices.Contains(lost, path); {
		case isLost && !errors.Is(err, layer.ErrCorrupt):
			t.Errorf("%s: error %v, want damage", path, err)
		case !isLost && (err != nil || got != want):
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
}

// TestBootSectors damages the boot sector, in a partition that is larger than the volume by some bytes.
func TestBootSectors(t *testing.T) {
	le := binary.LittleEndian
	copyAt := len(tinyVolume()) - layout.BootSectorLen
	for _, gap := range []int{0, 512, 4096, 3 << 20} {
		for name, spoil := range map[string]func(v []byte){
			"wiped":                 func(v []byte) { clear(v[:512]) },
			"another OEM id":        func(v []byte) { copy(v[3:], "MSDOS5.0") },
			"clusters of 8 KiB":     func(v []byte) { v[0x0d] = 16 },
			"sectors of 1 KiB":      func(v []byte) { v[0x0c] = 4 },
			"records of 4 KiB":      func(v []byte) { v[0x40] = 1 },
			"$MFT elsewhere":        func(v []byte) { v[0x30] = 7 },
			"$MFT far away":         func(v []byte) { le.PutUint64(v[0x30:], 1<<60) },
			"$MFTMirr elsewhere":    func(v []byte) { v[0x38] = 9 },
			"a volume of 2^50":      func(v []byte) { le.PutUint64(v[0x28:], 1<<41) },
			"a volume of 12 KiB":    func(v []byte) { le.PutUint64(v[0x28:], 24) },
			"no size, twice":        func(v []byte) { clear(v[0x28:0x30]); clear(v[copyAt+0x28:][:8]) },
			"the copy wiped":        func(v []byte) { clear(v[copyAt:][:512]) },
			"the copy says nothing": func(v []byte) { v[copyAt+0x30] = 7 },
		} {
			v := append(tinyVolume(), make([]byte, gap)...)
			spoil(v)
			warnings := 0
			tree := openTiny(t, v, &warnings)
			checkTiny(t, tree)
			if quiet := name == "the copy wiped"; quiet != (warnings == 1) { // there is no $UpCase
				t.Errorf("%s, gap of %d: %d warnings", name, gap, warnings)
			}
			if err := Probe(&bytesSource{v}); err != nil {
				t.Errorf("%s, gap of %d: %v", name, gap, err)
			}
		}
	}
	if err := Probe(&bytesSource{make([]byte, 1<<20)}); !errors.Is(err, layer.ErrFormat) {
		t.Errorf("zeros: %v", err)
	}
	v := tinyVolume()
	clear(v[tinyMFT*tinyCluster:][:1024])
	clear(v[tinyMirror*tinyCluster:][:1024])
	if err := Probe(&bytesSource{v}); !errors.Is(err, layer.ErrFormat) {
		t.Errorf("a boot sector that leads nowhere: %v", err)
	}
}

// TestTableRecord damages the record of $MFT, and $MFTMirr.
func TestTableRecord(t *testing.T) {
	le := binary.LittleEndian
	size := []byte{0, 0xc0, 0, 0, 0, 0, 0, 0} // of $MFT: allocated, size and initialized
	for name, c := range map[string]struct {
		spoil  func(record, mirror []byte)
		silent bool
	}{
		"sound":                       {func(record, mirror []byte) {}, true},
		"runs of nonsense":            {func(record, _ []byte) { record[bytes.Index(record, []byte{0x11, 12, tinyMFT})] = 0x88 }, false},
		"runs elsewhere":              {func(record, _ []byte) { record[bytes.Index(record, []byte{0x11, 12, tinyMFT})+2] = 30 }, false},
		"runs cut":                    {func(record, _ []byte) { record[bytes.Index(record, []byte{0x11, 12, tinyMFT})+1] = 6 }, false},
		"1 TiB":                       {func(record, _ []byte) { le.PutUint64(record[bytes.Index(record, size)+8:], 1<<40) }, false},
		"1 TiB, in the mirror":        {func(_, mirror []byte) { le.PutUint64(mirror[bytes.Index(mirror, size)+8:], 1<<40) }, false},
		"1 TiB, in both":              {func(r, m []byte) { le.PutUint64(r[bytes.Index(r, size)+8:], 1<<40); copy(m, r) }, false},
		"a size of all the volume":    {func(r, m []byte) { le.PutUint64(r[bytes.Index(r, size)+8:], 1<<17); copy(m, r) }, false},
		"runs of the mirror cut":      {func(_, mirror []byte) { mirror[bytes.Index(mirror, []byte{0x11, 12, tinyMFT})+1] = 6 }, false},
		"not in use":                  {func(record, _ []byte) { record[22] = 0 }, false},
		"another record":              {func(record, _ []byte) { record[44] = 9 }, false},
		"mirror zeroed":               {func(_, mirror []byte) { clear(mirror) }, true},
		"zeroed, mirror in its place": {func(record, _ []byte) { clear(record) }, false},
	} {
		v := tinyVolume()
		c.spoil(v[tinyMFT*tinyCluster:][:1024], v[tinyMirror*tinyCluster:][:1024])
		warnings := 0
		tree := openTiny(t, v, &warnings)
		checkTiny(t, tree)
		if tree.Records() != tinyRecords || int64(tree.MFT().Size()) != tinyRecords*1024 {
			t.Errorf("%s: %d records, %d bytes", name, tree.Records(), tree.MFT().Size())
		}
		if c.silent != (warnings == 1) {
			t.Errorf("%s: %d warnings", name, warnings)
		}
	}
}

// TestSizes has sizes of a stream that its clusters contradict: what is sure is given, the rest is damage.
func TestSizes(t *testing.T) {
	le := binary.LittleEndian
	want := tinyFiles()["big"]
	for _, size := range []uint64{6*tinyCluster + 1, 9 * tinyCluster, 1 << 62} {
		v := tinyVolume()
		le.PutUint64(v[find(t, v, recordAt(recBig), 1024, 0xf7, 0x5f):], size)
		tree := openTiny(t, v, new(int))
		n, err := tree.Lookup("big")
		if err != nil {
			t.Fatal(err)
		}
		s, err := n.Stream("")
		if err != nil {
			t.Fatal(err)
		}
		const sure = 4*tinyCluster + 5 // were initialized
		b := make([]byte, sure)
		if err := layer.ReadFull(s, b, 0); err != nil || string(b) != want[:sure] {
			t.Errorf("%d bytes: what was initialized: %v", size, err)
		}
		if _, err := s.ReadAt(b[:10], sure); !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%d bytes: past that: %v", size, err)
		}
	}
}

// TestAttributeLists damages the attribute list of a file.
func TestAttributeLists(t *testing.T) {
	entry := func(v []byte) []byte { // the one of the extension record
		at := find(t, v, recordAt(recListed), 1024, recExtension, 0, 0, 0, 0, 0, recExtension) - 16
		return v[at:][:32]
	}
	for name, c := range map[string]struct {
		spoil func(v []byte)
		lost  []string
	}{
		"wrong id":                  {func(v []byte) { entry(v)[24] = 77 }, nil},
		"wrong VCN":                 {func(v []byte) { entry(v)[8] = 99 }, nil},
		"wrong sequence number":     {func(v []byte) { entry(v)[22] = 9 }, nil},
		"wrong record":              {func(v []byte) { entry(v)[16] = recBig }, nil},
		"entry of zeros":            {func(v []byte) { clear(entry(v)) }, nil},
		"all zeros":                 {func(v []byte) { at := bytes.Index(v, entry(v)); clear(v[at-96 : at+32]) }, nil},
		"garbage":                   {func(v []byte) { rand.NewChaCha8([32]byte{7}).Read(entry(v)[:30]) }, nil},
		"and the extension is lost": {func(v []byte) { clear(entry(v)); clear(v[recordAt(recExtension):][:1024]) }, []string{"listed"}},
		"and the base is another":   {func(v []byte) { entry(v)[24] = 77; v[recordAt(recExtension)+38]++ }, []string{"listed"}},
	} {
		v := tinyVolume()
		c.spoil(v)
		warnings := 0
		tree := openTiny(t, v, &warnings)
		checkTiny(t, tree, c.lost...)
		n, err := tree.Node(Ref{Record: recListed})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if (n.Damage != nil) != (c.lost != nil) || (warnings > 1) != (c.lost == nil) {
			t.Errorf("%s: damage %v, %d warnings", name, n.Damage, warnings)
		}
	}
	v := tinyVolume()
	entry(v)[0] = 0xe0 // which the record has not: that one is missing, and nothing else
	tree := openTiny(t, v, new(int))
	checkTiny(t, tree)
	if n, err := tree.Node(Ref{Record: recListed}); err != nil || !errors.Is(n.Damage, layer.ErrCorrupt) {
		t.Errorf("an attribute that is nowhere: %v", err)
	}
}

// An overlay is a volume with other bytes at some places.
type overlay struct {
	layer.Source
	at map[int64][]byte
}

func (o *overlay) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.Source.ReadAt(p, off)
	for at, b := range o.at {
		if from, to := max(at, off), min(at+int64(len(b)), off+int64(n)); from < to {
			copy(p[from-off:to-off], b[from-at:])
		}
	}
	return n, err
}

// TestTableList damages the attribute list of $MFT on a volume where that is in thousands of pieces.
func TestTableList(t *testing.T) {
	f, err := os.Open(ntfstest.Frag.Build(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	whole, _ := layer.Section(f2{f, info.Size()}, 0, info.Size())
	sound, err := Open(whole, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := sound.geo.tableRecord(whole, sound.geo.mft)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := r.attributes()
	i := slices.IndexFunc(list, func(a attribute) bool { return a.typ == typeAttributeList })
	if i < 0 || list[i].resident {
		t.Fatal("the list of $MFT has no clusters")
	}
	value, err := sound.readAll(list[i:i+1], r.ref.String, maxAttributeList)
	if err != nil {
		t.Fatal(err)
	}
	var lcn int64
	for _, lcn = range pairs(list[i].pairs, maxVCN) {
		break
	}
	random := rand.NewChaCha8([32]byte{1})
	for name, spoil := range map[string]func(b []byte){
		"reversed": func(b []byte) {
			var entries [][]byte
			for rest := bytes.Clone(b); len(rest) > 0; {
				n := binary.LittleEndian.Uint16(rest[4:])
				entries, rest = append(entries, rest[:n]), rest[n:]
			}
			slices.Reverse(entries)
			copy(b, bytes.Join(entries, nil))
		},
		"zeros":              func(b []byte) { clear(b) },
		"garbage":            func(b []byte) { random.Read(b) },
		"zeros in the midst": func(b []byte) { clear(b[len(b)/2:]) },
		"wrong VCNs": func(b []byte) {
			for at := 0; at < len(b); at += int(binary.LittleEndian.Uint16(b[at+4:])) {
				b[at+9] ^= 0x55
			}
		},
	} {
		b := bytes.Clone(value)
		spoil(b)
		warnings := 0
		tree, err := Open(&overlay{whole, map[int64][]byte{lcn * int64(sound.geo.cluster): b}}, Options{Warn: func(err error) {
			if warnings++; warnings < 3 {
				t.Logf("%s: %v", name, err)
			}
		}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tree.Records() != sound.Records() || !slices.Equal(tree.mft.runs.runs, sound.mft.runs.runs) {
			t.Errorf("%s: %d records of %d", name, tree.Records(), sound.Records())
		}
		if warnings == 0 && name != "reversed" && name != "wrong VCNs" {
			t.Errorf("%s: not told", name)
		}
	}
}

// f2 is a file as a Source.
type f2 struct {
	*os.File
	size int64
}

func (f f2) Size() int64 { return f.size }

// TestLostRecords damages file records that are in use, and free ones.
func TestLostRecords(t *testing.T) {
	zero := func(from, n int) func(v []byte, number int) {
		return func(v []byte, number int) { clear(v[recordAt(number)+from:][:n]) }
	}
	free := func(v []byte, number int) { // by $MFT:$BITMAP
		v[find(t, v, recordAt(0), 1024, 0x69, 0, 0, 0x7f)+number/8] &^= 1 << (number % 8)
	}
	for name, c := range map[string]struct {
		number int
		spoil  func(v []byte, number int)
		names  []Name
		want   RecordState
	}{
		"sound":                     {recBig, func([]byte, int) {}, nil, RecordInUse},
		"free":                      {40, func([]byte, int) {}, nil, RecordFree},
		"zeros":                     {recBig, zero(0, 1024), nil, RecordLost},
		"the first half zeros":      {recBig, zero(0, 512), nil, RecordLost},
		"the second half zeros":     {recBig, zero(512, 512), nil, RecordLost},
		"the header zeros":          {recBig, zero(0, 24), nil, RecordLost},
		"4 KiB of zeros":            {recBig, func(v []byte, n int) { clear(v[recordAt(n&^3):][:4096]) }, nil, RecordLost},
		"zeros while free":          {40, zero(0, 1024), nil, RecordFree},
		"garbage while free":        {40, func(v []byte, n int) { copy(v[recordAt(n):], "garbage") }, nil, RecordUnknown},
		"free, with an entry":       {recBig, func(v []byte, n int) { zero(0, 1024)(v, n); free(v, n) }, []Name{{Parent: Ref{5, 5}, Name: "big"}}, RecordLost},
		"free, with another entry":  {recBig, func(v []byte, n int) { zero(0, 1024)(v, n); free(v, n) }, []Name{{Parent: Ref{5, 5}, Name: "file.txt"}}, RecordFree},
		"free, with a child":        {recDir, func(v []byte, n int) { zero(0, 1024)(v, n); free(v, n) }, nil, RecordLost},
		"free, with an extension":   {recListed, func(v []byte, n int) { zero(0, 1024)(v, n); free(v, n) }, nil, RecordLost},
		"zeros without the $BITMAP": {recBig, func(v []byte, n int) { zero(0, 1024)(v, n); free(v, 0) }, nil, RecordUnknown},
	} {
		v := tinyVolume()
		c.spoil(v, c.number)
		tree := openTiny(t, v, new(int))
		got, err := tree.RecordState(uint64(c.number), c.names)
		if got != c.want || (err != nil) != (got == RecordLost || got == RecordUnknown) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
		n, err := tree.NodeByNumber(uint64(c.number))
		if (err == nil) != (c.want == RecordInUse) || errors.Is(err, fs.ErrNotExist) != (c.want == RecordFree && c.names == nil) && c.names == nil {
			t.Errorf("%s: node %v, %v", name, n, err)
		}
	}
}

// TestUnreached takes files out of reach in several ways.
func TestUnreached(t *testing.T) {
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		spoil func(v []byte)
		want  string
		fails bool
	}{
		"sound": {func([]byte) {}, "[]", false},
		"another parent": {func(v []byte) {
			le.PutUint64(v[find(t, v, recordAt(recInner), 1024, recDir, 0, 0, 0, 0, 0, recDir, 0):], tinyRef(recBig))
		}, "[]", false}, // the index leads there
		"no entry": {func(v []byte) {
			copy(v[tinyIndex*tinyCluster:], indexBlock(0, encodeEntry(0, nil, -1)))
		}, "[25 big]", false},
		"a directory without an entry": {func(v []byte) {
			copy(v[recordAt(5):], encodeRecord(5, layout.RecordInUse|layout.RecordDirectory, 0, standard(), named(5, ".", attrIndexed),
				indexRoot(encodeEntry(0, nil, -1))))
		}, "[24 file.txt 25 big 26 dir 27 junction 28 listed]", false},
		"the directory's record lost": {func(v []byte) { clear(v[recordAt(recDir):][:1024]) }, "[30 inner]", true},
		"the directory reused":        {func(v []byte) { v[recordAt(recDir)+16]++ }, "[26 dir]", false}, // whose index still leads to what was in it
	} {
		v := tinyVolume()
		c.spoil(v)
		list, err := openTiny(t, v, new(int)).Unreached(t.Context())
		var got []string
		for _, s := range list {
			got = append(got, fmt.Sprint(s.Node.Ref.Record, " ", s.Name))
		}
		if fmt.Sprint(got) != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v, want %s", name, got, err, c.want)
		}
	}
}

// TestIndexAndRecord has index entries and file records that contradict each other.
func TestIndexAndRecord(t *testing.T) {
	le := binary.LittleEndian
	entry := func(v []byte, name string) []byte {
		return v[find(t, v, (tinyIndex+1)*tinyCluster, 4096, utf16le(name)...)-66-16:]
	}
	rename := func(v []byte, number int, from, to string) {
		copy(v[find(t, v, recordAt(number), 1024, utf16le(from)...):], utf16le(to))
	}
	for name, c := range map[string]struct {
		spoil func(v []byte)
		lost  []string
	}{
		"a letter in the record":            {func(v []byte) { rename(v, recListed, "listed", "lister") }, nil},
		"a letter in a record of two names": {func(v []byte) { rename(v, recFile, "file.txt", "gile.txt") }, nil},
		"an entry with another's reference": {func(v []byte) { le.PutUint64(entry(v, "listed"), tinyRef(recBig)) }, nil},
		"two entries exchanged": {func(v []byte) {
			a, b := entry(v, "listed"), entry(v, "file.txt")
			x := bytes.Clone(a[:8])
			copy(a[:8], b[:8])
			copy(b, x)
		}, nil},
		"a stale entry":                      {func(v []byte) { v[recordAt(recListed)+16]++; v[recordAt(recExtension)+38]++ }, []string{"listed"}},
		"an entry of a file that is deleted": {func(v []byte) { v[recordAt(recListed)+22] = 0 }, []string{"listed"}},
		"an entry with a letter, of another": {func(v []byte) {
			rename(v, recListed, "listed", "lister")
			le.PutUint64(entry(v, "listed"), tinyRef(recBig))
		}, []string{"listed"}},
	} {
		v := tinyVolume()
		c.spoil(v)
		t.Log(name)
		checkTiny(t, openTiny(t, v, new(int)), c.lost...)
	}
}

// TestLostIndex takes away an index, and records too: what neither tells is not said to be missing.
func TestLostIndex(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(v []byte)
		fails bool
	}{
		"both blocks":                {func(v []byte) { clear(v[tinyIndex*tinyCluster:][:2*tinyCluster]) }, false},
		"$BITMAP of zeros":           {func(v []byte) { v[find(t, v, recordAt(5), 1024, 3, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255)] = 0 }, false},
		"too small":                  {func(v []byte) { v[find(t, v, recordAt(5), 1024, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x20)+9] = 0x10 }, false},
		"size of zero":               {func(v []byte) { clear(v[find(t, v, recordAt(5), 1024, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x20):][:16]) }, false},
		"a block and a record":       {func(v []byte) { clear(v[tinyIndex*tinyCluster:][:2*tinyCluster]); clear(v[recordAt(recBig):][:1024]) }, true},
		"a block, and a record torn": {func(v []byte) { clear(v[tinyIndex*tinyCluster:][:2*tinyCluster]); v[recordAt(recBig)+510]++ }, true},
	} {
		v := tinyVolume()
		c.spoil(v)
		tree := openTiny(t, v, new(int))
		root, err := tree.Root()
		if err != nil {
			t.Fatal(err)
		}
		list, err := root.Children()
		want := slices.Clone(tinyRoot)
		if c.fails {
			want = want[1:] // but "big"
		}
		if got := names(list); !slices.Equal(got, want) || (err != nil) != c.fails {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, err := root.Child("big"); (err != nil) != c.fails || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the file of the record: %v", name, err)
		}
		if _, err := root.Child("other"); errors.Is(err, fs.ErrNotExist) == c.fails {
			t.Errorf("%s: a file that no record has: %v", name, err)
		}
	}
}

// TestSpecialKinds has what programs of Unix keep on NTFS.
func TestSpecialKinds(t *testing.T) {
	nfs := func(kind string) []byte {
		return reparseOf(tagNFS, append([]byte(kind), make([]byte, 24-len(kind))...))
	}
	for name, c := range map[string]struct {
		attr   FileAttr
		data   string
		tag    []byte
		kind   Kind
		target string
	}{
		"link":              {AttrSystem, interixLink + string(utf16le("../a/b")), nil, KindSymlink, "../a/b"},
		"absolute link":     {AttrSystem, interixLink + string(utf16le("/etc/passwd")), nil, KindSymlink, "/etc/passwd"},
		"no system file":    {AttrArchive, interixLink + string(utf16le("a")), nil, KindFile, ""},
		"hidden":            {AttrSystem | AttrHidden, "", nil, KindFile, ""},
		"character device":  {AttrSystem, interixChar + "\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00", nil, KindCharDevice, ""},
		"block device":      {AttrSystem, interixBlock + "\x08\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", nil, KindBlockDevice, ""},
		"FIFO":              {AttrSystem, "", nil, KindFIFO, ""},
		"socket":            {AttrSystem, "\x00", nil, KindSocket, ""},
		"other system file": {AttrSystem, "[boot loader]", nil, KindFile, ""},
		"short":             {AttrSystem, "Intx", nil, KindFile, ""},
		"WSL FIFO":          {AttrReparse, "", reparseOf(tagLXFifo, nil), KindFIFO, ""},
		"WSL char device":   {AttrReparse, "", reparseOf(tagLXChar, nil), KindCharDevice, ""},
		"WSL block device":  {AttrReparse, "", reparseOf(tagLXBlock, nil), KindBlockDevice, ""},
		"WSL socket":        {AttrReparse, "", reparseOf(tagUnixSocket, nil), KindSocket, ""},
		"NFS FIFO":          {AttrReparse, "", nfs("FIFO"), KindFIFO, ""},
		"NFS block device":  {AttrReparse, "", nfs("BLK"), KindBlockDevice, ""},
	} {
		v := tinyVolume()
		si, attrs := standard(), []attr{}
		binary.LittleEndian.PutUint32(si.value[32:], uint32(c.attr))
		attrs = append(attrs, si, named(recDir, "inner", uint32(c.attr)), attr{typ: typeData, value: []byte(c.data)})
		if c.tag != nil {
			attrs = append(attrs, attr{typ: typeReparsePoint, value: c.tag})
		}
		copy(v[recordAt(recInner):], encodeRecord(recInner, layout.RecordInUse, 0, attrs...))
		key := encodeName(recDir, "inner", uint32(c.attr), 0)
		if c.tag != nil {
			copy(key[60:], c.tag[:4])
		}
		copy(v[recordAt(recDir):], encodeRecord(recDir, layout.RecordInUse|layout.RecordDirectory, 0, standard(), named(5, "dir", attrIndexed),
			indexRoot(encodeEntry(recInner, key, -1), encodeEntry(0, nil, -1))))
		tree := openTiny(t, v, new(int))
		n, err := tree.Lookup("dir/inner")
		if err != nil || n.Kind != c.kind {
			t.Errorf("%s: %v, %v", name, n.Kind, err)
			continue
		}
		dir, _ := tree.Lookup("dir")
		for e, err := range dir.Entries() {
			if err != nil || e.Kind != c.kind {
				t.Errorf("%s: kind %v in the directory, %v", name, e.Kind, err)
			}
		}
		if c.kind == KindSymlink {
			r, err := n.Reparse()
			if err != nil || r.Target != c.target || r.Relative != (c.target[0] != '/') {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		}
		if got, err := readPath(tree, "dir/inner"); err != nil || got != c.data {
			t.Errorf("%s: content %q, %v", name, got, err)
		}
	}
}

// TestForeignReparse has the tag of another program on a file whose data is there, and on one with a hole.
func TestForeignReparse(t *testing.T) {
	foreign := reparseOf(0x80000077, []byte("abc"))
	for name, c := range map[string]struct {
		data  attr
		works bool
	}{
		"resident": {attr{typ: typeData, value: []byte("there")}, true},
		"mapped":   {attr{typ: typeData, mapped: true, high: 0, size: 5, init: 5, pairs: []byte{0x11, 1, tinyData, 0}}, true},
		"hole":     {attr{typ: typeData, mapped: true, flags: layout.Sparse, high: 0, size: 5, init: 5, pairs: []byte{0x01, 1, 0}}, false},
	} {
		v := tinyVolume()
		si := standard()
		binary.LittleEndian.PutUint32(si.value[32:], uint32(AttrReparse))
		copy(v[recordAt(recInner):], encodeRecord(recInner, layout.RecordInUse, 0, si, named(recDir, "inner", uint32(AttrReparse)), c.data, attr{typ: typeReparsePoint, value: foreign}))
		for _, raw := range []bool{false, true} {
			tree, err := Open(&bytesSource{v}, Options{ForeignReparse: raw})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := readPath(tree, "dir/inner"); (err == nil) != (raw && c.works) || err != nil && !errors.Is(err, layer.ErrUnsupported) {
				t.Errorf("%s, raw %v: %v", name, raw, err)
			}
		}
	}
}

// TestRoll looks a name up among those that file records give themselves: the cost must not grow with the directory.
func TestRoll(t *testing.T) {
	tree := openTiny(t, tinyVolume(), new(int))
	root, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	list, err := root.Children()
	if err != nil {
		t.Fatal(err)
	}
	all := tree.roll().in(root.Ref.Record)
	for _, c := range list {
		if !slices.Contains(all, c.Ref.Record) {
			t.Errorf("%q: record %v is not among those in the root", c.Name, c.Ref)
		}
		for _, name := range []string{c.Name, strings.ToUpper(c.Name)} {
			if got := tree.roll().as(root.Ref.Record, tree.upcase().key(encodeUTF16(name))); !slices.Equal(got, []uint64{c.Ref.Record}) {
				t.Errorf("%q: records %d, want %d alone", name, got, c.Ref.Record)
			}
		}
	}
	if got := tree.roll().as(root.Ref.Record, tree.upcase().key(encodeUTF16("no such name"))); got != nil {
		t.Errorf("a name that nothing has: records %d", got)
	}
}
