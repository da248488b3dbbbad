package content

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func of(b []byte) Version { return Version{R: bytes.NewReader(b), Size: int64(len(b))} }

// noise returns n random bytes, the same for the same seed.
func noise(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 7})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

func prose(n int) []byte {
	return bytes.Repeat([]byte("Die Katze schläft auf dem Ofen, und es ist Abend.\n"), n/50+1)[:n]
}

func TestChoose(t *testing.T) {
	old, edit := prose(20000), append(prose(20000), "More.\n"...)
	bad, other := noise(1, 20000), noise(2, 20528)
	tests := []struct {
		name string
		cs   []Candidate
		want int
	}{
		{"encrypted and renamed", []Candidate{{Name: "a.txt.locked", Version: of(bad)}, {Name: "a.txt", Version: of(edit)}, {Name: "a.txt", Version: of(old)}}, 1},
		{"encrypted twice", []Candidate{{Name: "a.txt", Version: of(other)}, {Name: "a.txt", Version: of(bad)}, {Name: "a.txt", Version: of(old)}}, 2},
		{"nothing good", []Candidate{{Name: "a.txt", Version: of(other)}, {Name: "a.txt", Version: of(bad)}}, -1},
		{"unknown kind, equal to one before", []Candidate{
			{Name: "a.vault", Version: of(bad), Same: "1", Phase: During}, {Name: "a.vault", Version: of(bad), Same: "1", Phase: Before},
		}, 0},
		{"unknown kind, during", []Candidate{
			{Name: "a.vault", Version: of(other), Same: "2", Phase: During}, {Name: "a.vault", Version: of(bad), Same: "1", Phase: Before},
		}, 1},
		{"head spared, and nothing older", []Candidate{
			{Name: "a.mp4", Version: of(spoil(madeBoxes("moov"), random1(), 30000, 60000)), Phase: During},
		}, -1},
		{"as a whole by its structure, and nothing older", []Candidate{{Name: "a.png", Version: of(madePicture("png")), Phase: During}}, 0},
		{"back and forth", []Candidate{
			{Name: "a.txt", Version: of(old), Same: "1"}, {Name: "a.txt", Version: of(bad), Same: "2"}, {Name: "a.txt", Version: of(old), Same: "1"},
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Choose(t.Context(), tt.cs)
			if err != nil || got.Index != tt.want {
				t.Errorf("chose %d of kind %q, want %d: %+v, %v", got.Index, got.Kind, tt.want, got, err)
			}
			for i := range tt.cs {
				if passed := got.Passed[i] != ""; passed != (got.Index < 0 || i < got.Index) {
					t.Errorf("candidate %d: %q", i, got.Passed[i])
				}
			}
		})
	}
}

// TestFallback expects what was broken before the attack apart from what is good.
func TestFallback(t *testing.T) {
	part := madePicture("png")[:3000]
	cs := []Candidate{
		{Name: "a.png.locked", Version: of(noise(1, 9528)), Same: "2", Phase: During},
		{Name: "a.png", Version: of(part), Same: "1", Phase: Before},
		{Name: "a.png", Version: of(part), Same: "1", Phase: Before},
	}
	got, err := Choose(t.Context(), cs)
	if err != nil || got.Index != -1 || got.Fallback != 1 || got.Verdicts[1].State != Incomplete || got.Verdicts[0].State != Spoiled {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestOnce expects each content to be read once, however many candidates have it.
func TestOnce(t *testing.T) {
	reads := map[string]int{}
	counted := func(name string, b []byte) Version {
		v := of(b)
		v.R = &counter{bytes.NewReader(b), func() { reads[name]++ }}
		return v
	}
	a, b := madeBoxes("moov"), spoil(madeBoxes("moov"), random1(), 20480, 60000)
	var cs []Candidate
	for range 20 {
		cs = append(cs, Candidate{Name: "a.mp4", Version: counted("new", b), Same: "new", Phase: During})
	}
	for range 20 {
		cs = append(cs, Candidate{Name: "a.mp4", Version: counted("old", a), Same: "old", Phase: Before})
	}
	got, err := Choose(t.Context(), cs)
	if err != nil || got.Index != 20 {
		t.Fatalf("%d, %v", got.Index, err)
	}
	pieces := len(a)/windowSize + 1
	for name, n := range reads {
		if n > 3*pieces+len(cs) {
			t.Errorf("%s: %d reads of %d windows", name, n, pieces)
		}
	}
}

type counter struct {
	r    *bytes.Reader
	call func()
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	c.call()
	return c.r.ReadAt(p, off)
}
