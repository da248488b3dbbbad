package cmd

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/timeline"
)

// sizeRange reads =500, +10M or -1k; nil for nothing.
func sizeRange(text string) (*timeline.Range[int64], error) {
	if text == "" {
		return nil, nil
	}
	var n byteSize
	digits := strings.TrimLeft(text, "+-=")
	if digits != "0" {
		if err := n.Set(digits); err != nil || len(text)-len(digits) > 1 {
			return nil, fmt.Errorf("%q: want 500, =500, +10M or -1k", text)
		}
	}
	r := &timeline.Range[int64]{Min: int64(n), Max: int64(n)}
	switch text[0] {
	case '+':
		r.Max = math.MaxInt64
	case '-':
		r.Min = 0
	}
	return r, nil
}

// timeRange reads A..B of UTC times, a day, or an age as -7d or +2w; nil for nothing.
func timeRange(text string) (*timeline.Range[wintype.Filetime], error) {
	if text == "" {
		return nil, nil
	}
	r := &timeline.Range[wintype.Filetime]{Max: math.MaxInt64}
	if text[0] == '-' || text[0] == '+' {
		at, err := ageOf(text[1:])
		if text[0] == '-' {
			r.Min = at
		} else {
			r.Max = at
		}
		return r, err
	}
	from, to, between := strings.Cut(text, "..")
	if !between {
		to = from
	}
	if from != "" {
		at, _, err := spanOf(from)
		if err != nil {
			return nil, err
		}
		r.Min = at
	}
	if to != "" {
		_, end, err := spanOf(to)
		if err != nil {
			return nil, err
		}
		r.Max = end - 1
	}
	return r, nil
}

// ageOf gives the time that lies that long before now.
func ageOf(text string) (wintype.Filetime, error) {
	units := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	const most = 100_000 // of any unit, which fits in a time.Duration
	if n := len(text) - 1; n > 0 {
		count, err := strconv.ParseUint(text[:n], 10, 32)
		if unit := units[text[n:]]; err == nil && unit > 0 && count <= 15_000 || err == nil && unit > 0 && unit < time.Hour*24 && count <= most {
			return wintype.FiletimeOf(time.Now().Add(-time.Duration(count) * unit)), nil
		}
	}
	return 0, fmt.Errorf("%q: want a number of m, h, d or w, such as -7d", text)
}

// spanOf reads a UTC time, and gives the start of what it stands for and the end, which is not part of it.
func spanOf(text string) (from, to wintype.Filetime, err error) {
	for _, l := range []struct {
		layout string
		length time.Duration
	}{{"2006-01-02", 24 * time.Hour}, {"2006-01-02T15:04Z", time.Minute}, {"2006-01-02T15:04:05Z", time.Second}} {
		if t, err := time.Parse(l.layout, text); err == nil {
			return wintype.FiletimeOf(t), wintype.FiletimeOf(t.Add(l.length)), nil
		}
	}
	return 0, 0, fmt.Errorf("time %q: want 2026-11-03, 2026-11-03T14:22Z or 2026-11-03T14:22:05Z (UTC)", text)
}

func kindsOf(text string) (list []ntfs.Kind, err error) {
	for _, word := range words(text) {
		k, ok := map[string]ntfs.Kind{"f": ntfs.KindFile, "d": ntfs.KindDir, "l": ntfs.KindSymlink}[word]
		if !ok {
			return nil, fmt.Errorf("%q: want f, d or l", word)
		}
		list = append(list, k)
	}
	return list, nil
}

// attrOf reads attributes by the words that stat shows them with.
func attrOf(text string) (ntfs.FileAttr, error) {
	var all ntfs.FileAttr
	for _, word := range words(text) {
		a, ok := attrNamed(word)
		if !ok {
			return 0, fmt.Errorf("%q: want one of %s", word, strings.Join(ntfs.FileAttr(math.MaxUint32).Words(), ", "))
		}
		all |= a
	}
	return all, nil
}

func attrNamed(word string) (ntfs.FileAttr, bool) {
	for bit := range 32 {
		if a := ntfs.FileAttr(1) << bit; len(a.Words()) == 1 && a.Words()[0] == strings.ToLower(word) {
			return a, true
		}
	}
	return 0, false
}

func words(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
