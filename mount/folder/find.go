package folder

import (
	"context"
	"fmt"
	"strings"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/timeline"
)

// Find searches below the place, at all points of its volume, for files whose name has a part, or matches a pattern. What
// cannot be searched is told to lost. A mistake in the pattern is a selection.UsageError.
func (p Place) Find(ctx context.Context, pattern string, put func(report.Hit) bool, lost func(error)) error {
	query := selection.Query{Pattern: pattern, Encoding: "both"}
	if query.WholeName() { // a part of a name is enough
		query.Pattern = "*" + query.Pattern + "*"
	}
	volume := p.Point.Volume
	scope := &selection.Scope{Volume: volume, Points: InTime(volume)}
	if err := volume.Missing(); err != nil {
		lost(err)
	}
	trees, fold := scope.Trees(lost)
	if fold == nil {
		return fmt.Errorf("%s: no point in time can be searched", volume.Name)
	}
	q, err := query.Compile(fold)
	if err != nil {
		return err
	}
	q.Below = strings.TrimSuffix(p.Path, "/")
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for h, err := range timeline.Find(ctx, trees, timeline.ReadDirs(ctx, trees, nil), q, nil) {
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			lost(scope.At(h.First, h.Last, err))
			continue
		case h.Err != nil && !scope.LeftOut(&h):
			lost(scope.At(h.First, h.Last, fmt.Errorf("%s: %w", h.Path, h.Err)))
		}
		if !put(report.HitOf(scope.Points, &h)) {
			return nil
		}
	}
	return nil
}

// History gives the versions of the file at the place, over InTime.
func (p Place) History(ctx context.Context) (out []compare.Version, err error) {
	volume := p.Point.Volume
	at := selection.Place{Target: p.Target(), Location: volume.Name + ":" + p.Path, Set: volume.Set()}
	versions, err := at.History(ctx, false, false)
	if err != nil {
		return nil, err
	}
	for v, err := range versions {
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Target is the place as LOCATIONs have it.
func (p Place) Target() points.Target {
	return points.Target{Volume: p.Point.Volume, Point: p.Point, Path: p.Path, HasPath: true, HasVolume: true, HasPoint: true}
}
