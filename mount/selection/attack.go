package selection

import (
	"context"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs/attack"
	"snapmount/ntfs/timeline"
)

// A Surveyed is what became of the files of a volume over its points.
type Surveyed struct {
	*attack.Survey
	Volume *points.Volume
	Points []*points.Point // by the numbers of the Survey: those that could be opened
	Closed int             // points that could not
	Part   bool            // something could not be looked at: what was not found may be there
}

// NoSign are the words for a volume without an attack: of what was read, and no more.
func (s *Surveyed) NoSign() string {
	if s.Part {
		return fmt.Sprintf("no sign of an attack in what could be read of these %d points, which is not all", len(s.Points))
	}
	return fmt.Sprintf("no sign of an attack between these %d points", len(s.Points))
}

// Survey looks for what an attack did to a volume, over all its points. Those that cannot be opened, and what else cannot be looked
// at, is told. It wraps points.ErrNoPoint where there are not two points to compare.
func (sc *Scope) Survey(ctx context.Context, records bool, progress layer.Progress, told func(error)) (*Surveyed, error) {
	s := &Surveyed{Volume: sc.Volume}
	fail := func(err error) {
		s.Part = true
		told(err)
	}
	var opened []timeline.Point
	for i, p := range sc.Timeline("", fail).Points {
		if p.Tree == nil {
			s.Closed++
			continue
		}
		opened = append(opened, p)
		s.Points = append(s.Points, sc.Points[i])
	}
	if len(opened) < 2 {
		why := "there is the current state alone"
		if len(sc.Points) > 1 {
			why = "there are not two points that can be opened"
		}
		return nil, aloneError{fmt.Sprintf("%s: %s, and nothing to compare it with", sc.Volume.Name, why)}
	}
	var err error
	if s.Survey, err = attack.Look(ctx, opened, attack.Options{Records: records, Progress: progress}); err != nil {
		return nil, err
	}
	for _, err := range s.Lost {
		fail(s.lost(err))
	}
	s.Part = s.Part || slices.ContainsFunc(s.Files, func(f attack.File) bool { return f.Outcome == attack.Unread })
	return s, nil
}

// lost says at which points something could not be looked at.
func (s *Surveyed) lost(err error) error {
	if gap, ok := err.(*timeline.Gap); ok { //nolint:errorlint // as timeline gives it
		return (&Scope{Volume: s.Volume, Points: s.Points}).At(gap.First, gap.Last, gap)
	}
	return fmt.Errorf("%s: %w", s.Volume.Name, err)
}

// An aloneError says that there are not two points. It is a points.ErrNoPoint.
type aloneError struct{ text string }

func (e aloneError) Error() string { return e.text }

func (aloneError) Unwrap() error { return points.ErrNoPoint }
