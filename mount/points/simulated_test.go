package points_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// simulated writes the demo's disk with its second volume handed to a simulator of VSS, and returns the new image.
func simulated(t *testing.T, opts vsstest.Options, change func(sim *vsstest.Volume, size int64) error) string {
	t.Helper()
	s := open(t, demo(t))
	disk := make([]byte, s.Images[0].Disk.Size())
	if err := layer.ReadFull(s.Images[0].Disk, disk, 0); err != nil {
		t.Fatal(err)
	}
	part := s.Volumes[1].Partition
	point, err := s.Volumes[1].Snapshots()[0].Blocks() // the first snapshot, which has files, becomes the live state
	if err != nil {
		t.Fatal(err)
	}
	state := make([]byte, part.Len)
	if err := layer.ReadFull(point, state, 0); err != nil {
		t.Fatal(err)
	}
	volume := vsstest.NewMemory(part.Len)
	if _, err := volume.WriteAt(state, 0); err != nil {
		t.Fatal(err)
	}
	free := vsstest.Blocks{First: uint32(part.Len/vsstest.BlockSize) - 120, Count: 100} // no file is that far back
	sim, err := vsstest.New(vsstest.Config{Volume: volume, Area: []vsstest.Blocks{free}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Snapshot(opts); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(change(sim, part.Len), sim.Flush()); err != nil {
		t.Fatal(err)
	}
	if _, err := volume.ReadAt(disk[part.Off:][:part.Len], 0); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "simulated.raw")
	if err := os.WriteFile(image, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	return image
}

// TestWipedBootSector overwrites the boot sector of a volume and its copy after a snapshot was taken: the snapshot still
// has them.
func TestWipedBootSector(t *testing.T) {
	zeros := make([]byte, 512)
	image := simulated(t, vsstest.Options{}, func(sim *vsstest.Volume, size int64) error {
		return errors.Join(sim.Write(0, zeros), sim.Write(size-512, zeros))
	})
	wiped := open(t, image).Volumes[1]
	if _, err := wiped.Current().Files(); err == nil {
		t.Error("the wiped state opens")
	}
	if wiped.Filesystem != "ntfs" || len(wiped.Points) != 2 {
		t.Fatalf("the wiped volume is %q with %d points", wiped.Filesystem, len(wiped.Points))
	}
	if got, want := contents(t, wiped.Latest()), manifest(t)["Archive"]["vss1"]; len(got) != len(want) || got["2025/ledger.txt"] != want["2025/ledger.txt"] {
		t.Errorf("the snapshot shows %v, want %v", got, want)
	}
}

// blocksOf returns the blocks that a file of the demo's second volume fills, and the offset of the last of them.
func blocksOf(t *testing.T, path string) (filled map[uint32]bool, last int64) {
	t.Helper()
	n, _, err := open(t, demo(t)).Volumes[1].Snapshots()[0].Lookup(path, false)
	if err != nil {
		t.Fatal(err)
	}
	clusters, err := n.Clusters()
	if err != nil {
		t.Fatal(err)
	}
	filled = map[uint32]bool{}
	for e := range layer.Extents(clusters, 0, clusters.Size()) {
		for b := (e.BaseOff + vsstest.BlockSize - 1) / vsstest.BlockSize; (b+1)*vsstest.BlockSize <= e.BaseOff+e.Len; b++ {
			filled[uint32(b)] = true
			last = b * vsstest.BlockSize
		}
	}
	if len(filled) == 0 {
		t.Fatal("the file fills no block")
	}
	return filled, last
}

// TestScopedSnapshot takes a snapshot that does not protect one file, and overwrites the file: the snapshot must not show
// the new content, nor zeros, as the old one.
func TestScopedSnapshot(t *testing.T) {
	const path = "2025/ledger.txt"
	inFile, first := blocksOf(t, path)
	for _, flags := range []uint64{0, 0x400} {
		opts := vsstest.Options{Flags: flags, Free: func(b uint32) bool { return inFile[b] }}
		image := simulated(t, opts, func(sim *vsstest.Volume, _ int64) error { return sim.Write(first, []byte("FORGED")) })
		for policy, works := range map[layer.Policy]bool{layer.Fail: false, layer.Zeros: true, layer.Live: true} {
			scoped, err := points.Open(t.Context(), []string{image}, points.Options{Unknown: policy})
			if err != nil {
				t.Fatal(err)
			}
			p := scoped.Volumes[1].Latest()
			n, _, err := p.Lookup(path, false)
			if err != nil {
				t.Fatal(err)
			}
			stream, err := n.Stream("")
			if err != nil {
				t.Fatal(err)
			}
			_, err = stream.ReadAt(make([]byte, stream.Size()), 0)
			if works != (err == nil) || !works && !errors.Is(err, layer.ErrUnknown) {
				t.Errorf("flags 0x%x, policy %d: %v", flags, policy, err)
			}
			v := points.Judge(n, "")
			if v.Intact() || !strings.Contains(v.String(), "unknown, not kept by the snapshot") {
				t.Errorf("flags 0x%x: verdict %q", flags, v)
			}
			judged := int64(0)
			for _, r := range v.Ranges {
				if judged += r.Len; r.Why != layer.Unprotected || r.Err != nil {
					t.Errorf("flags 0x%x: range %+v", flags, r)
				}
			}
			if judged != int64(len(inFile))*vsstest.BlockSize {
				t.Errorf("flags 0x%x: %d bytes are judged unknown, want %d", flags, judged, len(inFile)*vsstest.BlockSize)
			}
			unknown := int64(0)
			for piece := range p.Explain(stream) {
				if errors.Is(piece.Err, layer.ErrUnknown) && piece.Reason == layer.Unprotected && strings.Contains(piece.Why, "did not need") {
					unknown += piece.Len
				} else if piece.Err != nil {
					t.Errorf("%+v", piece)
				}
			}
			if unknown != int64(len(inFile))*vsstest.BlockSize {
				t.Errorf("flags 0x%x: %d bytes explained as not kept, want %d", flags, unknown, len(inFile)*vsstest.BlockSize)
			}
			if other, _, err := p.Lookup("2024/ledger.txt", false); err != nil || !points.Judge(other, "").Intact() {
				t.Errorf("the other file: %v", err)
			}
			scoped.Close()
		}
	}
}

// TestNestedUnknown reads a file as an image whose last block the snapshot left out: the disk in it is as unknown there as
// the file is.
func TestNestedUnknown(t *testing.T) {
	const path = "2025/ledger.txt"
	filled, last := blocksOf(t, path)
	if len(filled) < 2 {
		t.Fatal("the file fills one block")
	}
	opts := vsstest.Options{Free: func(b uint32) bool { return int64(b) == last/vsstest.BlockSize }}
	image := simulated(t, opts, func(sim *vsstest.Volume, _ int64) error { return sim.Write(last, []byte("FORGED")) })
	for policy, works := range map[layer.Policy]bool{layer.Fail: false, layer.Zeros: true, layer.Live: true} {
		s, err := points.Open(t.Context(), []string{image + ":p2-Archive@latest:/" + path}, points.Options{Unknown: policy})
		if err != nil {
			t.Fatal(err)
		}
		disk := s.Images[0].Disk
		_, err = disk.ReadAt(make([]byte, disk.Size()), 0)
		if works != (err == nil) || !works && !errors.Is(err, layer.ErrUnknown) {
			t.Errorf("policy %d: %v", policy, err)
		}
		s.Close()
	}
}

// TestDamagedImage has a block that a snapshot left out, and loses the list of the next one, which may have kept it: then
// the block image does not give what Windows would, unless it is told to.
func TestDamagedImage(t *testing.T) {
	part := open(t, demo(t)).Volumes[1].Partition
	free := part.Len/vsstest.BlockSize - 10 // behind the diff area
	var next *vsstest.Snapshot
	image := simulated(t, vsstest.Options{Flags: 0x400, Free: func(b uint32) bool { return int64(b) == free }},
		func(sim *vsstest.Volume, size int64) (err error) {
			next, err = sim.Snapshot(vsstest.Options{Flags: 0x400})
			return errors.Join(err, sim.Write(0, []byte{0xeb}))
		})
	read := func(policy layer.Policy) error {
		s, err := points.Open(t.Context(), []string{image}, points.Options{Unknown: policy})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		m, err := s.Volumes[1].Snapshots()[0].Image()
		if err != nil {
			t.Fatal(err)
		}
		got := bytes.Repeat([]byte{0xa5}, vsstest.BlockSize)
		if err := layer.ReadFull(m, got, free*vsstest.BlockSize); err != nil {
			return err
		}
		if !bytes.Equal(got, make([]byte, vsstest.BlockSize)) {
			t.Error("what the snapshot left out is not zeros")
		}
		return nil
	}
	if err := read(layer.Fail); err != nil {
		t.Errorf("no damage: %v", err)
	}
	f, err := os.OpenFile(image, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, vsstest.BlockSize), part.Off+int64(next.Entry.List)); err != nil {
		t.Fatal(err)
	}
	var unknown *layer.UnknownError
	if err := read(layer.Fail); !errors.As(err, &unknown) || unknown.Why != layer.Incomplete {
		t.Errorf("a list is lost: %v", err)
	}
	if err := read(layer.Live); err != nil {
		t.Errorf("a list is lost, and what is there instead was asked for: %v", err)
	}
}
