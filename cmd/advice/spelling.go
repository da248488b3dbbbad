package advice

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"snapmount/mount/points"
	"snapmount/mount/selection"
)

// blanks are what copying leaves around a word: blanks, and quotes of word processors too.
const blanks = " \t\r\n\"'`“”„‘’«»"

var (
	blankParts = regexp.MustCompile(`[ \t]*([:@])[ \t]*`)
	twoColons  = regexp.MustCompile(`::+`)
	twoAts     = regexp.MustCompile(`:?@+`)
)

// empty is a word without letters.
func (w *words) empty() *Hint {
	for _, a := range w.all() {
		if strings.TrimSpace(a) == "" {
			return &Hint{Why: "a word is empty: perhaps a variable of the shell is not set"}
		}
	}
	return nil
}

// packed is a whole command line in one word.
func (w *words) packed() *Hint {
	if w.first >= 0 || len(w.at) != 1 || exists(w.word(0)) {
		return nil
	}
	parts := strings.Fields(w.word(0))
	if len(parts) < 2 || strings.Trim(parts[0], slashes) == "" || w.nearest(parts[0], 0) == "" {
		return nil
	}
	return one("the quotes make one word of it:", parts)
}

// untidy are locations with blanks, quotes or colons where none belong.
func (w *words) untidy() *Hint {
	args, changed := slices.Clone(w.Args), false
	for i, at := range w.at {
		if word, ok := tidied(w.word(i)); ok && (i < w.images() || there(w.word(i))) {
			args[at], changed = word, true
		}
	}
	if !changed {
		return nil
	}
	return one("without what is not of the name:", args)
}

// tidied is a location without what does not belong there; ok is false if that is none, or names no image.
func tidied(given string) (word string, ok bool) {
	word = strings.Trim(given, blanks)
	if there(given) {
		word = strings.TrimLeft(given, blanks)
	}
	image := imageOf(word)
	head, tail := word[len(image):], ""
	if k := strings.IndexAny(head, slashes); k >= 0 {
		head, tail = head[:k], head[k:]
	}
	head = twoAts.ReplaceAllString(twoColons.ReplaceAllString(blankParts.ReplaceAllString(head, "$1"), ":"), "@")
	word = image + head + tail
	return word, isFile(image) && word != given && !strings.HasSuffix(given, "::$DATA")
}

// pointWords are the words for points that are written out.
var pointWords = []string{"latest", "oldest", "current", "yesterday", "today", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

var pointForms = regexp.MustCompile(`^(?i:vss[0-9]+|[0-9]{4}-[0-9-]+([T ].*)?|[0-9]{8}|[0-9]+(d|w|mo|h|y))$`)

// isPoint reports whether a word can be that of a point, and is no path.
func isPoint(word string) bool {
	for _, p := range pointWords {
		if strings.EqualFold(word, p) {
			return true
		}
	}
	return pointForms.MatchString(word)
}

// pointName is one that is spelt nearly as a point is.
func (w *words) pointName() *Hint {
	var none *points.NoPointError
	if !errors.As(w.Err, &none) {
		return nil
	}
	for i := range w.at {
		word := w.word(i)
		image := imageOf(word)
		before, point, ok := strings.Cut(word[min(len(image), len(word)):], "@")
		if !exists(image) && strings.HasPrefix(word, "@") {
			image, before, point, ok = "", "", word[1:], true
		}
		if !ok {
			continue
		}
		point, after, colon := strings.Cut(point, ":")
		if best := nearestOf(point, pointWords, 2); best != "" && !strings.EqualFold(best, point) {
			if colon {
				after = ":" + after
			}
			return one("did you mean:", w.with(i, image+before+"@"+best+after))
		}
	}
	return nil
}

// nearestOf is the one of some names that a word is spelt most nearly as, by at most so many letters; empty for none.
func nearestOf(word string, names []string, most int) (best string) {
	for _, name := range names {
		if d := selection.Distance(strings.ToLower(word), name, most); d <= most && d <= len(name)/2 {
			best, most = name, d-1
		}
	}
	return best
}
