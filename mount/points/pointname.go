package points

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"snapmount/mount/when"
)

var (
	vssName = regexp.MustCompile(`^(?:vss([0-9]{1,6})|([0-9]{1,3}))$`)
	dirName = regexp.MustCompile(`^((?:after-)?\d{4}-\d\d-\d\dt\d{4}(?:\d\d)?z|unknown-time)(-\d+)?(-offline)?(-recovered)?(-carved)?$`)
	idStart = regexp.MustCompile(`^\{?([0-9a-f]{4,8}|[0-9a-f]{8}-[0-9a-f-]{0,27})\}?$`)
)

// words are the points that have a word for a name.
var words = map[string]func(*Volume) *Point{
	"current": (*Volume).Current, "now": (*Volume).Current,
	"latest": (*Volume).Latest, "newest": (*Volume).Latest, "last": (*Volume).Latest,
	"oldest": (*Volume).Oldest, "first": (*Volume).Oldest,
}

// cutPoint splits s after the longest prefix that has the form of a point's name and ends s or is followed by ':'. Where
// there is none, what stands where a point should is the prefix.
func cutPoint(s string) (point, rest string) {
	for end := len(s); end > 0; end-- {
		if (end == len(s) || s[end] == ':') && isPointName(s[:end]) {
			return s[:end], s[end:]
		}
	}
	for i := range s {
		if strings.HasPrefix(s[i:], ":/") || strings.HasPrefix(s[i:], `:\`) || strings.HasPrefix(s[i:], ":#") {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// isPointName goes by the form alone. What has that of a time is a name even where it can be none, for its error.
func isPointName(s string) bool {
	s, isBefore := cutBefore(s)
	_, err := when.Clock{}.Parse(s)
	var bad *when.Error
	if err == nil || errors.As(err, &bad) && bad.Form {
		return true
	}
	return !isBefore && (words[s] != nil || vssName.MatchString(s) || dirName.MatchString(s) || idStart.MatchString(s))
}

// cutBefore gives a name in lower case, without a "before:" at its start.
func cutBefore(s string) (name string, isBefore bool) {
	return strings.CutPrefix(strings.ToLower(strings.TrimSpace(s)), "before:")
}

// PointNamed finds a point by what users write, in any case:
//
//   - current or now; latest, newest or last; oldest or first
//   - vss2 or 2, its number
//   - its directory name
//   - a time, as package when has them: the newest within that year, month, day or minute. Of an age in hours or less, the
//     newest up to then
//   - before:TIME, the newest before that begins
//   - the id of its shadow copy, set or store, or the start of one that no other has
//
// What may be a date and the start of an id is a date, if there is a point of then or no such id. The error for what is no
// name of a point wraps a *when.Error; that for one which the volume does not have is a *NoPointError.
func (v *Volume) PointNamed(name string) (*Point, error) {
	for _, p := range v.Points {
		if strings.EqualFold(p.Name, name) {
			return p, nil
		}
	}
	text, isBefore := cutBefore(name)
	mayBeID := !isBefore && idStart.MatchString(text)
	number := vssName.FindStringSubmatch(text)
	switch of := words[text]; {
	case isBefore:
	case of != nil:
		return v.orNone(of(v), nil)
	case number != nil:
		n, _ := strconv.Atoi(number[1] + number[2]) // digits that fit
		return v.orNone(v.numbered(n), nil)
	}
	span, err := v.clock().Parse(text)
	var byID *Point
	var idErr error
	if mayBeID {
		byID, idErr = v.pointByID(text)
		if year := span.From.Year(); err != nil || year < 1980 || year > 2107 { // no date of anything on NTFS
			return byID, idErr
		}
	} else if err != nil {
		return nil, &NoPointError{Volume: v, Err: err}
	}
	if found := v.at(span, isBefore); found != nil || byID == nil {
		if byID != nil && byID != found {
			v.clock().Say(fmt.Sprintf("%s@%s is taken for a time; as the start of an id it is vss%d, %s", v.Name, name, byID.Snapshot.Index, byID.Name))
		}
		v.assume(span, func(s when.Span) *Point { return v.at(s, isBefore) }, text)
		return v.orNone(found, &span)
	}
	return byID, nil
}

// numbered is the snapshot of a number, nil for none.
func (v *Volume) numbered(n int) *Point {
	for _, p := range v.Snapshots() {
		if p.Snapshot.Index == n {
			return p
		}
	}
	return nil
}

// at is the point that a time names.
func (v *Volume) at(s when.Span, isBefore bool) *Point {
	switch {
	case isBefore:
		return v.newestWithin(time.Time{}, s.From)
	case s.Ago:
		return v.newestWithin(time.Time{}, s.To)
	}
	return v.newestWithin(s.From, s.To)
}

// assume tells what was decided for the user. The zone matters if there is a time of day, or another one leads to another
// point.
func (v *Volume) assume(s when.Span, choose func(when.Span) *Point, text string) {
	matters := s.Unit >= when.Hour
	if utc, err := v.clock().InUTC().Parse(text); err == nil {
		matters = matters || choose(utc) != choose(s)
	}
	v.clock().Tell(s, matters)
}

func (v *Volume) clock() when.Clock { return v.set.opts.Clock }

// Doubt says why a name of a point may mean another one in truth: it means one among others, and others may be missing.
// Else it is nil.
func (v *Volume) Doubt(name string) error {
	for _, p := range v.Points {
		if p.Name == name {
			return nil
		}
	}
	text, isBefore := cutBefore(name)
	if _, err := v.clock().Parse(text); isBefore || err == nil && text != "now" || words[text] != nil && words[text](v) != v.Current() || vssName.MatchString(text) {
		return v.Missing()
	}
	return nil
}

// newestWithin is the newest snapshot whose time is known to be within, or nil.
func (v *Volume) newestWithin(from, to time.Time) *Point {
	var best *Point
	for _, p := range v.Snapshots() {
		if c := p.Created(); !c.IsZero() && !c.Before(from) && c.Before(to) && (best == nil || !c.Before(best.Created())) {
			best = p
		}
	}
	return best
}

func (v *Volume) pointByID(start string) (*Point, error) {
	start = strings.Trim(start, "{}")
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
		return nil, v.noPoint(nil)
	}
	return nil, fmt.Errorf("several points match: %s", pointNames(found))
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
