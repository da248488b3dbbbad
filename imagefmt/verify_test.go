package imagefmt

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
)

// holey has ranges of each kind: half of a source of its own, then missing, not acquired, zeroed, damaged, zeros.
type holey struct{ src layer.Source }

const holeyPart = 3 << 19 // bytes, and no multiple of what is read at once

func (h holey) Size() int64 { return 6 * holeyPart }

func (h holey) ReadAt(p []byte, off int64) (int, error) { return layer.Read(h, p, off, layer.Fail) }

func (h holey) At(off, n int64) (layer.Extent, error) {
	part := off / holeyPart
	e := layer.Extent{Off: off, Len: min(n, (part+1)*holeyPart-off), Kind: layer.Unknown}
	switch part {
	case 0:
		e.Kind, e.Base, e.BaseOff = layer.Data, h.src, off
	case 1, 2, 3:
		e.Why = []layer.Reason{layer.Missing, layer.NotAcquired, layer.Zeroed}[part-1]
	case 4:
		return e, layer.Corrupt("grain", off, "is bad")
	case 5:
		e.Kind = layer.Zero
	}
	return e, nil
}

func TestHashed(t *testing.T) {
	content := layertest.Mixed(200_000, holeyPart, 1)
	src := &imagetest.Failing{Source: bytes.NewReader(content), Off: 5000, Len: 1000}
	r, err := hashed(context.Background(), holey{src}, nil)
	want := make([]byte, 6*holeyPart)
	copy(want, content)
	clear(want[9*512 : 12*512])
	if got := (format.Hashes{MD5: fmt.Sprintf("%x", md5.Sum(want)), SHA1: fmt.Sprintf("%x", sha1.Sum(want)), SHA256: fmt.Sprintf("%x", sha256.Sum256(want))}); err != nil || r.Computed != got {
		t.Errorf("%+v, %v, want %+v", r.Computed, err, got)
	}
	type bad struct {
		off, n int64
		why    layer.Reason
	}
	var got []bad
	for _, b := range r.Bad {
		got = append(got, bad{b.Off, b.Len, b.Why()})
	}
	if list := []bad{{9 * 512, 3 * 512, 0}, {holeyPart, holeyPart, layer.Missing}, {3 * holeyPart, holeyPart, layer.Zeroed}, {4 * holeyPart, holeyPart, 0}}; fmt.Sprint(got) != fmt.Sprint(list) {
		t.Errorf("bad: %v, want %v", got, list)
	}
	if len(r.Unread) != 1 || r.Unread[0].Off != 2*holeyPart || r.Unread[0].Len != holeyPart || r.Sound() || r.Compared() {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	if _, err := hashed(ctx, holey{src}, func(string, int64, int64) { cancel(stop) }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}
