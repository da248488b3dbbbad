package compare_test

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// patched is a source with a word changed; all else lies where it lay.
type patched struct {
	base layer.Source
	off  int64
	word *bytes.Reader
}

func patch8(base layer.Source, off int64, v uint64) patched {
	return patched{base, off, bytes.NewReader(binary.LittleEndian.AppendUint64(nil, v))}
}

func (p patched) Size() int64                             { return p.base.Size() }
func (p patched) ReadAt(b []byte, off int64) (int, error) { return layer.Read(p, b, off, layer.Live) }

func (p patched) At(off, n int64) (layer.Extent, error) {
	e := layer.Extent{Off: off, Len: n, Base: p.base, BaseOff: off}
	switch {
	case off < p.off:
		e.Len = min(n, p.off-off)
	case off < p.off+8:
		e.Len, e.Base, e.BaseOff = min(n, p.off+8-off), p.word, off-p.off
	}
	return e, nil
}

// FuzzTrees compares a volume with itself after two words of its first file records, or anywhere else, were changed.
func FuzzTrees(f *testing.F) {
	s, err := points.Open(f.Context(), []string{filepath.Join(testenv.Root(f), "testdata", "demo.qcow2")}, points.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	v := s.Volumes[0]
	old, err := v.Snapshots()[0].Files()
	if err != nil {
		f.Fatal(err)
	}
	now, err := v.Current().Files()
	if err != nil {
		f.Fatal(err)
	}
	const records = 96 << 10
	for _, at := range []uint32{0, 0x16, 0x20, 0x38, 0x98, 0xb0, 0x110, 0x150} {
		f.Add(66<<10|at, uint64(0xffffffff), 70<<10|at, uint64(1))
		f.Add(uint32(at), uint64(66), 5<<10|at, uint64(1)<<48|66)
	}
	f.Fuzz(func(t *testing.T, off uint32, word uint64, off2 uint32, word2 uint64) {
		src := layer.Source(v.Block)
		for _, p := range []struct {
			off  uint32
			word uint64
		}{{off, word}, {off2, word2}} {
			at := int64(p.off) % (src.Size() - 8)
			if p.off&(1<<31) == 0 {
				for e := range layer.Extents(now.MFT(), at%records, 8) {
					at = min(e.BaseOff, src.Size()-8)
				}
			}
			src = patch8(src, at, p.word)
		}
		tr, err := ntfs.Open(src, ntfs.Options{})
		if err != nil {
			return
		}
		start := time.Now()
		for _, pair := range [][2]*ntfs.Tree{{old, tr}, {tr, now}} {
			changes, err := compare.Trees(t.Context(), pair[0], pair[1], compare.Options{System: word%2 == 0, Paranoid: word%16 == 1})
			if err != nil {
				continue
			}
			n := 0
			for c := range changes {
				if n++; len(c.Path) > 1<<16 {
					t.Errorf("path of %d bytes", len(c.Path))
				}
			}
			if n > 2000 {
				t.Errorf("%d changes", n)
			}
		}
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("took %v", d)
		}
	})
}
