package when

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// weekdays and months are known by their names, and by their first letters.
var (
	weekdays = regexp.MustCompile(`^(sun)(?:day)?$|^(mon)(?:day)?$|^(tue)s?(?:day)?$|^(wed)s?(?:nesday)?$|^(thu)r?s?(?:day)?$|^(fri)(?:day)?$|^(sat)(?:urday)?$`)
	months   = regexp.MustCompile(`^(jan)(?:uary)?$|^(feb)(?:ruary)?$|^(mar)(?:ch)?$|^(apr)(?:il)?$|^(may)$|^(june?)$|^(july?)$|^(aug)(?:ust)?$|^(sept?)(?:ember)?$|^(oct)(?:ober)?$|^(nov)(?:ember)?$|^(dec)(?:ember)?$`)
)

// which gives the number of the alternative that matches a word, from 0 on, or -1.
func which(form *regexp.Regexp, word string) int {
	for i, group := range form.FindStringSubmatch(word) {
		if i > 0 && group != "" {
			return i - 1
		}
	}
	return -1
}

// date reads what is left, when time of day and zone are cut off.
func (r *reading) date(s string) error {
	forms := []func(string) (bool, error){r.numeric, r.named, r.relative}
	first, rest, _ := strings.Cut(s, " ")
	said := which(weekdays, first)
	if said >= 0 && rest != "" {
		s, forms = rest, forms[:2]
	}
	for _, read := range forms {
		ok, err := read(s)
		switch day := time.Date(r.at.y, r.at.m, r.at.d, 0, 0, 0, 0, time.UTC); {
		case err != nil:
			return err
		case ok && said >= 0 && rest != "" && (r.unit < Day || day.Weekday() != time.Weekday(said)):
			return r.refuse(fmt.Sprintf("%s is a %s, not a %s", day.Format(time.DateOnly), day.Weekday(), time.Weekday(said)))
		case ok:
			return nil
		}
	}
	return r.unknown()
}

// set takes a date of a unit.
func (r *reading) set(y, m, d int, unit Unit) error {
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	switch {
	case y < firstYear || y > lastYear:
		return r.refuse(fmt.Sprintf("year %d: want %d to %d", y, firstYear, lastYear))
	case m < 1 || m > 12:
		return r.refuse(fmt.Sprintf("there is no month %d", m))
	case d < 1 || t.Day() != d:
		return r.refuse(fmt.Sprintf("there is no day %d in %s", d, time.Date(y, time.Month(m), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")))
	}
	r.at.y, r.at.m, r.at.d = y, time.Month(m), d
	if !r.timed || unit < Day {
		r.unit = unit
	}
	return nil
}

// relative reads words that count from today on.
func (r *reading) relative(s string) (bool, error) {
	today := r.now().In(r.loc)
	last, isLast := strings.CutPrefix(s, "last ")
	this, isThis := strings.CutPrefix(s, "this ")
	back, unit := 0, Day
	switch day := which(weekdays, strings.TrimPrefix(s, "last ")); {
	case day >= 0:
		back = int(today.Weekday()+7-time.Weekday(day)) % 7
		if back == 0 && isLast {
			back = 7
		}
	case s == "" && !r.timed:
		return false, nil
	case s == "" || s == "today":
	case s == "yesterday":
		back = 1
	case s == "day before yesterday", s == "the day before yesterday":
		back = 2
	case last == "week" && isLast:
		back, unit = 7+(int(today.Weekday())+6)%7, Week
	case this == "week" && isThis:
		back, unit = (int(today.Weekday())+6)%7, Week
	case last == "month" && isLast:
		today, unit = time.Date(today.Year(), today.Month()-1, 1, 0, 0, 0, 0, time.UTC), Month
	case this == "month" && isThis:
		today, unit = time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC), Month
	case last == "year" && isLast:
		today, unit = time.Date(today.Year()-1, 1, 1, 0, 0, 0, 0, time.UTC), Year
	case this == "year" && isThis:
		today, unit = time.Date(today.Year(), 1, 1, 0, 0, 0, 0, time.UTC), Year
	default:
		return false, nil
	}
	r.word = true
	y, m, d := time.Date(today.Year(), today.Month(), today.Day()-back, 0, 0, 0, 0, time.UTC).Date()
	return true, r.set(y, int(m), d, unit)
}

var (
	yearFirst = regexp.MustCompile(`^(\d{4})(?:([-/.])(\d{1,2})(?:([-/.])(\d{1,2}))?)?$`)
	digits8   = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$`)
	isoWeek   = regexp.MustCompile(`^(\d{4})-?w(\d{2})$`)
	yearLast  = regexp.MustCompile(`^(\d{1,2})([-/.])(\d{1,2})([-/.])(\d{4}|\d{2})$`)
)

func number(s string) int { n, _ := strconv.Atoi(s); return n } // of digits that fit, or empty

// numeric reads dates of digits.
func (r *reading) numeric(s string) (bool, error) {
	if m := yearFirst.FindStringSubmatch(s); m != nil && (m[4] == "" || m[2] == m[4]) {
		switch {
		case m[3] == "":
			return true, r.set(number(m[1]), 1, 1, Year)
		case m[5] == "":
			return true, r.set(number(m[1]), number(m[3]), 1, Month)
		}
		return true, r.set(number(m[1]), number(m[3]), number(m[5]), Day)
	}
	if m := digits8.FindStringSubmatch(s); m != nil {
		return true, r.set(number(m[1]), number(m[2]), number(m[3]), Day)
	}
	if m := isoWeek.FindStringSubmatch(s); m != nil {
		return true, r.week(number(m[1]), number(m[2]))
	}
	if m := yearLast.FindStringSubmatch(s); m != nil && m[2] == m[4] {
		return true, r.dayAndMonth(number(m[1]), number(m[3]), m[5], m[2])
	}
	return false, nil
}

// week takes a week of ISO 8601: the first of a year has its 4th of January.
func (r *reading) week(year, week int) error {
	fourth := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
	monday := fourth.AddDate(0, 0, 7*(week-1)-(int(fourth.Weekday())+6)%7)
	if y, w := monday.ISOWeek(); y != year || w != week {
		return r.refuse(fmt.Sprintf("there is no week %d in %d", week, year))
	}
	y, m, d := monday.Date()
	return r.set(y, int(m), d, Week)
}

// dayAndMonth reads dates with the year at their end. With points they begin with the day; else they do in some countries
// and in others not, so that only what can be read in one way is taken.
func (r *reading) dayAndMonth(a, b int, year, sep string) error {
	if len(year) == 2 {
		return r.refuse("write the year with four digits, as in 2026-03-04")
	}
	y := number(year)
	switch {
	case sep == "." || a == b || a > 12:
		return r.set(y, b, a, Day)
	case b > 12:
		return r.set(y, a, b, Day)
	}
	return r.refuse(fmt.Sprintf("is %04d-%02d-%02d where the day comes first and %04d-%02d-%02d where the month does: write one of these", y, b, a, y, a, b))
}

var (
	dayFirst   = regexp.MustCompile(`^(\d{1,2})(?:st|nd|rd|th)?[. -]{0,2}([a-z]{3,9})\.?(?:[ -]?(\d{4}))?$`)
	monthFirst = regexp.MustCompile(`^([a-z]{3,9})\.?(?:[ -](\d{1,2})(?:st|nd|rd|th)?)?(?:[ -](\d{4}))?$`)
	yearMonth  = regexp.MustCompile(`^(\d{4})[ -]([a-z]{3,9})(?:[ -](\d{1,2}))?$`)
)

// named reads dates with the name of a month. Without a year it is the last such day, or month, up to today.
func (r *reading) named(s string) (bool, error) {
	year, month, day := "", "", ""
	if m := dayFirst.FindStringSubmatch(s); m != nil {
		day, month, year = m[1], m[2], m[3]
	} else if m := monthFirst.FindStringSubmatch(s); m != nil {
		month, day, year = m[1], m[2], m[3]
	} else if m := yearMonth.FindStringSubmatch(s); m != nil {
		year, month, day = m[1], m[2], m[3]
	}
	at := which(months, month) + 1
	if at == 0 {
		return false, nil
	}
	unit, d := Day, number(day)
	if day == "" {
		unit, d = Month, 1
	}
	if year != "" {
		return true, r.set(number(year), at, d, unit)
	}
	r.word = true
	today := r.now().In(r.loc)
	y := today.Year()
	for time.Date(y, time.Month(at), d, 0, 0, 0, 0, r.loc).After(today) || d == 29 && at == 2 && time.Date(y, 2, 29, 0, 0, 0, 0, time.UTC).Day() != 29 {
		y--
	}
	return true, r.set(y, at, d, unit)
}
