package selection

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/pattern"
	"snapmount/ntfs/timeline"
)

// Query is a search in the words of the user. What is empty does not count.
type Query struct {
	Pattern string
	Regexp  bool // Pattern is a regular expression
	Exact   bool // case matters, in Pattern and Content

	Size     string // 500 or =500, +10M, -1k
	Modified string // A..B of UTC times or days, or an age: -7d, +2w
	Created  string // likewise
	Kinds    string // of f, d and l, by commas
	Attr     string // words, by commas
	Owner    string // a SID

	Content  string // a regular expression
	Encoding string // of what Content looks for: utf-8, utf-16 or both

	Streams, Deleted, System, Versions bool // as in timeline.Query
}

// Compile makes the query for a volume whose case table is fold; nil tells no more than whether it can be made. Its errors
// are UsageErrors.
func (w *Query) Compile(fold func(string) string) (q timeline.Query, err error) {
	q = timeline.Query{Owner: w.Owner, Streams: w.Streams, Deleted: w.Deleted, System: w.System, Versions: w.Versions}
	var errs []error
	note := func(flag string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
	}
	q.Name, err = w.name(fold)
	errs = append(errs, err)
	q.Size, err = sizeRange(w.Size)
	note("size", err)
	q.Modified, err = timeRange(w.Modified)
	note("mtime", err)
	q.Created, err = timeRange(w.Created)
	note("btime", err)
	q.Kinds, err = kindsOf(w.Kinds)
	note("type", err)
	q.Attr, err = attrOf(w.Attr)
	note("attr", err)
	if w.Encoding != "utf-8" && w.Encoding != "utf-16" && w.Encoding != "both" {
		note("encoding", fmt.Errorf("%q: want utf-8, utf-16 or both", w.Encoding))
	}
	if w.Content != "" {
		q.Content, err = timeline.NewContent(w.Content, w.Exact, w.Encoding != "utf-16", w.Encoding != "utf-8")
		note("content", err)
	}
	if err := errors.Join(errs...); err != nil {
		return q, UsageError{err}
	}
	return q, nil
}

func (w *Query) name(fold func(string) string) (*pattern.Pattern, error) {
	switch {
	case w.Regexp:
		return pattern.Regexp(w.Pattern, w.Exact)
	case w.Exact:
		fold = nil
	}
	return pattern.Glob(w.Pattern, fold)
}

// ParseSize reads a number of bytes, or one with K, M, G or T (of 1024) behind it.
func ParseSize(text string) (int64, error) {
	digits := strings.TrimRight(text, "KMGTkmgt")
	n, err := strconv.ParseUint(digits, 10, 63)
	shift := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
	by, ok := shift[strings.ToUpper(text[len(digits):])]
	if err != nil || !ok || n == 0 || n > math.MaxInt64>>by {
		return 0, errors.New("want a number of bytes, such as 500000, 64M or 1G")
	}
	return int64(n << by), nil
}

// sizeRange reads =500, +10M or -1k; nil for nothing.
func sizeRange(text string) (*timeline.Range[int64], error) {
	if text == "" {
		return nil, nil
	}
	n, digits := int64(0), strings.TrimLeft(text, "+-=")
	if digits != "0" {
		var err error
		if n, err = ParseSize(digits); err != nil || len(text)-len(digits) > 1 {
			return nil, fmt.Errorf("%q: want 500, =500, +10M or -1k", text)
		}
	}
	r := &timeline.Range[int64]{Min: n, Max: n}
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
