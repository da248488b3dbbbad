package selection

import (
	"context"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// Targets is Restore for what was found in a Set that is open, and stays so: the Selection is not to be closed. Every
// target has a point.
func Targets(ctx context.Context, s *points.Set, targets []points.Target, hooks Hooks) (*Selection, error) {
	out := &Selection{Images: &Images{[]*points.Set{s}}, hooks: hooks, points: map[*ntfs.Tree]*points.Point{},
		origins: map[string]*points.Point{}, gone: map[goneID]*goneSet{}}
	for _, t := range targets {
		if err := out.chooseIn(ctx, t, "", t.Location()); err != nil {
			return nil, err
		}
	}
	return out, out.settle()
}
