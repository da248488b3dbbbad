package when

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // Windows has no zones by these names
)

// Zone finds a zone by its name: utc, an offset such as +01:00, or Area/City as the tz database has it, in any case.
func Zone(name string) (*time.Location, error) {
	lower := strings.ToLower(name)
	if lower == "utc" || lower == "z" {
		return time.UTC, nil
	}
	if m := offsetForm.FindStringSubmatch(name); m != nil && m[0] == name {
		return offsetZone(m)
	}
	if lower != "" && lower != "local" {
		for _, try := range []string{name, titled(lower), strings.ToUpper(name)} {
			if loc, err := time.LoadLocation(try); err == nil {
				return loc, nil
			}
		}
	}
	return nil, fmt.Errorf("zone %q: want local, utc, an offset such as +01:00, or Area/City such as Europe/Berlin", name)
}

// titled gives a name capitals where the tz database mostly has them.
func titled(lower string) string {
	b := []byte(lower)
	for i := range b {
		if i == 0 || b[i-1] == '/' || b[i-1] == '_' || b[i-1] == '-' {
			b[i] = strings.ToUpper(lower[i : i+1])[0]
		}
	}
	return string(b)
}

// Local is the zone of this machine, with its name in the tz database where that is known.
func Local() *time.Location {
	name, set := os.LookupEnv("TZ")
	if name = strings.TrimPrefix(name, ":"); !set {
		target, _ := os.Readlink("/etc/localtime") // without a link the zone has no name
		_, name, _ = strings.Cut(target, "zoneinfo/")
	}
	if strings.TrimPrefix(name, "Etc/") == "UTC" || set && name == "" {
		return time.UTC
	}
	if loc, err := time.LoadLocation(name); err == nil && name != "" && sameZone(loc, time.Local) {
		return loc
	}
	return time.Local
}

// Unknown is what TZ has where that names no zone which is known, so that times are in UTC; else it is empty.
func Unknown() string {
	name := strings.TrimPrefix(os.Getenv("TZ"), ":")
	if _, err := time.LoadLocation(name); err == nil || strings.HasPrefix(name, "/") {
		return ""
	}
	return name
}

// sameZone reports whether two zones have the same offsets in winter and summer.
func sameZone(a, b *time.Location) bool {
	now := time.Now()
	for _, days := range []int{0, 91, 182, 273} {
		t := now.AddDate(0, 0, -days)
		_, x := t.In(a).Zone()
		if _, y := t.In(b).Zone(); x != y {
			return false
		}
	}
	return true
}

// offsetForm is an offset: sign, hours, minutes.
var offsetForm = regexp.MustCompile(`([+-])(\d{2})(?::?(\d{2}))?$`)

func offsetZone(m []string) (*time.Location, error) {
	h, _ := strconv.Atoi(m[2])
	minutes, _ := strconv.Atoi(m[3]) // may be left out
	if h > 18 || minutes > 59 {
		return nil, fmt.Errorf("there is no offset %s", m[0])
	}
	seconds := h*3600 + minutes*60
	if m[1] == "-" {
		seconds = -seconds
	}
	if seconds == 0 {
		return time.UTC, nil
	}
	return time.FixedZone(m[1]+m[2]+":"+fmt.Sprintf("%02d", minutes), seconds), nil
}

// A wall is what a clock on the wall shows.
type wall struct {
	y       int
	m       time.Month
	d       int
	h, min  int
	sec, ns int
}

// in gives the moment at which clocks of a zone show it. Where they are set back and show it twice, that is the first;
// where they are set forward past it, the moment when they are. Both are told.
func (w wall) in(loc *time.Location) (t time.Time, note string) {
	utc := time.Date(w.y, w.m, w.d, w.h, w.min, w.sec, w.ns, time.UTC)
	var found []time.Time
	_, before := utc.Add(-26 * time.Hour).In(loc).Zone()
	_, after := utc.Add(26 * time.Hour).In(loc).Zone()
	for _, offset := range []int{before, after} {
		t := utc.Add(-time.Duration(offset) * time.Second).In(loc)
		if t.Format(wallLayout) == utc.Format(wallLayout) && !slices.ContainsFunc(found, t.Equal) {
			found = append(found, t)
		}
	}
	switch shown := utc.Format("2006-01-02 15:04"); len(found) {
	case 0:
		if t, _ = utc.Add(-time.Duration(before) * time.Second).In(loc).ZoneBounds(); t.IsZero() {
			t = utc.Add(-time.Duration(before) * time.Second)
		}
		return t.In(loc), fmt.Sprintf("%s was shown by no clock in %s, since they were set forward: %s is taken", shown, loc, t.In(loc).Format("15:04 -07:00"))
	case 1:
		return found[0], ""
	default:
		slices.SortFunc(found, time.Time.Compare)
		return found[0], fmt.Sprintf("%s was shown twice in %s, since clocks were set back: the first is taken, at %s; the other was at %s",
			shown, loc, found[0].Format("-07:00"), found[1].Format("-07:00"))
	}
}

const wallLayout = "2006-01-02T15:04:05.000000000"

// span is what begins at w in a zone and lasts a unit. Of seconds, digits says how many there are behind the point.
func (w wall) span(unit Unit, digits int, loc *time.Location) Span {
	from, note := w.in(loc)
	s := Span{From: from, Unit: unit}
	end := wall{y: w.y, m: w.m, d: w.d}
	switch unit {
	case Year:
		end.y++
	case Month:
		end.m++
	case Week:
		end.d += 7
	case Day:
		end.d++
	default:
		lasts := map[Unit]time.Duration{Hour: time.Hour, Minute: time.Minute, Second: time.Second, Fraction: time.Second}[unit]
		for range digits {
			lasts /= 10
		}
		s.To, s.Note = from.Add(lasts), note
		return s
	}
	s.To, _ = end.in(loc)
	return s
}
