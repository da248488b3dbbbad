package text

import (
	"time"

	"snapmount/imagefmt/wintype"
)

// Times that people read are in the zone of the output. One that is not UTC is told by its offset behind each time, which
// clocks that are changed do not leave the same in a list.
const (
	seconds  = "2006-01-02 15:04:05"
	offset   = " -07:00"
	sevenths = "2006-01-02 15:04:05.0000000"
)

// IsUTC reports whether times are shown in UTC.
func (o *Out) IsUTC() bool { return o.Zone == nil || o.Zone == time.UTC || o.Zone.String() == "UTC" }

// Time shows a time to the second.
func (o *Out) Time(t time.Time) string {
	if o.IsUTC() {
		return t.UTC().Format(seconds)
	}
	return t.In(o.Zone).Format(seconds + offset)
}

// TimeWidth is how many letters Time takes, for years of four digits.
func (o *Out) TimeWidth() int {
	if o.IsUTC() {
		return len(seconds)
	}
	return len(seconds + offset)
}

// Stamp is Time for a time as JSON has it. One that is none is shown as it is.
func (o *Out) Stamp(json string) string {
	if t, err := time.Parse(wintype.Layout7, json); err == nil {
		return o.Time(t)
	}
	return json
}

// FullStamp is Stamp with all seven digits; in UTC, it is what JSON has.
func (o *Out) FullStamp(json string) string {
	t, err := time.Parse(wintype.Layout7, json)
	if err != nil || o.IsUTC() {
		return json
	}
	return t.In(o.Zone).Format(sevenths + offset)
}
