package layer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
)

// TestPolicies reads a range that is Unknown, for each reason, beside one that is not.
func TestPolicies(t *testing.T) {
	src, b := leaf(100)
	for why := range layer.Missing + 1 {
		m := &table{size: 50, extents: []layer.Extent{{Off: 0, Len: 20, Base: src}, {Off: 20, Len: 30, Kind: layer.Unknown, Base: src, BaseOff: 60, Why: why}}}
		zeros, live := append(bytes.Clone(b[:20]), make([]byte, 30)...), append(bytes.Clone(b[:20]), b[60:90]...)
		for policy, want := range map[layer.Policy][]byte{layer.Fail: nil, layer.Zeros: zeros, layer.Live: live, layer.LiveOrZeros: live} {
			if policy == layer.Live && why >= layer.NotAcquired {
				want = nil
			} else if policy == layer.LiveOrZeros && why >= layer.NotAcquired {
				want = zeros
			}
			if why == layer.Zeroed {
				want = live
				if policy == layer.Zeros {
					want = zeros
				}
			}
			p := bytes.Repeat([]byte{0xa5}, 50)
			n, err := layer.Read(m, p, 0, policy)
			if want != nil {
				if n != 50 || err != nil || !bytes.Equal(p, want) {
					t.Errorf("reason %v, policy %d: %d, %v, or other bytes", why, policy, n, err)
				}
				continue
			}
			var unknown *layer.UnknownError
			if n != 20 || !errors.As(err, &unknown) || *unknown != (layer.UnknownError{Why: why, Off: 20, Len: 30}) || !errors.Is(err, layer.ErrUnknown) {
				t.Errorf("reason %v, policy %d: %d, %v", why, policy, n, err)
			}
		}
	}
}

// TestLargestReason has a snapshot that left a range out, of a volume that was not all read.
func TestLargestReason(t *testing.T) {
	src, _ := leaf(100)
	disk := &table{size: 100, extents: []layer.Extent{{Off: 0, Len: 50, Base: src}, {Off: 50, Len: 50, Kind: layer.Unknown, Why: layer.NotAcquired}}}
	view := &table{size: 100, extents: []layer.Extent{{Off: 0, Len: 100, Kind: layer.Unknown, Base: disk, Why: layer.Unprotected}}}
	var got []layer.Extent
	for e := range layer.Resolve(view, 0, 100) {
		got = append(got, e)
	}
	if len(got) != 2 || got[0] != (layer.Extent{Off: 0, Len: 50, Kind: layer.Unknown, Base: src, Why: layer.Unprotected}) ||
		got[1] != (layer.Extent{Off: 50, Len: 50, Kind: layer.Unknown, Why: layer.NotAcquired}) {
		t.Errorf("got %+v", got)
	}
}

func TestReasonNames(t *testing.T) {
	all := []layer.Reason{layer.Zeroed, layer.Unprotected, layer.Carved, layer.Incomplete, layer.NotAcquired, layer.Missing}
	b, err := json.Marshal(all)
	if want := `["zeroed","unprotected","carved","incomplete","not-acquired","missing"]`; err != nil || string(b) != want {
		t.Errorf("%s, %v, want %s", b, err, want)
	}
	var back []layer.Reason
	if err := json.Unmarshal(b, &back); err != nil || !slices.Equal(back, all) {
		t.Errorf("%v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`["none"]`), &back); err == nil {
		t.Error("a name that is none is a reason")
	}
	if _, err := json.Marshal(layer.Missing + 1); err == nil {
		t.Error("a reason that is none has a name")
	}
}

func TestReadLeaf(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name      string
		n         int
		off, size int64
		got       int // what the leaf gives, with given
		given     error
		want      int
		err       error
	}{
		{"all", 10, 5, 20, 10, nil, 10, nil},
		{"all, with an end", 10, 10, 20, 10, io.EOF, 10, nil},
		{"over the end", 10, 15, 20, 5, nil, 5, io.EOF},
		{"behind the end", 10, 20, 20, -1, nil, 0, io.EOF},
		{"nothing", 0, 5, 20, -1, nil, 0, nil},
		{"too little", 10, 5, 20, 4, nil, 4, io.ErrUnexpectedEOF},
		{"an end too early", 10, 5, 20, 4, io.EOF, 4, io.ErrUnexpectedEOF},
		{"an error", 10, 5, 20, 4, broken, 4, broken},
		{"over the end, an error", 10, 15, 20, 3, broken, 3, broken},
	} {
		n, err := layer.ReadLeaf(make([]byte, c.n), c.off, c.size, func(p []byte, off int64) (int, error) {
			if c.got < 0 || len(p) == 0 || off != c.off || off+int64(len(p)) > c.size {
				t.Errorf("%s: asked for %d bytes at %d", c.name, len(p), off)
			}
			return c.got, c.given
		})
		if n != c.want || err != c.err {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, n, err, c.want, c.err)
		}
	}
	if n, err := layer.ReadLeaf(make([]byte, 1), -1, 20, nil); n != 0 || err == nil {
		t.Errorf("at a negative offset: %d, %v", n, err)
	}
}

// liar is a Mapper that breaks its contract.
type liar struct{ e layer.Extent }

func (l liar) Size() int64                             { return 100 }
func (l liar) ReadAt(p []byte, off int64) (int, error) { return layer.Read(l, p, off, layer.Live) }
func (l liar) At(off, n int64) (layer.Extent, error)   { return l.e, nil }

// TestNoProgress holds that a layer that tells of something else costs its range, and no more.
func TestNoProgress(t *testing.T) {
	for _, e := range []layer.Extent{{Off: 10}, {Off: 10, Len: -5}, {Off: 10, Len: 200, Kind: layer.Zero}, {Off: 5, Len: 10, Kind: layer.Zero}} {
		n := 0
		for got, err := range layer.Extents(liar{e}, 10, 50) {
			if n++; err == nil || got != (layer.Extent{Off: 10, Len: 50}) {
				t.Errorf("%+v: %+v, %v", e, got, err)
			}
		}
		if _, err := (liar{e}).ReadAt(make([]byte, 50), 10); n != 1 || err == nil {
			t.Errorf("%+v: %d extents, %v", e, n, err)
		}
	}
}
