package restore

import (
	"errors"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
)

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		up   int
		path string
		want bool
	}{
		{0, "a", true}, {maxDepth() - 1, "a", true}, {maxDepth(), "a", false}, {mostDeep, "a", false},
		{1, strings.Repeat("n", mostLong), true}, {1, strings.Repeat("n", mostLong+1), false},
		{1, strings.Repeat("名", mostLong), true}, {1, strings.Repeat("名", mostLong+1), false},
		{1, strings.Repeat("\U0001f600", mostLong/2), true}, {1, strings.Repeat("\U0001f600", mostLong/2+1), false},
	} {
		if err := within(c.up, c.path); (err == nil) != c.want || err != nil && !errors.Is(err, layer.ErrUnsupported) {
			t.Errorf("%d deep, %d bytes: %v", c.up, len(c.path), err)
		}
	}
}
