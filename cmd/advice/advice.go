// Package advice guesses what a command line that failed was meant to be: by its words alone, and by which of them are files
// of this machine. It opens nothing.
//
//	advice.go   calls, hints, and the order in which guesses are tried
//	words.go    a call's words, and lines with other ones
//	flags.go    flags that there are not, most of them of other programs
//	order.go    words in the wrong place, and words that are missing
//	spelling.go blanks, quotes and colons where none belong; names of points
//	secrets.go  what opens encrypted volumes, in the wrong place
//	files.go    images that are not there
//	command.go  first words that are no command
package advice

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/selection"
)

// A Call is a command line that failed.
type Call struct {
	Commands []string // the words that name a command
	Args     []string
	Err      error

	// Unknown is the flag that there is not, without dashes, and Among the letters behind one dash that it is one of; both
	// are empty where that is not what failed.
	Unknown, Among string
	Needs          string // the flag that has no value, which is what failed
	// Values tells how many words behind one that begins with a dash are its value, for a command; Flags gives the
	// long names of those that the command has.
	Values func(command, flag string) int
	Flags  func(command string) []string
}

// A Hint is a guess: what is the matter, and what to type instead, as the arguments of one call or of several.
type Hint struct {
	Why   string
	Lines [][]string
	Sure  bool // whatever the error is
}

// Of gives the guess for a call that is most likely; nil where there is none, or the error is not one of the words.
func Of(c Call) *Hint {
	w := read(c)
	if c.Unknown != "" {
		return w.flag()
	}
	if c.Needs != "" {
		return w.needs()
	}
	if h := w.grouped(); h != nil || !w.ofWords() {
		return h
	}
	for _, guess := range []func() *Hint{
		w.empty, w.secret, w.topic, w.packed, w.untidy, w.url, w.served, w.compared, w.swapped, w.apart, w.patterns, w.lostColon, w.expanded, w.missing, w.whole,
		w.command1, w.elsewhere, w.unknown, w.folder, w.pointName, w.directory, w.between, w.place,
	} {
		if h := guess(); h != nil {
			return h
		}
	}
	return nil
}

// ofWords reports whether the error may come of the words.
func (w *words) ofWords() bool {
	var usage selection.UsageError
	var several *points.SeveralError
	var point *points.NoPointError
	return errors.As(w.Err, &usage) || errors.As(w.Err, &several) || errors.As(w.Err, &point) ||
		slices.ContainsFunc([]error{fs.ErrNotExist, layer.ErrFormat, syscall.EISDIR}, func(e error) bool { return errors.Is(w.Err, e) })
}

// usage reports whether the mistake was known before anything was opened.
func (w *words) usage() bool {
	var usage selection.UsageError
	return errors.As(w.Err, &usage)
}

// located are the commands whose words are LOCATIONs, and nothing else.
var located = []string{"ls", "cat", "stat", "history", "explain"}

// is reports whether the command is one of some.
func (w *words) is(names ...string) bool { return slices.Contains(names, w.command) }

// mounts reports whether the last word is a directory to mount on.
func (w *words) mounts() bool { return w.is("", "mount") }

// slashes are what parts names.
const slashes = `/\`

func hasSlash(word string) bool { return strings.ContainsAny(word, slashes) }
