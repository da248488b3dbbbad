package points_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"snapmount/diffstore/carve"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// A lifetime is a volume with files that are written over in place, as Windows notes that in their records, with and without
// snapshots that keep what was there before.
type lifetime struct {
	t      *testing.T
	volume *vsstest.Memory
	// storage holds the diff area; nil for the volume itself.
	storage *vsstest.Memory
	sim     *vsstest.Volume
	used    uint32
	area    vsstest.Blocks // of two lives, one after the other
	bitmap  []layer.Extent // of $Bitmap
	files   []*lifeFile
	lsn     uint64
	clock   uint64 // FILETIME of the next change
	states  []map[ntfs.Ref]string
	random  *rand.Rand
	plain   bool // nothing writes sequence numbers
}

// lifeFile is a file with clusters.
type lifeFile struct {
	ref    ntfs.Ref
	record int64 // bytes, on the volume
	runs   []layer.Extent
	size   int64
}

// lifeFiles is how many files a volume has.
const lifeFiles = 120

// makeVolume fills a new volume with files by ntfs-3g.
func makeVolume(t *testing.T) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "life.raw")
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(64<<20), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-F", "-Q", "-q", "-c", "4096", "-s", "512", "-p", "0", "-H", "255", "-S", "63", "-L", "Life", image)
	dir, unmount := ntfstest.MountNTFS3G(t, image, "")
	random := rand.New(rand.NewPCG(3, 4))
	for i := range lifeFiles {
		b := make([]byte, 3000+random.IntN(40000))
		for j := range b {
			b[j] = byte(random.Uint32())
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%03d.dat", i)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unmount()
	return image
}

// newLifetime takes such a volume, and gives all its records a sequence number.
func newLifetime(t *testing.T, image string, apart bool) *lifetime {
	t.Helper()
	v := open(t, image).Volumes[0]
	tree, err := v.Current().Files()
	if err != nil {
		t.Fatal(err)
	}
	l := &lifetime{t: t, volume: vsstest.NewMemory(v.Block.Size()), lsn: 1 << 20, random: rand.New(rand.NewPCG(1, 2))}
	b := make([]byte, v.Block.Size())
	if err := layer.ReadFull(v.Block, b, 0); err != nil {
		t.Fatal(err)
	}
	l.write(nil, 0, b)
	if apart {
		l.storage = l.volume.Clone()
	}
	for e := range layer.Extents(tree.MFT(), 0, int64(tree.Records())*1024) {
		for off := e.BaseOff; off < e.BaseOff+e.Len; off += 1024 {
			l.lsn++
			l.write(nil, off+8, binary.LittleEndian.AppendUint64(nil, l.lsn))
		}
	}
	for n, err := range tree.Nodes() {
		if err == nil && n.Kind == ntfs.KindFile && !n.Metafile() && !n.Resident && n.Attr&(ntfs.AttrCompressed|ntfs.AttrSparse|ntfs.AttrEncrypted|ntfs.AttrReparse) == 0 {
			l.addFile(tree, n)
		}
		if err == nil {
			l.clock = max(l.clock, uint64(n.Times.Changed))
		}
	}
	if len(l.files) < lifeFiles {
		t.Fatalf("only %d files", len(l.files))
	}
	l.area = vsstest.Blocks{First: uint32(l.freeAt(tree)), Count: areaBlocks}
	bitmap, err := tree.NodeByNumber(6)
	if err != nil {
		t.Fatal(err)
	}
	for e := range layer.Extents(must(bitmap.Clusters()), 0, v.Block.Size()/4096/8) {
		l.bitmap = append(l.bitmap, e)
	}
	l.protect()
	return l
}

// areaBlocks is how many blocks the diff areas have.
const areaBlocks = 1200

// protect switches VSS on, with an area that was not used before.
func (l *lifetime) protect() {
	l.t.Helper()
	half := vsstest.Blocks{First: l.area.First + l.used, Count: areaBlocks / 2}
	l.used += half.Count
	cfg := vsstest.Config{Volume: l.volume, Area: []vsstest.Blocks{half}, NoTruth: true}
	if l.storage != nil {
		cfg.Storage, cfg.Catalog = l.storage, cfg.Area
	}
	sim, err := vsstest.New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	l.sim = sim
}

// allocate makes $Bitmap say that a block is in use.
func (l *lifetime) allocate(off int64) {
	bit := off / 4096
	for _, e := range l.bitmap {
		if at := bit/8 - e.Off; at >= 0 && at < e.Len {
			l.write(nil, e.BaseOff+at, []byte{0xff})
		}
	}
}

func (l *lifetime) addFile(tree *ntfs.Tree, n *ntfs.Node) {
	m, err := n.Stream("")
	if err != nil {
		return
	}
	f := &lifeFile{ref: n.Ref, size: m.Size()}
	for e, err := range layer.Extents(m, 0, m.Size()) {
		if err != nil || e.Kind != layer.Data || e.Base != tree.Volume() {
			return
		}
		f.runs = append(f.runs, e)
	}
	e, err := tree.MFT().At(int64(n.Ref.Record)*1024, 1024)
	if err != nil || e.Kind != layer.Data {
		return
	}
	f.record = e.BaseOff
	l.files = append(l.files, f)
}

// freeAt finds areaBlocks blocks that no file has.
func (l *lifetime) freeAt(tree *ntfs.Tree) int64 {
	used, err := tree.Used()
	if err != nil {
		l.t.Fatal(err)
	}
	run := int64(0)
	for off := int64(0); off+vsstest.BlockSize < tree.Size(); off += vsstest.BlockSize {
		if in, same, err := used(off, vsstest.BlockSize); err != nil || in || same < vsstest.BlockSize {
			run = 0
		} else if run++; run == areaBlocks {
			return off/vsstest.BlockSize - areaBlocks + 1
		}
	}
	l.t.Fatal("no room for a diff area")
	return 0
}

// write writes to the volume: by the driver, which copies before, or past it.
func (l *lifetime) write(driver *vsstest.Volume, off int64, b []byte) {
	l.t.Helper()
	var err error
	if driver != nil {
		err = driver.Write(off, b)
	} else {
		_, err = l.volume.WriteAt(b, off)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// change writes over files, every nth of them, and notes it in their records.
func (l *lifetime) change(driver *vsstest.Volume, nth, first int) {
	for i := first; i < len(l.files); i += nth {
		f := l.files[i]
		for _, e := range f.runs {
			b := make([]byte, e.Len)
			for j := range b {
				b[j] = byte(l.random.Uint32())
			}
			l.write(driver, e.BaseOff, b)
		}
		l.touch(driver, f)
	}
}

// touch notes a change in the record of a file.
func (l *lifetime) touch(driver *vsstest.Volume, f *lifeFile) {
	if l.lsn, l.clock = l.lsn+16, l.clock+600_000_000; !l.plain {
		l.write(driver, f.record+8, binary.LittleEndian.AppendUint64(nil, l.lsn))
	}
	var b [0x80]byte
	if _, err := l.volume.ReadAt(b[:], f.record); err != nil {
		l.t.Fatal(err)
	}
	times := f.record + int64(binary.LittleEndian.Uint16(b[0x14:])) + 0x18
	for _, at := range []int64{8, 16} {
		l.write(driver, times+at, binary.LittleEndian.AppendUint64(nil, l.clock))
	}
}

// snapshot takes one, and remembers what it must read as.
func (l *lifetime) snapshot(o vsstest.Options) {
	l.t.Helper()
	state := map[ntfs.Ref]string{}
	for _, f := range l.files {
		h := sha256.New()
		for _, e := range f.runs {
			b := make([]byte, e.Len)
			if _, err := l.volume.ReadAt(b, e.BaseOff); err != nil {
				l.t.Fatal(err)
			}
			h.Write(b)
		}
		state[f.ref] = hex.EncodeToString(h.Sum(nil))
	}
	l.states = append(l.states, state)
	if o.CopyID.IsZero() {
		o.CopyID = wintype.GUID{byte(len(l.states)), 1}
	}
	if _, err := l.sim.Snapshot(o); err != nil {
		l.t.Fatal(err)
	}
	if err := l.sim.Flush(); err != nil {
		l.t.Fatal(err)
	}
}

// forget empties the catalogs, as the deletion of all snapshots does; what is copied stays.
func (l *lifetime) forget() {
	l.t.Helper()
	if err := l.sim.Flush(); err != nil {
		l.t.Fatal(err)
	}
	for _, m := range []*vsstest.Memory{l.volume, l.storage} {
		if m == nil {
			continue
		}
		_, err := m.WriteAt(make([]byte, 8), 0x1e30)
		for at := int64(l.area.First); at < int64(l.area.First+l.area.Count); at++ {
			var head [0x30]byte
			off := at * vsstest.BlockSize
			if _, err2 := m.ReadAt(head[:], off); err2 == nil && head[0x14] == vsstest.TypeCatalog && head[0] == 0x6b {
				_, err2 = m.WriteAt(make([]byte, vsstest.BlockSize), off)
				err = errors.Join(err, err2)
			}
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

// stores calls f with what the volume has of blocks that keep data.
func (l *lifetime) stores(f func(off int64, b []byte)) {
	for at := int64(l.area.First); at < int64(l.area.First+l.area.Count); at++ {
		b := make([]byte, vsstest.BlockSize)
		if _, err := l.volume.ReadAt(b, at*vsstest.BlockSize); err == nil && b[0] != 0x6b && len(bytes.Trim(b, "\x00")) > 0 {
			f(at*vsstest.BlockSize, b)
		}
	}
}

// images writes the volume, and the one with its diff area, as files.
func (l *lifetime) images() (paths []string) {
	l.t.Helper()
	for i, m := range []*vsstest.Memory{l.volume, l.storage} {
		if m == nil {
			continue
		}
		b := make([]byte, m.Size())
		if _, err := m.ReadAt(b, 0); err != nil {
			l.t.Fatal(err)
		}
		path := filepath.Join(l.t.TempDir(), fmt.Sprintf("v%d.raw", i))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			l.t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// tally compares the carved points with the states, which want says in their order.
func (l *lifetime) tally(show carve.Trust, want []int, paths ...string) (sum tally) {
	l.t.Helper()
	set, err := points.Open(l.t.Context(), paths, points.Options{Carve: points.CarveScan, CarveShow: show, Warn: func(err error) { l.t.Log(err) }})
	if err != nil {
		l.t.Fatal(err)
	}
	defer set.Close()
	var found []*points.Point
	for _, p := range set.Volumes[0].Snapshots() {
		if p.Carved != nil {
			found = append(found, p)
		}
	}
	if len(found) != len(want) {
		l.t.Fatalf("%d deleted snapshots, want %d", len(found), len(want))
	}
	seen := map[wintype.GUID]bool{}
	for i, p := range found {
		state := want[i]
		if id := p.Snapshot.CopyID; !id.IsZero() && !seen[id] {
			state, seen[id] = int(id[0])-1, true
		}
		tree, err := p.Files()
		if err != nil {
			l.t.Errorf("%s: %v", p.Name, err)
			continue
		}
		var one tally
		for _, f := range l.files {
			switch hash, err := recordSum(tree, f.ref, f.size); {
			case err != nil:
				one.withheld++
			case hash == l.states[state][f.ref]:
				one.right++
			default:
				one.wrong++
				l.t.Logf("%s: %v is wrong, trust %v", p.Name, f.ref, p.TrustIn(must(tree.Node(f.ref)), ""))
			}
		}
		l.t.Logf("%v: %s: %+v of %d", show, p.Name, one, len(l.files))
		sum.right, sum.wrong, sum.withheld = sum.right+one.right, sum.wrong+one.wrong, sum.withheld+one.withheld
	}
	return sum
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
