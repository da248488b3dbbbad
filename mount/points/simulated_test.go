package points_test

import (
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

// TestScopedSnapshot takes a snapshot that does not protect one file, and overwrites the file: the snapshot must not show
// the new content, nor zeros, as the old one.
func TestScopedSnapshot(t *testing.T) {
	const path = "2025/ledger.txt"
	s := open(t, demo(t))
	n, _, err := s.Volumes[1].Snapshots()[0].Lookup(path, false)
	if err != nil {
		t.Fatal(err)
	}
	clusters, err := n.Clusters()
	if err != nil {
		t.Fatal(err)
	}
	inFile := map[uint32]bool{}
	var first int64
	for e := range layer.Extents(clusters, 0, clusters.Size()) {
		for b := (e.BaseOff + vsstest.BlockSize - 1) / vsstest.BlockSize; (b+1)*vsstest.BlockSize <= e.BaseOff+e.Len; b++ {
			inFile[uint32(b)] = true
			first = b * vsstest.BlockSize
		}
	}
	if len(inFile) == 0 {
		t.Fatal("the file fills no block")
	}
	for _, flags := range []uint64{0, 0x400} {
		opts := vsstest.Options{Flags: flags, Free: func(b uint32) bool { return inFile[b] }}
		image := simulated(t, opts, func(sim *vsstest.Volume, _ int64) error { return sim.Write(first, []byte("FORGED")) })
		for policy, works := range map[layer.Policy]bool{layer.Fail: false, layer.Zeros: true, layer.Live: true} {
			scoped, err := points.Open([]string{image}, points.Options{Unknown: policy})
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
			if v := points.Judge(n, "").String(); !strings.Contains(v, "unknown, not kept by the snapshot") {
				t.Errorf("flags 0x%x: verdict %q", flags, v)
			}
			unknown := int64(0)
			for piece := range p.Explain(stream) {
				if errors.Is(piece.Err, layer.ErrUnknown) && strings.Contains(piece.Why, "did not need") {
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
