package compare_test

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// unkept is a volume of which no store keeps a range.
type unkept struct {
	base   layer.Source
	off, n int64
}

func (u unkept) Size() int64                             { return u.base.Size() }
func (u unkept) ReadAt(b []byte, off int64) (int, error) { return layer.Read(u, b, off, layer.Live) }

func (u unkept) At(off, n int64) (layer.Extent, error) {
	e := layer.Extent{Off: off, Len: n, Base: u.base, BaseOff: off}
	switch {
	case off < u.off:
		e.Len = min(n, u.off-off)
	case off < u.off+u.n:
		e.Len, e.Kind, e.Why = min(n, u.off+u.n-off), layer.Unknown, layer.Unprotected
	}
	return e, nil
}

// TestUnknown compares a volume with itself, of which a part was not kept: what that is of is not told as the same, nor
// as changed.
func TestUnknown(t *testing.T) {
	s, err := points.Open(t.Context(), []string{filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := s.Volumes[0]
	whole, err := v.Current().Files()
	if err != nil {
		t.Fatal(err)
	}
	plan := ref(t, whole, "Projects/plan.txt")
	n, err := whole.Node(plan)
	if err != nil {
		t.Fatal(err)
	}
	var content, free ntfs.Range
	for content = range n.Places() {
	}
	used, err := whole.Used()
	if err != nil {
		t.Fatal(err)
	}
	for free.Off = whole.Size() - 4096; ; free.Off -= 4096 {
		if in, _, err := used(free.Off, 4096); err != nil || !in {
			break
		}
	}
	var record ntfs.Range
	for e := range layer.Extents(whole.MFT(), int64(plan.Record)*1024, 1024) {
		record = ntfs.Range{Off: e.BaseOff, Len: e.Len}
	}
	free.Len = 4096
	for _, c := range []struct {
		what string
		ntfs.Range
		path string
	}{{"content", content, "Projects/plan (also).txt"}, {"free", free, ""}, {"record", record, "Projects/plan (also).txt"}} {
		old, err := ntfs.Open(unkept{v.Block, c.Off, c.Len}, ntfs.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, opts := range []compare.Options{{}, {Paranoid: true}} {
			changes, err := compare.Trees(t.Context(), old, whole, opts)
			if err != nil {
				t.Fatal(err)
			}
			failed := ""
			for change, err := range changes {
				if !errors.Is(err, layer.ErrUnknown) {
					t.Errorf("%s: %+v, %v", c.what, change, err)
				}
				failed += change.Path
			}
			if failed != c.path {
				t.Errorf("%s: %q is unknown, want %q", c.what, failed, c.path)
			}
		}
	}
}

// TestOutOfReach compares a volume with itself, whose $MFT maps fewer records than it has: none of those beyond is told
// to be new.
func TestOutOfReach(t *testing.T) {
	s, err := points.Open(t.Context(), []string{filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	whole, err := s.Volumes[0].Current().Files()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1024)
	if err := layer.ReadFull(whole.MFT(), b, 0); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	at := int64(le.Uint16(b[20:]))
	for le.Uint32(b[at:]) != 0x80 {
		at += int64(le.Uint32(b[at+4:]))
	}
	const kept = 68                           // records
	pairs := at + int64(le.Uint16(b[at+32:])) // one run of one byte of length
	b[pairs+1] = kept / 4
	word := le.Uint64(b[pairs:])
	for e := range layer.Extents(whole.MFT(), 0, 1024) {
		at, pairs = at+e.BaseOff, pairs+e.BaseOff
	}
	boot := make([]byte, 512)
	if err := layer.ReadFull(s.Volumes[0].Block, boot, 0); err != nil {
		t.Fatal(err)
	}
	mirror := int64(le.Uint64(boot[0x38:])) * int64(whole.ClusterSize()) // which would help
	short, err := ntfs.Open(patch8(patch8(patch8(s.Volumes[0].Block, at+24, kept/4-1), pairs, word), mirror, 0), ntfs.Options{})
	if err != nil || short.Records() != kept {
		t.Fatal(short.Records(), err)
	}
	for _, pair := range [][2]*ntfs.Tree{{short, whole}, {whole, short}} {
		changes, err := compare.Trees(t.Context(), pair[0], pair[1], compare.Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for c, err := range changes {
			if n++; err == nil || c.Ref.Record < kept {
				t.Errorf("%+v, %v", c, err)
			}
		}
		if n != int(whole.Records())-kept {
			t.Errorf("%d records are not known, want %d", n, whole.Records()-kept)
		}
	}
}
