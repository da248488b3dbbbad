package when

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A reading is a text on its way to a Span.
type reading struct {
	Clock
	text  string // as given
	loc   *time.Location
	zoned bool

	timed  bool // there is a time of day
	at     wall // the date is added last
	unit   Unit
	digits int
	word   bool
}

// Parse reads a time: a date or a part of one, with or without a time of day, an offset or Z; a word such as yesterday,
// monday or last week; or an age such as 3d. Its errors are of type *Error.
func (c Clock) Parse(text string) (Span, error) {
	r := &reading{Clock: c, text: text, loc: c.zone(), unit: Day}
	if len(text) > maxText {
		return Span{}, &Error{Text: text[:maxText] + "...", Why: "is too long for a time"}
	}
	s := strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(text, ", ", " ")), " "))
	if s == "now" {
		s = "0s"
	}
	if m := ageForm.FindStringSubmatch(s); m != nil {
		return r.age(m)
	}
	if m := dateOutput.FindStringSubmatch(s); m != nil {
		s = m[1] + " " + m[4] + " " + m[2] + m[3]
	} else if m := timeFirst.FindStringSubmatch(s); m != nil {
		s = m[2] + " " + m[1]
	}
	s, err := r.cutZone(strings.TrimPrefix(s, "at "))
	if err == nil {
		s, err = r.cutTime(s)
	}
	if err == nil {
		err = r.date(s)
	}
	if err != nil {
		return Span{}, err
	}
	if r.timed && r.unit < Day {
		return Span{}, r.refuse("a time of day needs a day")
	}
	out := r.at.span(r.unit, r.digits, r.loc)
	out.Zoned, out.Word = r.zoned, r.word
	if !out.From.Before(out.To) {
		return Span{}, r.refuse("there was no such day in " + r.loc.String())
	}
	return out, nil
}

// refuse says why what has the form of a time is none.
func (r *reading) refuse(why string) error { return &Error{Text: r.text, Why: why, Form: true} }

func (r *reading) unknown() error {
	return &Error{Text: r.text, Why: `want a time such as 2026-11-03, "2026-11-03 14:22", yesterday or 3d ("snapmount help times" tells all)`}
}

// ageForm is a number of units before now.
var ageForm = regexp.MustCompile(`^-?(\d{1,6}|an?|one) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?|mo|mons?|months?|y|yrs?|years?)( ago)?$`)

// backBy gives how many units of which kind an age counts, and the moment that it leads to.
func (c Clock) backBy(m []string) (n int, unit string, at time.Time) {
	n, err := strconv.Atoi(m[1])
	if err != nil {
		n = 1 // an hour ago
	}
	now := c.now()
	switch unit = m[2][:1]; {
	case strings.HasPrefix(m[2], "mo"):
		unit = "mo"
		at = monthsBack(now, n)
	case unit == "y":
		at = monthsBack(now, 12*n)
	case unit == "w":
		at = now.AddDate(0, 0, -7*n)
	case unit == "d":
		at = now.AddDate(0, 0, -n)
	default:
		at = now.Add(-time.Duration(n) * map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit])
	}
	return n, unit, at
}

// monthsBack goes months back, to the last day of the month where that one is shorter.
func monthsBack(t time.Time, n int) time.Time {
	back := t.AddDate(0, -n, 0)
	if back.Day() != t.Day() {
		back = back.AddDate(0, 0, -back.Day())
	}
	return back
}

// age reads hours and less as a moment, to the minute or second; more as the day on which it was.
func (r *reading) age(m []string) (Span, error) {
	_, unit, at := r.backBy(m)
	if at.Year() < firstYear {
		return Span{}, r.refuse("is before 1601, where times of NTFS begin")
	}
	w := wall{y: at.Year(), m: at.Month(), d: at.Day()}
	lasts := map[string]Unit{"s": Second, "m": Minute, "h": Minute}[unit]
	if lasts == 0 {
		s := w.span(Day, 0, r.loc)
		s.Word = true
		return s, nil
	}
	length := map[Unit]time.Duration{Second: time.Second, Minute: time.Minute}[lasts]
	from := at.UTC().Truncate(length)
	return Span{From: from, To: from.Add(length), Unit: lasts, Zoned: true, Word: true, Ago: true}, nil
}

// Back gives the moment that an age, such as 7d or "2 weeks", lies before now. A day has 24 hours in it.
func (c Clock) Back(age string) (time.Time, bool) {
	m := ageForm.FindStringSubmatch(strings.ToLower(age))
	if m == nil || age[0] == '-' {
		return time.Time{}, false
	}
	_, _, at := Clock{Now: c.now(), Zone: time.UTC}.backBy(m)
	return at, at.Year() >= firstYear
}

// timeFirst is a time of day with a date behind it.
var timeFirst = regexp.MustCompile(`^(\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?[ap]m)?|\d{1,2} ?[ap]m) (?:on )?((?:\d|today|yesterday|last |sun|mon|tue|wed|thu|fri|sat|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec).*)$`)

// dateOutput is what date(1) and ctime write: the year behind the time and, with date(1), the zone.
var dateOutput = regexp.MustCompile(`^((?:[a-z]{3} )?[a-z]{3} \d{1,2}) (\d{1,2}:\d\d:\d\d(?: [ap]m)?)( [a-z]{1,5}| [+-]\d{2,4})? (\d{4})$`)

var (
	zoneWord = regexp.MustCompile(`(?:(?:\d|[ap]m) ?| )(z|utc|gmt)$`)
	zoneName = regexp.MustCompile(`:\d\d(?:[.,]\d+)?(?: ?[ap]m)? ([a-z]{2,5})$`) // an abbreviation behind a time
	hasTime  = regexp.MustCompile(`:|\d[t_]\d|\d ?[ap]m`)
)

// cutZone takes the zone from the end.
func (r *reading) cutZone(s string) (string, error) {
	if m := zoneWord.FindStringSubmatch(s); m != nil {
		r.loc, r.zoned = time.UTC, true
		return strings.TrimSpace(strings.TrimSuffix(s, m[1])), nil
	}
	if m := zoneName.FindStringSubmatch(s); m != nil && m[1] != "am" && m[1] != "pm" {
		return "", r.refuse("the letters " + strings.ToUpper(m[1]) + " stand for several zones, or none: write an offset such as +01:00, or use --tz Area/City")
	}
	m := offsetForm.FindStringSubmatch(s)
	if m == nil || len(m[0]) == len(s) {
		return s, nil
	}
	before := s[:len(s)-len(m[0])]
	if m[1] == "-" && before[len(before)-1] != ' ' && !hasTime.MatchString(before) {
		return s, nil // the end of a date
	}
	loc, err := offsetZone(m)
	if err != nil {
		return "", r.refuse(err.Error())
	}
	r.loc, r.zoned = loc, true
	return strings.TrimSpace(before), nil
}

var (
	clockForm   = regexp.MustCompile(`(?:^|[ t_]| at |(\d)[t_ ])(\d{1,2})(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)? ?([ap]m)?$`)
	compactForm = regexp.MustCompile(`(\d)[t_](\d\d)(\d\d)(?:(\d\d)(?:[.,](\d{1,9}))?)?$`)
)

// cutTime takes the time of day from the end.
func (r *reading) cutTime(s string) (string, error) {
	rest := ""
	var m []string // hour, minute, second, fraction, am or pm
	if c := compactForm.FindStringSubmatch(s); c != nil {
		rest, m = s[:len(s)-len(c[0])+1], append(c[2:6:6], "")
	} else if c := clockForm.FindStringSubmatch(s); c != nil && (c[3] != "" || c[6] != "" || c[1] != "" && c[0][1] != ' ') {
		rest, m = s[:len(s)-len(c[0])]+c[1], c[2:]
	} else {
		return s, nil
	}
	r.timed = true
	r.at.h, _ = strconv.Atoi(m[0])
	r.at.min, _ = strconv.Atoi(m[1]) // empty is 0
	r.at.sec, _ = strconv.Atoi(m[2])
	switch {
	case m[3] != "":
		r.unit, r.digits = Fraction, len(m[3])
		r.at.ns, _ = strconv.Atoi((m[3] + "00000000")[:9])
	case m[2] != "":
		r.unit = Second
	case m[1] != "":
		r.unit = Minute
	default:
		r.unit = Hour
	}
	if m[4] != "" {
		if r.at.h < 1 || r.at.h > 12 {
			return "", r.refuse("hour " + m[0] + " of " + m[4] + ": want 1 to 12")
		}
		r.at.h %= 12
		if m[4] == "pm" {
			r.at.h += 12
		}
	}
	if r.at.h > 23 || r.at.min > 59 || r.at.sec > 59 {
		return "", r.refuse("no clock shows this time of day: want 00:00:00 to 23:59:59")
	}
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), " at")), nil
}
