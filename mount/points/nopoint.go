package points

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"snapmount/mount/when"
)

// ErrNoPoint says that a volume has no such point in time.
var ErrNoPoint = fmt.Errorf("no such point in time: %w", fs.ErrNotExist)

// A NoPointError says that a volume has no such point in time, or that there is no such name of one. Its text is a line;
// Volume has the points that there are.
type NoPointError struct {
	Volume *Volume
	Near   *Point // the snapshot that is nearest to the time asked for; nil without one
	Err    error  // ErrNoPoint; where the catalog is damaged, that damage; or a *when.Error, where no point has such a name
}

func (e *NoPointError) Error() string {
	const none = "no such point in time"
	var name *when.Error
	switch {
	case errors.As(e.Err, &name) && name.Form:
		return name.Error()
	case name != nil:
		return `no point has such a name: want latest, oldest, vss2, an id or its start, or a time ("snapmount help times" tells all)`
	case e.Volume.Damage != nil:
		return fmt.Sprintf("%s is left (there are: %s): %v", none, pointNames(e.Volume.Points), e.Err)
	case len(e.Volume.Snapshots()) == 0:
		if deleted := e.Volume.Deleted(); deleted != "" {
			return none + ": " + deleted
		}
		return none + ": the volume has no snapshots, only the current state"
	case e.Near != nil:
		return fmt.Sprintf("%s: the nearest is vss%d, %s", none, e.Near.Snapshot.Index, e.Near.Name)
	}
	return none
}

// Unwrap gives the cause.
func (e *NoPointError) Unwrap() error { return e.Err }

// orNone gives a point, or the error that there is none of a time.
func (v *Volume) orNone(p *Point, asked *when.Span) (*Point, error) {
	if p == nil {
		return nil, v.noPoint(asked)
	}
	return p, nil
}

// noPoint says that a point is not there; where the catalog is damaged or the volume locked, that it may be or have been.
func (v *Volume) noPoint(asked *when.Span) error {
	if err := v.Locked(); err != nil {
		return err
	}
	e := &NoPointError{Volume: v, Err: ErrNoPoint}
	if v.Damage != nil {
		e.Err = v.Damage
	}
	if asked != nil {
		e.Near = v.nearest(*asked)
	}
	return e
}

// nearest is the snapshot that is nearest to a span, the newer one of two.
func (v *Volume) nearest(s when.Span) (near *Point) {
	var least time.Duration
	for _, p := range v.Snapshots() {
		c := p.Created()
		away := max(s.From.Sub(c), c.Sub(s.To))
		if !c.IsZero() && (near == nil || away <= least) {
			near, least = p, away
		}
	}
	return near
}
