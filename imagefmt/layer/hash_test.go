package layer

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"
)

// sparse is a source of which only some pieces are no holes.
type sparse struct {
	size   int64
	pieces map[int64]string
}

func (s sparse) Size() int64                             { return s.size }
func (s sparse) ReadAt(p []byte, off int64) (int, error) { return Read(s, p, off, Fail) }

func (s sparse) At(off, n int64) (Extent, error) {
	e := Extent{Off: off, Len: n, Kind: Zero}
	for at, text := range s.pieces {
		switch end := at + int64(len(text)); {
		case off >= at && off < end:
			r := textSource{strings.NewReader(text)}
			return Extent{Off: off, Len: min(n, end-off), Base: r, BaseOff: off - at}, nil
		case off < at:
			e.Len = min(e.Len, at-off)
		}
	}
	return e, nil
}

type textSource struct{ *strings.Reader }

func TestHash(t *testing.T) {
	s := sparse{3<<20 + 17, map[int64]string{0: "begin", 5: "next to it", 1<<20 - 3: strings.Repeat("middle", 1000), 3<<20 + 10: "the end"}}
	want := make([]byte, s.size)
	if err := ReadFull(s, want, 0); err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	told := int64(0)
	err := Hash(t.Context(), h, s, func(_ string, done, _ int64) { told = done })
	if sum := sha256.Sum256(want); err != nil || [32]byte(h.Sum(nil)) != sum || told != 4 {
		t.Errorf("%x, %v after %d MiB, want %x", h.Sum(nil), err, told, sum)
	}
	start := time.Now()
	if err := Hash(t.Context(), h, sparse{16 << 40, map[int64]string{8 << 40: "x"}}, nil); !errors.Is(err, ErrUnsupported) || time.Since(start) > 30*time.Second {
		t.Errorf("16 TiB of holes: %v after %v", err, time.Since(start))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := errors.New("enough")
	err = Hash(ctx, h, sparse{size: MaxHoles}, func(_ string, done, _ int64) {
		if done > 8 {
			cancel(ended)
		}
	})
	if err != ended {
		t.Errorf("%v, want the end of the context", err)
	}
}
