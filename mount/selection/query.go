package selection

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/when"
	"snapmount/ntfs"
	"snapmount/ntfs/content"
	"snapmount/ntfs/pattern"
	"snapmount/ntfs/timeline"
)

// Query is a search in the words of the user. What is empty does not count.
type Query struct {
	Pattern string
	Regexp  bool // Pattern is a regular expression
	Exact   bool // case matters, in Pattern and Content

	Size     string // 500 or =500, +10M, -1k
	Modified string // A..B of times as package when has them, one of them, or an age: -7d, +2w
	Created  string // likewise
	Kinds    string // of f, d and l, by commas
	Attr     string // words, by commas
	Owner    string // a SID

	Content  string // a regular expression
	State    string // a word of package content
	Encoding string // of what Content looks for: utf-8, utf-16 or both

	Streams, Deleted, System, Versions bool // as in timeline.Query

	Clock when.Clock // what times are read against
}

// NameOnly reports whether the pattern alone says what is looked for, as restore has it too.
func (w *Query) NameOnly() bool {
	return w.Size+w.Modified+w.Created+w.Kinds+w.Attr+w.Owner+w.Content+w.State == "" && !w.Regexp && !w.Exact && !w.Streams && !w.Deleted && !w.System
}

// Path is the pattern as the path of a LOCATION, where names alone are those in the root.
func (w *Query) Path() string {
	if strings.ContainsAny(strings.TrimRight(w.Pattern, `/\`), `/\`) { // one at the end means directories
		return "/" + strings.TrimLeft(w.Pattern, `/\`)
	}
	return "/**/" + w.Pattern
}

// WholeName reports whether the pattern is one that no part of a name matches, although it looks like a part.
func (w *Query) WholeName() bool {
	return !w.Regexp && w.Pattern != "" && !strings.ContainsAny(w.Pattern, `*?[/\`)
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
	q.Modified, err = w.timeRange(w.Modified)
	note("mtime", err)
	q.Created, err = w.timeRange(w.Created)
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
	if w.State != "" {
		state, ok := content.ParseState(w.State)
		if q.State = &state; !ok {
			note("state", fmt.Errorf("%q: want whole, open, recoverable, incomplete, torn, spoiled, undecided or unknown", w.State))
		}
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

// timeRange reads A..B of times, one of them, or an age as -7d or +2w; nil for nothing.
func (w *Query) timeRange(text string) (*timeline.Range[wintype.Filetime], error) {
	if text == "" {
		return nil, nil
	}
	r := &timeline.Range[wintype.Filetime]{Max: math.MaxInt64}
	if text[0] == '-' || text[0] == '+' {
		at, ok := w.Clock.Back(text[1:])
		if !ok {
			return nil, fmt.Errorf("%q: want a number of m, h, d, w, mo or y, such as -7d", text)
		}
		if r.Min = wintype.FiletimeOf(at); text[0] == '+' {
			r.Min, r.Max = 0, r.Min
		}
		return r, nil
	}
	ends := strings.SplitN(text, "..", 2)
	for i, end := range ends {
		if end == "" {
			continue
		}
		s, err := readTime(w.Clock, end)
		switch {
		case err != nil:
			return nil, err
		case s.Ago && len(ends) == 1:
			return nil, fmt.Errorf("%q is a moment: want -%[1]s for since then, or +%[1]s for before", text)
		}
		if i == 0 {
			r.Min = wintype.FiletimeOf(s.From)
		}
		if i == len(ends)-1 {
			r.Max = wintype.FiletimeOf(s.To) - 1
		}
	}
	if r.Max < r.Min {
		return nil, fmt.Errorf("%q: ends before it begins", text)
	}
	return r, nil
}

// readTime reads a time. Its zone matters where it is a date, or has a time of day.
func readTime(c when.Clock, text string) (when.Span, error) {
	s, err := c.Parse(text)
	if err == nil {
		c.Tell(s, !s.Word || s.Unit >= when.Hour)
	}
	return s, err
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
