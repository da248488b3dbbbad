package wintype

import "time"

// Filetime is a Windows time: 100 ns ticks since 1601-01-01 UTC. Zero is how Windows writes "never".
type Filetime int64

const (
	ticksPerSecond = 10_000_000
	// secondsTo1970 is the time from 1601-01-01 to 1970-01-01: 369 years, 89 of them leap years.
	secondsTo1970 = (369*365 + 89) * 86400
)

// Layout7 is RFC 3339 in UTC with the seven digits that a Filetime has.
const Layout7 = "2006-01-02T15:04:05.0000000Z07:00"

// Time converts without loss, for all ticks from year 1601 to 30828.
func (t Filetime) Time() time.Time {
	sec, ticks := int64(t)/ticksPerSecond, int64(t)%ticksPerSecond
	return time.Unix(sec-secondsTo1970, ticks*100).UTC()
}

// String gives RFC 3339 with seven digits, in UTC.
func (t Filetime) String() string { return t.Time().Format(Layout7) }

// FiletimeOf converts a time; what is finer than 100 ns is cut.
func FiletimeOf(t time.Time) Filetime {
	return Filetime((t.Unix()+secondsTo1970)*ticksPerSecond + int64(t.Nanosecond()/100))
}
