package selection

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
	"snapmount/ntfs/pattern"
)

// A Miss says that what a location names is not there, and where it may be instead.
type Miss struct {
	Err  error
	Text string // the location

	// Elsewhere is the newest point that has the path, nil where none is known, and Gone what is known of when it
	// vanished or came: a line.
	Elsewhere *points.Target
	Gone      string
	// Near are locations that may be meant, the likeliest first: of names that are spelt nearly so, unless Why says
	// otherwise.
	Near []string
	Why  string
	// Pattern is the last part of a path, where that is a pattern, and Below what it is to be looked for below. Where nothing
	// else is known, Name is the last part, which may be elsewhere below Below.
	Pattern, Below, Name string
	// Records says that records of deleted files, which were not looked at, may have the name Text in Below.
	Records bool
}

// Vague reports whether nothing is known of where it may be instead.
func (m *Miss) Vague() bool { return m.Elsewhere == nil && m.Pattern == "" && len(m.Near) == 0 }

func (m *Miss) Error() string { return m.Err.Error() }

// Unwrap gives the cause.
func (m *Miss) Unwrap() error { return m.Err }

// missOf makes a Miss of an error that says where it was looked for. Other errors it returns as they are.
func missOf(ctx context.Context, text string, err error) error {
	var miss *points.MissError
	if !errors.As(err, &miss) || errors.Is(err, points.ErrNoPoint) {
		return err
	}
	return missIn(ctx, &Miss{Err: miss.Err, Text: text}, miss.Targets)
}

// missAt makes a Miss of one place.
func missAt(ctx context.Context, text string, t points.Target, err error) error {
	return missIn(ctx, &Miss{Err: err, Text: text}, []points.Target{t})
}

// missIn looks for what is missing at the other points, then on the other volumes, and then for other names.
func missIn(ctx context.Context, m *Miss, targets []points.Target) error {
	if len(targets) == 0 || targets[0].Path == "" {
		return m
	}
	t := targets[0]
	if closed, _ := searched(t.Volume.Set(), t.Volume.Image); !t.HasVolume && len(closed) > 0 {
		m.Err = fmt.Errorf("%w; it may be on what was not searched: %s", m.Err, report.OneLine(errors.Join(closed...)))
	}
	if i := strings.LastIndexAny(t.Path, `/\`); pattern.HasMeta(t.Path[i+1:]) && !pattern.HasMeta(t.Path[:i+1]) {
		m.Pattern, t.Path = t.Path[i+1:], t.Path[:i+1]
		m.Below = strings.TrimSuffix(t.Location(), ":")
		return m
	}
	for _, t := range slices.Concat(targets, others(targets)) {
		if ctx.Err() == nil && (m.elsewhere(t) || m.misplaced(t)) {
			return m
		}
	}
	for _, t := range targets {
		for _, p := range append([]*points.Point{t.Point}, backward(t.Volume)...) {
			if ctx.Err() == nil && len(m.Near) == 0 {
				m.Near = near(ctx, t.At(p))
			}
		}
	}
	if dir, name := path.Split(strings.ReplaceAll(t.Path, `\`, "/")); strings.HasPrefix(dir, "/") && name != "" && !pattern.HasMeta(name) && !strings.Contains(name, ":") && !errors.Is(m.Err, ntfs.ErrNotDir) {
		m.Name, m.Below = name, t.Volume.Image.Path
	}
	return m
}

// misplaced looks for a point that was put behind the path, and for a volume that a slash follows.
func (m *Miss) misplaced(t points.Target) bool {
	try := func(t points.Target, why string) bool {
		if _, _, err := t.Point.Lookup(t.Path, false); err != nil {
			return false
		}
		m.Near, m.Why = []string{t.Location()}, why
		return true
	}
	if name := strings.TrimRight(t.Path, `/\`); name != "" && name != t.Path {
		t := t
		t.Path = name
		if try(t, "did you mean") {
			return true
		}
	}
	if name, word, ok := cutLast(t.Path, "@"); ok {
		if p, err := t.Volume.PointNamed(strings.TrimSuffix(word, ":")); err == nil {
			t := t.At(p)
			t.Path = strings.TrimSuffix(name, ":")
			return try(t, "the point comes before the path")
		}
	}
	names := points.SplitPath(strings.ReplaceAll(t.Path, `\`, "/"))
	if len(names) == 0 {
		return false
	}
	if v := t.Volume.Beside(names[0]); v != nil {
		t := t
		t.Volume, t.Point, t.HasPoint = v, v.Current(), false
		t.Path = "/" + strings.Join(names[1:], "/")
		return try(t, "a colon parts the volume from the path")
	}
	return false
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// others are the volumes of an image that targets are not on.
func others(targets []points.Target) (list []points.Target) {
	t := targets[0]
	for _, v := range t.Volume.Others() {
		if !slices.ContainsFunc(targets, func(x points.Target) bool { return x.Volume == v }) {
			other := t.At(v.Current())
			other.Volume = v
			list = append(list, other)
		}
	}
	return list
}

// backward gives the points of a volume, the newest first.
func backward(v *points.Volume) []*points.Point {
	list := inTime(v)
	slices.Reverse(list)
	return list
}

// elsewhere looks for the newest point that has the path of a target, and for when it went from there.
func (m *Miss) elsewhere(t points.Target) bool {
	shown := inTime(t.Volume)
	at := slices.Index(shown, t.Point)
	for i := len(shown) - 1; i >= 0; i-- {
		n, _, err := shown[i].Lookup(t.Path, false)
		if err != nil {
			continue // whether it is there is of no use here
		}
		found := t.At(shown[i])
		m.Elsewhere, m.Gone = &found, whenGone(t, shown, i, at, n)
		return true
	}
	return false
}

// whenGone tells when a path went that the point had of shown has and the point at has not. That it is gone is only told
// of points that were read.
func whenGone(t points.Target, shown []*points.Point, had, at int, n *ntfs.Node) string {
	there := fmt.Sprintf("%s@%s has it", t.Volume.Name, shown[had].Name)
	switch {
	case had == at: // of another volume
		return there
	case had > at:
		return there + ", and that is a later point"
	}
	if _, _, err := shown[had+1].Lookup(t.Path, false); !points.Absent(err) {
		return there + "; when it went is not known: " + shown[had+1].Name + " cannot be read there"
	}
	if next := movedTo(shown[had+1], n); strings.EqualFold(next, path.Join("/", strings.ReplaceAll(t.Path, `\`, "/"))) {
		return fmt.Sprintf("%s; when it went is not known: its record at %s names that path, which no directory there has", there, shown[had+1].Name)
	}
	line := fmt.Sprintf("%s; it went between then and %s", there, shown[had+1].Name)
	if now := movedTo(shown[at], n); now != "" {
		line += fmt.Sprintf(", and is %s at %s", now, shown[at].Name)
	}
	return line
}

// movedTo gives the path that a file of another point has at p, if it is known to be there.
func movedTo(p *points.Point, n *ntfs.Node) string {
	t, err := p.Files()
	if err != nil {
		return ""
	}
	now, err := t.Node(n.Ref)
	if err != nil {
		return ""
	}
	paths, err := t.Paths(now)
	if err != nil || len(paths) == 0 {
		return ""
	}
	return "/" + points.ShownPath(strings.TrimPrefix(paths[0].Name, "/"))
}
