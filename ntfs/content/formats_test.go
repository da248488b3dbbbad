package content

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestFormats makes a whole file of each kind, and expects its check to see what is cut, zeroed and encrypted.
func TestFormats(t *testing.T) {
	for i, m := range madeFiles() {
		t.Run(fmt.Sprintf("%s %d", m.kind, i), func(t *testing.T) {
			v := judged(t, m.kind, m.b)
			if v.State != Whole || v.Full != m.full {
				t.Fatalf("whole: %v, full %v: %s", v.State, v.Full, v.Why)
			}
			if kind := KindOf("a."+string(m.kind)+".locked", m.b[:min(len(m.b), headSize)]); kind != m.kind {
				t.Errorf("kind %q", kind)
			}
			for _, d := range damages {
				r := rand.New(rand.NewPCG(1, uint64(i)))
				b := d.make(m.b, r)
				if b == nil {
					continue
				}
				got, err := Compare(t.Context(), m.kind, of(m.b), of(b))
				if err != nil || got.State != Spoiled && !(got.State.Damaged() && m.full) {
					t.Errorf("%s: %v by %v: %s; %v", d.name, got.State, got.Rule, got.Why, err)
				}
			}
			if m.full {
				eachByte(t, m)
			}
		})
	}
}

// eachByte changes bytes all over a file that is proved as a whole.
func eachByte(t *testing.T, m made) {
	missed := 0
	for i := 0; i < 40; i++ {
		b := append([]byte{}, m.b...)
		b[len(b)/40*i] ^= 0x55
		if v := judged(t, m.kind, b); v.State.Good() {
			missed++
		}
	}
	// Packed pictures stand a wrong byte, names in headers are not proved, a wrong checksum of a program says nothing, and a
	// database has its header twice.
	if allowed := map[Kind]int{"jpg": 40, "gif": 40, "exe": 40, "edb": 7, "ttf": 2, "zip": 2, "docx": 2, "odt": 2}[m.kind]; missed > allowed {
		t.Errorf("%d of 40 changed bytes are not seen", missed)
	}
}

func judged(t *testing.T, kind Kind, b []byte) Verdict {
	t.Helper()
	v, err := Judge(t.Context(), kind, of(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCut expects what ends early, as downloads do, to be incomplete and never spoiled, and never whole.
func TestCut(t *testing.T) {
	// Of these a part passes for a smaller file, or the end cannot be told from the middle.
	open := map[Kind]bool{"svg": true, "xml": true, "mp3": true, "edb": true}
	for _, m := range madeFiles() {
		for _, share := range []int{30, 60, 95} {
			b := m.b[:len(m.b)*share/100]
			switch v := judged(t, m.kind, b); {
			case v.State == Spoiled:
				t.Errorf("%s cut at %d %%: %v by %v: %s", m.kind, share, v.State, v.Rule, v.Why)
			case v.State != Incomplete && !open[m.kind]:
				t.Errorf("%s cut at %d %%: %v by %v: %s", m.kind, share, v.State, v.Rule, v.Why)
			}
		}
	}
}
