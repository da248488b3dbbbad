package selection

import (
	"math"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/when"
)

func TestTimeRange(t *testing.T) {
	now := time.Date(2026, 3, 5, 12, 30, 45, 0, time.UTC)
	berlin, err := when.Zone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	q := &Query{Clock: when.Clock{Now: now, Zone: berlin, Here: true, Note: func(line string) { said = append(said, line) }}}
	const long = 24 * 3600 * 10_000_000
	day := wintype.FiletimeOf(time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)) // begins in Berlin
	utc := day + long/24
	at := wintype.FiletimeOf(now)
	for text, want := range map[string]struct {
		min, max wintype.Filetime
		said     int
	}{
		"2026-03-02": {day, day + long - 1, 1}, "2026-03-02..": {day, math.MaxInt64, 1}, "..2026-03-02": {0, day + long - 1, 1},
		"2026-03-02Z": {utc, utc + long - 1, 0},
		"2026-03-02T00:01Z..2026-03-02T00:01:00Z": {utc + 600_000_000, utc + 610_000_000 - 1, 0},
		"yesterday": {day + 2*long, day + 3*long - 1, 0}, "yesterday 18:00..": {day + 2*long + 18*long/24, math.MaxInt64, 1},
		"3d": {day, day + long - 1, 0}, "monday..tuesday": {day, day + 2*long - 1, 0}, "2h..1h": {at - at%600_000_000 - 2*long/24, at - at%600_000_000 - long/24 + 600_000_000 - 1, 0},
		"-7d": {at - 7*long, math.MaxInt64, 0}, "+2h": {0, at - 2*long/24, 0}, "-2 weeks": {at - 14*long, math.MaxInt64, 0},
	} {
		said = nil
		if r, err := q.timeRange(text); err != nil || r.Min != want.min || r.Max != want.max || len(said) != want.said {
			t.Errorf("%s: %+v, want %v, %v, %q", text, r, want, err, said)
		}
	}
	for text, want := range map[string]string{"2h": "want -2h for since then, or +2h for before", "-7": "want a number of m, h", "+x": "want a number of m, h",
		"03/04/2026": "where the day comes first", "soon..": "want a time such as", "2026-03-05..2026-03-02": "ends before it begins"} {
		if r, err := q.timeRange(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %s", text, r, err, want)
		}
	}
}
