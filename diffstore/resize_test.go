package diffstore_test

import (
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
)

// TestResize is about blocks whose content a shrink lost: the volume may have grown over them again.
func TestResize(t *testing.T) {
	const small, large = 100 * blockSize, 110 * blockSize
	var m *vsstest.Memory
	var v *vsstest.Volume
	snapshot := func(free uint32) error {
		_, err := v.Snapshot(vsstest.Options{Free: func(b uint32) bool { return b == free }})
		return err
	}
	plain := func() error { return snapshot(0xffffffff) }
	resize := func(n int64) func() error { return func() error { return v.Resize(n) } }
	write := func(b int64) func() error { return func() error { return v.Write(b*blockSize, []byte("new")) } }
	move := func(from, to uint32) func() error { return func() error { return v.Move(from, to) } }
	lost := []func() error{plain, resize(large), move(95, 105), resize(small), plain, resize(large), write(105)}
	for _, c := range []struct {
		name  string
		size  int64
		steps []func() error
		block int64 // of the oldest snapshot
		kind  layer.Kind
	}{
		{"moved and cut off", small, lost, 95, layer.Unknown},
		{"moved and cut off, then copied", small, append(lost[:len(lost):len(lost)], plain, write(105)), 95, layer.Unknown},
		{"moved past the end of an older one only", small, []func() error{plain, resize(large), move(95, 105), plain, write(105)}, 95, layer.Data},
		{"cut off", large, []func() error{plain, resize(small), plain, func() error { return m.Truncate(large) }}, 105, layer.Unknown},
		{"copied, then cut off", large, []func() error{plain, write(105), resize(small), plain, func() error { return m.Truncate(large) }}, 105, layer.Data},
		{"free, past the end of an older one that is gone", small,
			[]func() error{plain, resize(large), func() error { return snapshot(105) }, func() error { return v.DeleteOldest() }, write(105)}, 105, layer.Unknown},
	} {
		var err error
		m = vsstest.NewMemory(c.size)
		if v, err = vsstest.New(vsstest.Config{Volume: m, Area: []vsstest.Blocks{{First: 1, Count: 90}}, PadPrevious: true}); err != nil {
			t.Fatal(err)
		}
		for i, step := range append(c.steps[:len(c.steps):len(c.steps)], v.Flush) {
			if err := step(); err != nil {
				t.Fatalf("%s: step %d: %v", c.name, i, err)
			}
		}
		vol, err := diffstore.Open(m, diffstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		view, err := vol.Snapshots()[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range layer.Extents(view, c.block*blockSize, blockSize) {
			if err != nil || e.Kind != c.kind {
				t.Errorf("%s: %+v, %v, want %v", c.name, e, err, c.kind)
			}
		}
	}
}
