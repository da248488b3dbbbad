package campaign

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// A seed is a sound disk, what is concluded of it, and where its structures are.
type seed struct {
	name    string
	path    string // a raw, sparse file
	size    int64
	truth   *facts
	sample  map[int64][]string // paths of each volume that histories are told of
	homes   []*home            // volumes at points in time
	volumes []*points.Volume
	vss     []vssBlock
	stores  bool // a directory lists the files of VSS
}

// A home is a volume at a point in time.
type home struct {
	facts   *pointFacts
	volume  *points.Volume
	tree    *ntfs.Tree
	records []record
	indexes []spans // index blocks
}

// A record is a file record: where it is on the disk, and what it holds, fixups applied.
type record struct {
	number uint64
	at     spans
	b      []byte
	attrs  []attr
}

func (r *record) used() bool { return le.Uint16(r.b[0x16:])&1 != 0 }
func (r *record) dir() bool  { return le.Uint16(r.b[0x16:])&2 != 0 }
func (r *record) base() bool { return le.Uint64(r.b[0x20:]) == 0 }

func (r *record) attr(kind uint32) *attr {
	for i := range r.attrs {
		if r.attrs[i].kind == kind {
			return &r.attrs[i]
		}
	}
	return nil
}

// A vssBlock is a metadata block of a diff area, or the volume header.
type vssBlock struct {
	at     spans
	kind   uint32
	b      []byte
	points []*pointFacts // that are read through it
	newest bool          // it is of the newest store of its volume, which no other store tells of
}

// copySparse writes a disk into a file with holes.
func copySparse(t testing.TB, src layer.Source, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	zeros := make([]byte, len(buf))
	for off := int64(0); off < src.Size(); off += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), src.Size()-off)]
		if err := layer.ReadFull(src, b, off); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, zeros[:len(b)]) {
			if _, err := f.WriteAt(b, off); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Truncate(src.Size()); err != nil {
		t.Fatal(err)
	}
}

// seedOf opens the disk of an image as a seed.
func seedOf(t testing.TB, name, image string) *seed {
	t.Helper()
	disk, err := imagefmt.Open(image, imagefmt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	s := &seed{name: name, path: filepath.Join(t.TempDir(), name+".raw"), size: disk.Size()}
	copySparse(t, disk, s.path)
	set, err := points.Open(context.Background(), []string{s.path}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	s.truth = observe(context.Background(), set, true, nil)
	s.choose()
	s.truth = observe(context.Background(), set, true, s.sample)
	s.volumes = set.Volumes
	for _, v := range s.truth.volumes {
		for _, p := range v.points {
			if p.err == nil {
				s.homes = append(s.homes, homeOf(t, p))
			}
		}
	}
	s.findVSS(t)
	for _, h := range s.homes {
		s.stores = s.stores || h.facts.files["System Volume Information"] != nil
	}
	files := 0
	for _, h := range s.homes {
		files += len(h.facts.files)
	}
	t.Logf("seed %s: %d MiB, %d volumes, %d points, %d files at them, %d blocks of VSS; %d warnings", name, s.size>>20, len(s.truth.volumes), len(s.homes), files, len(s.vss), len(s.truth.told))
	return s
}

// choose takes some paths of each volume, from all points.
func (s *seed) choose() {
	s.sample = map[int64][]string{}
	for _, v := range s.truth.volumes {
		if len(v.points) < 2 {
			continue
		}
		r, seen := rand.New(rand.NewPCG(1, 2)), map[string]bool{}
		for range 40 {
			p := v.points[r.IntN(len(v.points))]
			names := sortedKeys(p.files)
			if len(names) == 0 {
				continue
			}
			if n := names[r.IntN(len(names))]; !seen[n] && len(seen) < 6 && p.files[n].kind == ntfs.KindFile {
				seen[n] = true
				s.sample[v.off] = append(s.sample[v.off], n)
			}
		}
	}
}

func homeOf(t testing.TB, p *pointFacts) *home {
	t.Helper()
	tree, err := p.point.Files()
	if err != nil {
		t.Fatal(err)
	}
	h := &home{facts: p, volume: p.point.Volume, tree: tree}
	size := int64(tree.RecordSize())
	for n := range tree.Records() {
		r := record{number: n, at: resolved(tree.MFT(), int64(n)*size, size), b: make([]byte, size)}
		if r.at.size() != size || layer.ReadFull(tree.MFT(), r.b, int64(n)*size) != nil || string(r.b[:4]) != "FILE" || !unfix(r.b) {
			continue
		}
		r.attrs = attrsOf(r.b)
		h.records = append(h.records, r)
		if r.dir() && r.used() {
			h.addIndexes(&r)
		}
	}
	return h
}

// addIndexes finds the index blocks of a directory.
func (h *home) addIndexes(r *record) {
	cluster := int64(h.tree.ClusterSize())
	for _, a := range r.attrs {
		if a.kind != attrIndex {
			continue
		}
		for _, x := range a.runs {
			for off := x.lcn * cluster; off < (x.lcn+x.n)*cluster; off += max(cluster, 4096) {
				b := make([]byte, 4096)
				if layer.ReadFull(h.tree.Volume(), b, off) == nil && string(b[:4]) == "INDX" {
					h.indexes = append(h.indexes, resolved(h.tree.Volume(), off, 4096))
				}
			}
		}
	}
}

// findVSS finds all blocks of VSS on the volumes and says which points are read through them.
func (s *seed) findVSS(t testing.TB) {
	newest := map[string]bool{}
	all := map[string][]*pointFacts{} // by store, the points that are read through it
	var every []*pointFacts
	for _, v := range s.truth.volumes {
		for i, p := range v.points {
			if p.key != "current" {
				all[p.key], newest[p.key] = v.points[:i+1], i == len(v.points)-2 // the last is the current state
				every = append(every, p)
			}
		}
	}
	for _, v := range s.volumes {
		blocks := map[uint64]*vssBlock{}
		var order []uint64
		buf := make([]byte, vsstest.BlockSize)
		for off := int64(0); off+vsstest.BlockSize <= v.Block.Size(); off += vsstest.BlockSize {
			head := buf[:0x80]
			if layer.ReadFull(v.Block, head, off) != nil || string(head[:16]) != string(vsstest.Identifier[:]) {
				continue
			}
			b := make([]byte, vsstest.BlockSize)
			if err := layer.ReadFull(v.Block, b, off); err != nil {
				t.Fatal(err)
			}
			blocks[uint64(off)] = &vssBlock{resolved(v.Block, off, vsstest.BlockSize), le.Uint32(b[0x14:]), b, every, false}
			order = append(order, uint64(off))
		}
		for _, off := range order {
			if c := blocks[off]; c.kind == vsstest.TypeCatalog {
				claim(c.b, blocks, all, newest)
			}
		}
		for _, off := range order {
			s.vss = append(s.vss, *blocks[off])
		}
		if head := make([]byte, 512); len(order) > 0 && layer.ReadFull(v.Block, head, vsstest.HeaderOffset) == nil {
			s.vss = append(s.vss, vssBlock{resolved(v.Block, vsstest.HeaderOffset, 512), vsstest.TypeVolume, head, every, false})
		}
	}
}

// claim gives the blocks of each store that a catalog block has the points that are read through it.
func claim(catalog []byte, blocks map[uint64]*vssBlock, all map[string][]*pointFacts, newest map[string]bool) {
	for off := 0x80; off+0x80 <= len(catalog); off += 0x80 {
		e := catalog[off:]
		if le.Uint32(e) != 3 {
			continue
		}
		key := guidText(e[0x10:0x20])
		for _, at := range []int{0x08, 0x20, 0x28, 0x30, 0x48} {
			seen := map[uint64]bool{}
			for b := blocks[le.Uint64(e[at:])]; b != nil && !seen[le.Uint64(b.b[0x20:])]; b = blocks[le.Uint64(b.b[0x28:])] {
				seen[le.Uint64(b.b[0x20:])] = true
				b.points, b.newest = all[key], newest[key]
			}
		}
	}
}

// reach says what some ranges of the disk hold.
func (s *seed) reach(touched spans) *reach {
	r := &reach{touched, map[*pointFacts]bool{}}
	for _, b := range s.vss {
		if b.at.meets(touched) {
			for _, p := range b.points {
				r.points[p] = true
			}
		}
	}
	return r
}
