package points

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Matching returns the snapshots that one word of a selection names.
func (v *Volume) Matching(word string) ([]*Point, error) {
	if word == "" {
		return nil, ErrNoPoint
	}
	from, to, err := numbers(word)
	if errors.Is(err, errBackwards) {
		return nil, err
	}
	if err != nil {
		p, err := v.PointNamed(word)
		if err != nil {
			return nil, err
		}
		return []*Point{p}, nil
	}
	return slices.DeleteFunc(slices.Clone(v.Snapshots()), func(p *Point) bool { return p.Snapshot.Index < from || p.Snapshot.Index > to }), nil
}

var errBackwards = errors.New("a range that goes backwards, want the lower number first")

// numbers reads "3" or "3..5".
func numbers(word string) (from, to int, err error) {
	a, b, isRange := strings.Cut(word, "..")
	if from, err = strconv.Atoi(a); err != nil || len(a) > 3 { // longer ones start an id
		return 0, 0, fmt.Errorf("%q is no number", a)
	}
	if to = from; isRange {
		if to, err = strconv.Atoi(b); err != nil {
			return 0, 0, fmt.Errorf("%q is no range", word)
		}
		if to < from {
			return 0, 0, fmt.Errorf("%w: %d..%d", errBackwards, to, from)
		}
	}
	return from, to, nil
}
