package cmd

import "github.com/spf13/cobra"

const timesText = `Times, as POINT in a LOCATION and for --newer, --older, --as-of, --mtime,
--btime and --changed-since. Upper and lower case do not matter. Quote what has
spaces.

  2026-03-03  2026-3-3  2026/03/03  20260303        a day
  3 Mar 2026  March 3, 2026  3.3.2026               the same day
  3 March  march  monday  last tuesday              the last one; today counts,
                                                    but not for "last tuesday"
  today  yesterday  3d  2 days ago  2w  1 mo ago    a day, counted from today
  2026  2026-03  2026-W10                           a year, a month, a week
  this week  last week  last month  last year       the same
  2026-03-03 18:00  2026-03-03T18:00:05             a minute, a second
  20260303T1800  3 Mar 2026 6pm  yesterday 18:00    with any day
  18:00                                             today
  2h ago  90 min  now                               a moment
  2026-03-03T18:00Z  ... 18:00 +01:00  ... +0100    with its zone
  Tue, 03 Mar 2026 18:00:05 GMT                     as in mail

03/04/2026 is refused: it is a day in March to some and in April to others.

A POINT that is a time is the newest snapshot within it: of that day, month or
minute. If there is none it is an error, which lists those that there are and
marks the nearest. Of a moment (2h ago) it is the newest up to then. before:TIME
is the newest before TIME begins. Other POINTs are current (or now), latest
(newest, last), oldest (first), a number (2 or vss2), and the id of a shadow
copy, its set or store, or the start of one. What may be a date or an id, as
20260303, is a date if there is a point of that day, or no such id.

  --as-of TIME       up to its end      --newer TIME    from its start on
  --older TIME       before its start   --mtime TIME    within
  --mtime A..B       from the start of A to the end of B; A or B may be left out
  --mtime -7d, +7d   since 7 times 24 hours ago, or before

Zones. A time without a zone is in that of --tz; without --tz, in the zone of
this machine (TZ), which is said where it matters. Where clocks are set back and
show a time twice, the first is taken; where they are set forward past it, the
moment when they are. Both are said.

Times are shown in the same zone on a terminal, with the offset behind them if
it is not UTC; in UTC in files and pipes, but for --tz. JSON, timelines,
receipts and names in a mount are always in UTC.

  --tz local         the zone of this machine
  --tz utc           or Z
  --tz Europe/Berlin any zone of the tz database; +01:00 for a fixed offset`

const timesExample = `  snapmount ls 'disk.vhd@yesterday:/Users'
  snapmount cat 'disk.vhd@2026-03-03 18:00:/Users/ann/report.txt'
  snapmount restore --as-of '3 Mar 2026 18:00 +01:00' disk.vhd:/Users/ann found
  snapmount find --tz utc --mtime 2026-03-02..2026-03-04 disk.vhd '*.docx'`

// newTimes is a topic of help.
func newTimes() *cobra.Command {
	return &cobra.Command{Use: "times", Short: "How to write times and points in time", Long: timesText, Example: timesExample}
}
