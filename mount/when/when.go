// Package when reads times as people write and say them, and tells how long ago one is. What it reads is a Span, from a
// year to 100 ns long: what to make of it (the newest point within it, files from its start on) is the caller's.
//
// A Clock has what words are read against: now, and the zone of what names none. Words are English, in any case.
//
//	when.go   Clock, Span, and how they are printed
//	parse.go  a text to its parts: age, or date, time of day and zone
//	date.go   the forms of dates
//	zone.go   zones by name, and the days on which clocks are changed
//
// Everything is safe for any number of goroutines.
package when

import (
	"fmt"
	"time"
)

// A Unit is how precise a text is: how long the Span is that it stands for.
type Unit int

// From the longest on. A Fraction is a tenth of a second to a nanosecond, by how many digits there are.
const (
	Year Unit = iota
	Month
	Week // from Monday on, as in ISO 8601
	Day
	Hour
	Minute
	Second
	Fraction
)

// A Clock is what times are read against. The zero value is now, in UTC.
type Clock struct {
	Now  time.Time      // zero is the time of the call
	Zone *time.Location // of texts that name none; nil is UTC
	Here bool           // the zone is that of this machine, which nobody chose
	// Note is told, in a line, what was decided for the user: by Tell, and by others for names that leave something open.
	// The same may be told more than once; nil drops it.
	Note func(string)
}

// A Span is what a text stands for: [From, To), which are in the zone that it was read in.
type Span struct {
	From, To time.Time
	Unit     Unit
	Zoned    bool   // the text names its zone, or says the same in any
	Word     bool   // the text counts from today on: yesterday, monday, 3d
	Ago      bool   // the text counts seconds, minutes or hours back: a moment, of which the span is an edge
	Note     string // what had to be decided for the reader, or empty
}

// An Error says why a text stands for no time, and what to write.
type Error struct {
	Text string
	Why  string
	// Form says that the text has the form of a time, and what it says cannot be or has two readings.
	Form bool
}

func (e *Error) Error() string { return fmt.Sprintf("time %q: %s", e.Text, e.Why) }

const (
	firstYear, lastYear = 1601, 9999 // that NTFS can tell, and four digits
	maxText             = 80         // bytes of a text
)

func (c Clock) now() time.Time {
	if c.Now.IsZero() {
		c.Now = time.Now()
	}
	return c.Now.In(c.zone())
}

func (c Clock) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// InUTC is the clock of one who takes texts without a zone for UTC.
func (c Clock) InUTC() Clock { return Clock{Now: c.Now, Zone: time.UTC} }

// Assumed is a line that says which zone was taken for a text that names none, where nobody chose one and it is not UTC;
// else it is empty. It is the same line for all texts.
func (c Clock) Assumed(s Span) string {
	if _, offset := s.From.Zone(); s.Zoned || !c.Here || offset == 0 {
		return ""
	}
	return fmt.Sprintf("times without a zone are local time here (%s): add Z or an offset such as +01:00, or use --tz", c.ZoneName())
}

// Tell notes what was decided for the user about a span: in which zone it was read, if that matters, and what clocks did
// that were changed.
func (c Clock) Tell(s Span, zoneMatters bool) {
	if line := c.Assumed(s); line != "" && zoneMatters {
		c.Say(line)
	}
	if s.Note != "" {
		c.Say(s.Note)
	}
}

// Say notes a line.
func (c Clock) Say(line string) {
	if c.Note != nil {
		c.Note(line)
	}
}

// ZoneName names the zone: UTC, Europe/Berlin, or CET, +01:00 now where this machine does not tell more.
func (c Clock) ZoneName() string {
	name := c.zone().String()
	if name == "Local" {
		return c.now().Format("MST, -07:00 now")
	}
	return name
}

// layouts print a Span to its precision.
var layouts = [...]string{Year: "2006", Month: "2006-01", Day: "2006-01-02", Hour: "2006-01-02T15", Minute: "2006-01-02T15:04", Second: "2006-01-02T15:04:05"}

// String is a text that stands for the span, read by the Clock that it comes from.
func (s Span) String() string {
	text := ""
	switch s.Unit {
	case Week:
		year, week := s.From.ISOWeek()
		text = fmt.Sprintf("%04d-W%02d", year, week)
	case Fraction:
		text = s.From.Format("2006-01-02T15:04:05.000000000")
		for length := s.To.Sub(s.From); length > 1; length /= 10 {
			text = text[:len(text)-1]
		}
	default:
		text = s.From.Format(layouts[s.Unit])
	}
	switch {
	case !s.Zoned:
	case s.Unit < Hour && s.From.Format("Z07:00") != "Z":
		text += s.From.Format(" -07:00")
	default:
		text += s.From.Format("Z07:00")
	}
	return text
}

// Show gives a time to the second in the zone of the clock, with its offset: a form that Parse reads.
func (c Clock) Show(t time.Time) string { return t.In(c.zone()).Format("2006-01-02 15:04:05 -07:00") }

// Since says in words how long ago t is: "3 days ago", "in 2 hours" for what is to come. It counts the largest unit of
// which two have passed, and days as Parse does: from midnight to midnight.
func (c Clock) Since(t time.Time) string {
	now := c.now()
	past := now.Unix() - t.Unix() // a time.Duration ends at 292 years
	n := max(past, -past)
	word := "second"
	for _, u := range []struct {
		word    string
		seconds int64
	}{{"year", 31556952}, {"month", 2629746}, {"day", 86400}, {"hour", 3600}, {"minute", 60}} {
		if n >= 2*u.seconds {
			if n, word = n/u.seconds, u.word; word == "day" {
				days := (midnight(now) - midnight(t.In(now.Location()))) / u.seconds
				n = max(days, -days)
			}
			break
		}
	}
	if n != 1 {
		word += "s"
	}
	switch {
	case past == 0:
		return "now"
	case past < 0:
		return fmt.Sprintf("in %d %s", n, word)
	}
	return fmt.Sprintf("%d %s ago", n, word)
}

// midnight counts seconds to the day of t, as if all days had 24 hours.
func midnight(t time.Time) int64 {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix()
}
