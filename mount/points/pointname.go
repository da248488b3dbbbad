package points

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrNoPoint says that a volume has no such point in time.
var ErrNoPoint = fmt.Errorf("no such point in time: %w", fs.ErrNotExist)

var (
	vssName  = regexp.MustCompile(`^vss([0-9]{1,6})$`)
	dirName  = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d{6}Z|unknown-time)(-\d+)?(-offline)?(-recovered)?$`)
	idStart  = regexp.MustCompile(`^\{?([0-9a-fA-F]{4,8}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{0,27})\}?$`)
	layouts  = []string{"2006-01-02", "2006-01-02T15:04Z", "2006-01-02T15:04:05Z", "2006-01-02T1504Z", "2006-01-02T150405Z"}
	lengthOf = []time.Duration{24 * time.Hour, time.Minute, time.Second, time.Minute, time.Second}
)

// cutPoint splits s after the longest prefix that has the form of a point's name and ends s or is followed by ':'.
func cutPoint(s string) (point, rest string) {
	for end := len(s); end > 0; end-- {
		if (end == len(s) || s[end] == ':') && isPointName(s[:end]) {
			return s[:end], s[end:]
		}
	}
	return "", s
}

func isPointName(s string) bool {
	switch s {
	case "current", "latest", "oldest":
		return true
	}
	t, isBefore := strings.CutPrefix(s, "before:")
	if _, _, err := ParseTime(t); err == nil {
		return true
	}
	return !isBefore && (vssName.MatchString(s) || dirName.MatchString(s) || idStart.MatchString(s))
}

// ParseTime reads a UTC time and gives the span it stands for.
func ParseTime(s string) (from, to time.Time, err error) {
	for i, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, t.Add(lengthOf[i]), nil
		}
	}
	return from, to, fmt.Errorf("time %q: want 2026-11-03, 2026-11-03T14:22Z or 2026-11-03T14:22:05Z (UTC)", s)
}

// PointNamed finds a point: current, latest, oldest, vssN, its directory name, a time (the newest within that day,
// minute or second), before:TIME (the newest before it), or a shadow copy, set or store id or its unambiguous start.
func (v *Volume) PointNamed(name string) (*Point, error) {
	for _, p := range v.Points {
		if p.Name == name {
			return p, nil
		}
	}
	var found *Point
	switch t, isBefore := strings.CutPrefix(name, "before:"); {
	case name == "latest":
		found = v.Latest()
	case name == "oldest":
		found = v.Oldest()
	case vssName.MatchString(name):
		n, err := strconv.Atoi(vssName.FindStringSubmatch(name)[1])
		if err == nil && n >= 1 && n <= len(v.Snapshots()) {
			found = v.Snapshots()[n-1]
		}
	default:
		from, to, err := ParseTime(t)
		if err != nil {
			return v.pointByID(name)
		}
		if isBefore {
			from, to = time.Time{}, from
		}
		found = v.newestWithin(from, to)
	}
	if found == nil {
		return nil, v.noPoint()
	}
	return found, nil
}

// Doubt says why a name of a point may mean another one in truth: it means one among others, and others may be missing.
// Else it is nil.
func (v *Volume) Doubt(name string) error {
	name, isBefore := strings.CutPrefix(name, "before:")
	if _, _, err := ParseTime(name); isBefore || err == nil || name == "latest" || name == "oldest" || vssName.MatchString(name) {
		return v.Missing()
	}
	return nil
}

func (v *Volume) newestWithin(from, to time.Time) *Point {
	var best *Point
	for _, p := range v.Snapshots() {
		if c := p.Created(); !c.Before(from) && c.Before(to) && (best == nil || !c.Before(best.Created())) {
			best = p
		}
	}
	return best
}

func (v *Volume) pointByID(start string) (*Point, error) {
	start = strings.ToLower(strings.Trim(start, "{}"))
	var found []*Point
	for _, p := range v.Snapshots() {
		s := p.Snapshot
		for _, id := range []string{s.CopyID.String(), s.SetID.String(), s.StoreID.String()} {
			if strings.HasPrefix(id, start) {
				found = append(found, p)
				break
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, v.noPoint()
	}
	return nil, fmt.Errorf("several points match: %s", pointNames(found))
}

// noPoint says that a point is not there; where the catalog is damaged, that it may have been.
func (v *Volume) noPoint() error {
	if v.Damage != nil {
		return fmt.Errorf("no such point in time is left (there are: %s): %w", pointNames(v.Points), v.Damage)
	}
	return fmt.Errorf("%w (there are: %s)", ErrNoPoint, pointNames(v.Points))
}

func pointNames(ps []*Point) string {
	const most = 12
	var out []string
	for i, p := range ps {
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(ps)-most))
			break
		}
		out = append(out, p.Name)
	}
	return strings.Join(out, ", ")
}
