package selection

import (
	"testing"
	"time"

	"snapmount/imagefmt/wintype"
)

func TestTimeRange(t *testing.T) {
	day := wintype.FiletimeOf(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	const long = 24 * 3600 * 10_000_000
	for text, want := range map[string][2]wintype.Filetime{"2026-03-02": {day, day + long - 1}, "2026-03-02..": {day, 1<<63 - 1}, "..2026-03-02": {0, day + long - 1},
		"2026-03-02T00:01Z..2026-03-02T00:01:00Z": {day + 600_000_000, day + 610_000_000 - 1}} {
		if r, err := timeRange(text); err != nil || r.Min != want[0] || r.Max != want[1] {
			t.Errorf("%s: %+v, want %v, %v", text, r, want, err)
		}
	}
	now := wintype.FiletimeOf(time.Now())
	for text, want := range map[string]wintype.Filetime{"-7d": now - 7*long, "+2h": now - 2*long/24} {
		r, err := timeRange(text)
		if err != nil {
			t.Fatal(err)
		}
		at := r.Max
		if text[0] == '-' {
			at = r.Min
		}
		if at-want < -long/24 || at-want > long/24 {
			t.Errorf("%s: %+v, want %v", text, r, want)
		}
	}
}
