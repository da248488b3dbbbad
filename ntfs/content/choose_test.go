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
