package when_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"snapmount/mount/when"
)

// noon is a Thursday in winter time: 13:30 in Berlin.
var noon = time.Date(2026, 3, 5, 12, 30, 45, 0, time.UTC)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := when.Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// forms are what people write, at noon in Berlin, with the span that it stands for, or what a refusal says.
var forms = []struct{ text, want string }{
	// Dates, from the longest on.
	{"2026", "2025-12-31T23:00:00Z 2026-12-31T23:00:00Z year"},
	{"2026-03", "2026-02-28T23:00:00Z 2026-03-31T22:00:00Z month"},
	{"2026-3", "2026-02-28T23:00:00Z 2026-03-31T22:00:00Z month"},
	{"2026/03", "2026-02-28T23:00:00Z 2026-03-31T22:00:00Z month"},
	{"2026-03-03", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"2026-3-3", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"2026/03/03", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"2026.3.3", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"20260303", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"2026-W10", "2026-03-01T23:00:00Z 2026-03-08T23:00:00Z week"},
	{"2026w10", "2026-03-01T23:00:00Z 2026-03-08T23:00:00Z week"},
	{"2020-W53", "2020-12-27T23:00:00Z 2021-01-03T23:00:00Z week"},
	{"3.3.2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"03.04.2026", "2026-04-02T22:00:00Z 2026-04-03T22:00:00Z day"},
	{"13/3/2026", "2026-03-12T23:00:00Z 2026-03-13T23:00:00Z day"},
	{"3/13/2026", "2026-03-12T23:00:00Z 2026-03-13T23:00:00Z day"},
	{"3/3/2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"13-03-2026", "2026-03-12T23:00:00Z 2026-03-13T23:00:00Z day"},
	{"3 Mar 2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"3. March 2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"3rd march 2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"03-Mar-2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"03MAR2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"Mar 3 2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"March 3, 2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"mar 3rd, 2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"2026 Mar 3", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"Tuesday, 3 March 2026", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"tue 2026-03-03", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"3 Mar", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"Dec 24", "2025-12-23T23:00:00Z 2025-12-24T23:00:00Z day"},
	{"29 Feb", "2024-02-28T23:00:00Z 2024-02-29T23:00:00Z day"},
	{"march", "2026-02-28T23:00:00Z 2026-03-31T22:00:00Z month"},
	{"Sept", "2025-08-31T22:00:00Z 2025-09-30T22:00:00Z month"},
	{"mar 2026", "2026-02-28T23:00:00Z 2026-03-31T22:00:00Z month"},
	{"2026 march", "2026-02-28T23:00:00Z 2026-03-31T22:00:00Z month"},
	{"2026-03-29", "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z day"}, // of 23 hours
	{"2026-10-25", "2026-10-24T22:00:00Z 2026-10-25T23:00:00Z day"}, // of 25

	// With a time of day.
	{"2026-3-3 18:00", "2026-03-03T17:00:00Z 2026-03-03T17:01:00Z minute"},
	{"2026-03-03T18:00", "2026-03-03T17:00:00Z 2026-03-03T17:01:00Z minute"},
	{"2026-03-03T18:00:05", "2026-03-03T17:00:05Z 2026-03-03T17:00:06Z second"},
	{"2026-03-03 18:00:05.5", "2026-03-03T17:00:05.5Z 2026-03-03T17:00:05.6Z fraction"},
	{"2026-03-03 18:00:05,123", "2026-03-03T17:00:05.123Z 2026-03-03T17:00:05.124Z fraction"},
	{"2026-03-03T18:00:00.0000000Z", "2026-03-03T18:00:00Z 2026-03-03T18:00:00.0000001Z fraction"},
	{"2026-03-03T18:00:00Z", "2026-03-03T18:00:00Z 2026-03-03T18:00:01Z second"},
	{"2026-03-03t18:00z", "2026-03-03T18:00:00Z 2026-03-03T18:01:00Z minute"},
	{"2026-03-03T180000Z", "2026-03-03T18:00:00Z 2026-03-03T18:00:01Z second"},
	{"2026-03-03T1800Z", "2026-03-03T18:00:00Z 2026-03-03T18:01:00Z minute"},
	{"2026-03-03T18Z", "2026-03-03T18:00:00Z 2026-03-03T19:00:00Z hour"},
	{"2026-03-03_1800", "2026-03-03T17:00:00Z 2026-03-03T17:01:00Z minute"},
	{"20260303T1800", "2026-03-03T17:00:00Z 2026-03-03T17:01:00Z minute"},
	{"20260303T180005", "2026-03-03T17:00:05Z 2026-03-03T17:00:06Z second"},
	{"20260303 18:00", "2026-03-03T17:00:00Z 2026-03-03T17:01:00Z minute"},
	{"3.3.2026 18:00", "2026-03-03T17:00:00Z 2026-03-03T17:01:00Z minute"},
	{"3/3/2026 6:00:05 PM", "2026-03-03T17:00:05Z 2026-03-03T17:00:06Z second"},
	{"March 3, 2026 at 6pm", "2026-03-03T17:00:00Z 2026-03-03T18:00:00Z hour"},
	{"2026-03-03 12am", "2026-03-02T23:00:00Z 2026-03-03T00:00:00Z hour"},
	{"2026-03-03 12:30 pm", "2026-03-03T11:30:00Z 2026-03-03T11:31:00Z minute"},
	{"18:00", "2026-03-05T17:00:00Z 2026-03-05T17:01:00Z minute"},
	{"9:05", "2026-03-05T08:05:00Z 2026-03-05T08:06:00Z minute"},
	{"at 9:05", "2026-03-05T08:05:00Z 2026-03-05T08:06:00Z minute"},
	{"6pm", "2026-03-05T17:00:00Z 2026-03-05T18:00:00Z hour"},
	{"18:00 2026-03-03", "2026-03-03T17:00:00Z 2026-03-03T17:01:00Z minute"},
	{"6pm on monday", "2026-03-02T17:00:00Z 2026-03-02T18:00:00Z hour"},

	// With a zone.
	{"2026-03-03 18:00 +01:00", "2026-03-03T17:00:00Z 2026-03-03T17:01:00Z minute"},
	{"2026-03-03T18:00:05+0100", "2026-03-03T17:00:05Z 2026-03-03T17:00:06Z second"},
	{"2026-03-03T18:00-05:30", "2026-03-03T23:30:00Z 2026-03-03T23:31:00Z minute"},
	{"2026-03-03 18:00-05", "2026-03-03T23:00:00Z 2026-03-03T23:01:00Z minute"},
	{"20260303T1800+0530", "2026-03-03T12:30:00Z 2026-03-03T12:31:00Z minute"},
	{"2026-03-03Z", "2026-03-03T00:00:00Z 2026-03-04T00:00:00Z day"},
	{"2026-03-03 UTC", "2026-03-03T00:00:00Z 2026-03-04T00:00:00Z day"},
	{"2026-03-03+01:00", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"2026-03-03 -05:00", "2026-03-03T05:00:00Z 2026-03-04T05:00:00Z day"},
	{"2026-03 -05:00", "2026-03-01T05:00:00Z 2026-04-01T05:00:00Z month"},
	{"2026Z", "2026-01-01T00:00:00Z 2027-01-01T00:00:00Z year"},
	{"18:00Z", "2026-03-05T18:00:00Z 2026-03-05T18:01:00Z minute"},
	{"18:00 -10:00", "2026-03-06T04:00:00Z 2026-03-06T04:01:00Z minute"},
	{"yesterday UTC", "2026-03-04T00:00:00Z 2026-03-05T00:00:00Z day"},
	{"Tue, 03 Mar 2026 18:00:05 GMT", "2026-03-03T18:00:05Z 2026-03-03T18:00:06Z second"},
	{"Tue, 3 Mar 2026 18:00:05 +0100", "2026-03-03T17:00:05Z 2026-03-03T17:00:06Z second"},
	{"Tue Mar  3 18:00:05 2026", "2026-03-03T17:00:05Z 2026-03-03T17:00:06Z second"},
	{"Tue Mar  3 06:00:05 PM UTC 2026", "2026-03-03T18:00:05Z 2026-03-03T18:00:06Z second"},

	// Words and ages.
	{"today", "2026-03-04T23:00:00Z 2026-03-05T23:00:00Z day"},
	{"Yesterday", "2026-03-03T23:00:00Z 2026-03-04T23:00:00Z day"},
	{"yesterday 18:00", "2026-03-04T17:00:00Z 2026-03-04T17:01:00Z minute"},
	{"yesterday at 6 pm", "2026-03-04T17:00:00Z 2026-03-04T18:00:00Z hour"},
	{"the day before yesterday", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"MONDAY", "2026-03-01T23:00:00Z 2026-03-02T23:00:00Z day"},
	{"tues", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"thursday", "2026-03-04T23:00:00Z 2026-03-05T23:00:00Z day"}, // today
	{"last thursday", "2026-02-25T23:00:00Z 2026-02-26T23:00:00Z day"},
	{"last Tuesday", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"fri 9:30", "2026-02-27T08:30:00Z 2026-02-27T08:31:00Z minute"},
	{"this week", "2026-03-01T23:00:00Z 2026-03-08T23:00:00Z week"},
	{"last week", "2026-02-22T23:00:00Z 2026-03-01T23:00:00Z week"},
	{"last month", "2026-01-31T23:00:00Z 2026-02-28T23:00:00Z month"},
	{"this month", "2026-02-28T23:00:00Z 2026-03-31T22:00:00Z month"},
	{"last year", "2024-12-31T23:00:00Z 2025-12-31T23:00:00Z year"},
	{"this year", "2025-12-31T23:00:00Z 2026-12-31T23:00:00Z year"},
	{"3d", "2026-03-01T23:00:00Z 2026-03-02T23:00:00Z day"},
	{"-1d", "2026-03-03T23:00:00Z 2026-03-04T23:00:00Z day"},
	{"2 days ago", "2026-03-02T23:00:00Z 2026-03-03T23:00:00Z day"},
	{"a week ago", "2026-02-25T23:00:00Z 2026-02-26T23:00:00Z day"},
	{"2w", "2026-02-18T23:00:00Z 2026-02-19T23:00:00Z day"},
	{"1 month ago", "2026-02-04T23:00:00Z 2026-02-05T23:00:00Z day"},
	{"2 years ago", "2024-03-04T23:00:00Z 2024-03-05T23:00:00Z day"},
	{"2h ago", "2026-03-05T10:30:00Z 2026-03-05T10:31:00Z minute ago"},
	{"90 min", "2026-03-05T11:00:00Z 2026-03-05T11:01:00Z minute ago"},
	{"an hour ago", "2026-03-05T11:30:00Z 2026-03-05T11:31:00Z minute ago"},
	{"now", "2026-03-05T12:30:45Z 2026-03-05T12:30:46Z second ago"},
	{"30s", "2026-03-05T12:30:15Z 2026-03-05T12:30:16Z second ago"},

	// Clocks that were set forward and back.
	{"2026-03-29 02:30", "2026-03-29T01:00:00Z 2026-03-29T01:01:00Z minute; 2026-03-29 02:30 was shown by no clock in Europe/Berlin, since they were set forward: 03:00 +02:00 is taken"},
	{"2026-10-25 02:30", "2026-10-25T00:30:00Z 2026-10-25T00:31:00Z minute; 2026-10-25 02:30 was shown twice in Europe/Berlin, since clocks were set back: the first is taken, at +02:00; the other was at +01:00"},
	{"2026-10-25 02:30 +01:00", "2026-10-25T01:30:00Z 2026-10-25T01:31:00Z minute"},

	// What is refused, and why.
	{"03/04/2026", "! is 2026-04-03 where the day comes first and 2026-03-04 where the month does: write one of these"},
	{"3-4-2026 18:00", "! is 2026-04-03 where the day comes first and 2026-03-04 where the month does"},
	{"3.4.26", "! write the year with four digits"},
	{"3/4/26", "! write the year with four digits"},
	{"2026-13-01", "! there is no month 13"},
	{"2026-02-30", "! there is no day 30 in 2026-02"},
	{"20260230", "! there is no day 30 in 2026-02"},
	{"31 April 2026", "! there is no day 31 in 2026-04"},
	{"2025-02-29", "! there is no day 29 in 2025-02"},
	{"0026-03-03", "! year 26: want 1601 to 9999"},
	{"2026-W54", "! there is no week 54 in 2026"},
	{"Monday, 3 March 2026", "! 2026-03-03 is a Tuesday, not a Monday"},
	{"2026-03-03 25:00", "! no clock shows this time of day"},
	{"2026-03-03 18:60", "! no clock shows this time of day"},
	{"2026-03-03 13pm", "! hour 13 of pm: want 1 to 12"},
	{"2026-03-03 18:00 CET", "! the letters CET stand for several zones, or none"},
	{"2026-03-03 18:00 +99:00", "! there is no offset +99:00"},
	{"2026-03 18:00", "! a time of day needs a day"},
	{"last week 18:00", "! a time of day needs a day"},
	{"999999d", "! is before 1601"},
	{"soon", "? want a time such as 2026-11-03"},
	{"", "? want a time such as"},
	{"tomorrow", "? want a time such as"},
	{"+3d", "? want a time such as"},
	{"monday yesterday", "? want a time such as"},
	{"5e700003", "? want a time such as"},
	{"202603", "? want a time such as"},
	{"2026-03/03", "? want a time such as"},
	{"-01:00", "? want a time such as"},
	{strings.Repeat("1", 1000), "? is too long for a time"},
}

var units = []string{"year", "month", "week", "day", "hour", "minute", "second", "fraction"}

// told says what a text was read as, as forms have it.
func told(c when.Clock, text string) string {
	s, err := c.Parse(text)
	var bad *when.Error
	switch {
	case errors.As(err, &bad) && bad.Form:
		return "! " + bad.Why
	case errors.As(err, &bad):
		return "? " + bad.Why
	case err != nil:
		return err.Error()
	}
	out := s.From.UTC().Format(time.RFC3339Nano) + " " + s.To.UTC().Format(time.RFC3339Nano) + " " + units[s.Unit]
	if s.Ago {
		out += " ago"
	}
	if s.Note != "" {
		out += "; " + s.Note
	}
	return out
}

func TestForms(t *testing.T) {
	c := when.Clock{Now: noon, Zone: zone(t, "Europe/Berlin"), Here: true}
	if len(forms) < 100 {
		t.Errorf("%d forms", len(forms))
	}
	for _, f := range forms {
		got := told(c, f.text)
		if got != f.want && !(strings.ContainsRune("!?", rune(f.want[0])) && strings.HasPrefix(got, f.want)) {
			t.Errorf("%q: %s\nwant %s", f.text, got, f.want)
		}
	}
}

// TestZones reads the same in other zones, and at the edges of days.
func TestZones(t *testing.T) {
	for _, f := range []struct{ zone, now, text, want string }{
		{"UTC", "2026-03-05T12:30:45Z", "yesterday", "2026-03-04T00:00:00Z 2026-03-05T00:00:00Z day"},
		{"America/New_York", "2026-03-05T02:00:00Z", "today", "2026-03-04T05:00:00Z 2026-03-05T05:00:00Z day"},
		{"Asia/Tokyo", "2026-03-05T16:00:00Z", "today", "2026-03-05T15:00:00Z 2026-03-06T15:00:00Z day"},
		{"Asia/Tokyo", "2026-03-05T16:00:00Z", "yesterday UTC", "2026-03-04T00:00:00Z 2026-03-05T00:00:00Z day"},
		{"+05:30", "2026-03-05T12:00:00Z", "2026-03-03 18:00", "2026-03-03T12:30:00Z 2026-03-03T12:31:00Z minute"},
		{"Australia/Lord_Howe", "2026-12-01T00:00:00Z", "2026-10-04 02:15", "2026-10-03T15:30:00Z 2026-10-03T15:31:00Z minute; 2026-10-04 02:15 was shown by no clock in Australia/Lord_Howe, since they were set forward: 02:30 +11:00 is taken"},
		{"America/Sao_Paulo", "2026-03-05T12:00:00Z", "2018-11-04", "2018-11-04T03:00:00Z 2018-11-05T02:00:00Z day"}, // begins at 01:00
		{"America/Havana", "2026-03-05T12:00:00Z", "2025-11-02", "2025-11-02T04:00:00Z 2025-11-03T05:00:00Z day"},    // midnight is shown twice
		{"Pacific/Apia", "2026-03-05T12:00:00Z", "2011-12-30", "! there was no such day in Pacific/Apia"},
		{"Pacific/Apia", "2026-03-05T12:00:00Z", "2011-12-29", "2011-12-29T10:00:00Z 2011-12-30T10:00:00Z day"},
		{"Europe/Berlin", "2026-03-30T10:00:00Z", "1d", "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z day"},
		{"Europe/Berlin", "2026-03-31T10:00:00Z", "1 month ago", "2026-02-27T23:00:00Z 2026-02-28T23:00:00Z day"},
		{"Europe/Berlin", "2026-03-01T10:00:00Z", "last month", "2026-01-31T23:00:00Z 2026-02-28T23:00:00Z month"},
		{"Europe/Berlin", "2026-01-05T10:00:00Z", "last week", "2025-12-28T23:00:00Z 2026-01-04T23:00:00Z week"},
		{"Europe/Berlin", "2026-03-01T10:00:00Z", "last week", "2026-02-15T23:00:00Z 2026-02-22T23:00:00Z week"}, // on a Sunday
	} {
		now, err := time.Parse(time.RFC3339, f.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := told(when.Clock{Now: now, Zone: zone(t, f.zone)}, f.text); got != f.want {
			t.Errorf("%s, %q: %s\nwant %s", f.zone, f.text, got, f.want)
		}
	}
}

func TestZoneNames(t *testing.T) {
	for name, want := range map[string]string{"utc": "UTC", "Z": "UTC", "europe/berlin": "Europe/Berlin", "america/new_york": "America/New_York",
		"America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires", "+01:00": "+01:00", "-0530": "-05:30", "cet": "CET"} {
		if loc, err := when.Zone(name); err != nil || loc.String() != want {
			t.Errorf("%s: %v, %v, want %s", name, loc, err, want)
		}
	}
	for _, name := range []string{"", "local", "image", "Europe/Nowhere", "../etc/passwd", "/etc/localtime", "+1", "+19:00"} {
		if loc, err := when.Zone(name); err == nil {
			t.Errorf("%q is %v", name, loc)
		}
	}
}

func TestAssumed(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct {
		clock when.Clock
		text  string
		said  bool
	}{
		{when.Clock{Now: noon, Zone: berlin, Here: true}, "2026-03-03 18:00", true},
		{when.Clock{Now: noon, Zone: berlin, Here: true}, "2026-03-03 18:00Z", false},
		{when.Clock{Now: noon, Zone: berlin, Here: true}, "2h", false},
		{when.Clock{Now: noon, Zone: berlin}, "2026-03-03 18:00", false},
		{when.Clock{Now: noon, Zone: time.UTC, Here: true}, "2026-03-03 18:00", false},
	} {
		s, err := c.clock.Parse(c.text)
		if line := c.clock.Assumed(s); err != nil || c.said != strings.Contains(line, "local time here (Europe/Berlin)") || !c.said && line != "" {
			t.Errorf("%q: %q, %v", c.text, line, err)
		}
	}
}

func TestSince(t *testing.T) {
	c := when.Clock{Now: noon}
	for ago, want := range map[time.Duration]string{0: "now", time.Second: "1 second ago", 90 * time.Second: "90 seconds ago", 5 * time.Minute: "5 minutes ago", 119 * time.Minute: "119 minutes ago",
		36 * time.Hour: "36 hours ago", 72 * time.Hour: "3 days ago", 40 * 24 * time.Hour: "40 days ago", 100 * 24 * time.Hour: "3 months ago", 800 * 24 * time.Hour: "2 years ago", -3 * time.Hour: "in 3 hours"} {
		if got := c.Since(noon.Add(-ago)); got != want {
			t.Errorf("%v: %s, want %s", ago, got, want)
		}
	}
	if got := (when.Clock{Now: noon, Zone: zone(t, "Europe/Berlin")}).Since(noon.Add(-66 * time.Hour)); got != "3 days ago" { // Monday evening
		t.Error(got)
	}
	if got := c.Since(time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)); got != "425 years ago" {
		t.Error(got)
	}
}

func TestBack(t *testing.T) {
	c := when.Clock{Now: noon, Zone: zone(t, "Europe/Berlin")}
	for age, want := range map[string]time.Duration{"7d": 7 * 24 * time.Hour, "2 weeks": 14 * 24 * time.Hour, "2h": 2 * time.Hour, "30M": 30 * time.Minute} {
		if at, ok := c.Back(age); !ok || !at.Equal(noon.Add(-want)) {
			t.Errorf("%s: %v, %v", age, at, ok)
		}
	}
	for _, age := range []string{"", "7", "-7d", "yesterday", "999999y"} {
		if at, ok := c.Back(age); ok {
			t.Errorf("%q: %v", age, at)
		}
	}
}

// FuzzParse wants of whatever is read a span that is not empty, and that prints as a text which is read as the same.
func FuzzParse(f *testing.F) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana", "-05:30"}
	for i, form := range forms {
		f.Add(form.text, uint8(i), int64(i)*1e7)
	}
	f.Fuzz(func(t *testing.T, text string, at uint8, now int64) {
		c := when.Clock{Now: time.Unix(now%8e9, 0), Zone: zone(t, zones[int(at)%len(zones)])}
		s, err := c.Parse(text)
		if err != nil {
			if bad := (*when.Error)(nil); !errors.As(err, &bad) {
				t.Fatalf("%q: %T", text, err)
			}
			return
		}
		if !s.From.Before(s.To) {
			t.Fatalf("%q: %v to %v", text, s.From, s.To)
		}
		again, err := c.Parse(s.String())
		if err != nil || !again.From.Equal(s.From) || !again.To.Equal(s.To) || again.Unit != s.Unit {
			t.Fatalf("%q at %v: %v to %v prints as %s: %v to %v, %v", text, c.Now, s.From, s.To, s, again.From, again.To, err)
		}
	})
}
