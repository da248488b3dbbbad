package timeline

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
)

// TestJoiner gives gaps as windows do: those that go on are one, and all comes in its order.
func TestJoiner(t *testing.T) {
	damaged, other := layer.Corrupt("file record", 0, "damaged"), errors.New("other")
	gap := func(from, to uint64, point int, err error) *Gap {
		return &Gap{From: from, To: to, First: point, Last: point, Err: err}
	}
	given := []error{gap(0, 512, 0, damaged), gap(512, 1024, 0, damaged), gap(1024, 1030, 0, other), nil, gap(1030, 1031, 0, other), gap(1031, 1032, 1, other),
		gap(1040, 1041, 1, other)}
	want := []string{"0-1024 0", "1024-1030 0", "version", "1030-1031 0", "1031-1032 1", "1040-1041 1"}
	for stop := range len(want) + 1 {
		var got []string
		j := joiner{yield: func(_ Version, err error) bool {
			if g, ok := err.(*Gap); ok {
				got = append(got, fmt.Sprintf("%d-%d %d", g.From, g.To, g.First))
			} else {
				got = append(got, "version")
			}
			return len(got) < stop
		}}
		more := true
		for _, err := range given {
			if g, ok := err.(*Gap); ok {
				c := *g
				err = &c
			}
			if more = j.give(Version{}, err); !more {
				break
			}
		}
		if more {
			j.flush()
		}
		if n := max(stop, 1); !slices.Equal(got, want[:min(n, len(want))]) {
			t.Errorf("stopped at %d: %q", stop, got)
		}
	}
}
