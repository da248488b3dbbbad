package advice

import (
	"os"
	"slices"
	"strings"

	"snapmount/imagefmt/device"
)

// words are the arguments of a call without its flags, by their places.
type words struct {
	Call
	command string
	first   int   // of Args, the command; -1 without one
	at      []int // in Args, of what is behind the command
}

// read finds the words of a call.
func read(c Call) *words {
	w := &words{Call: c, first: -1}
	for i := 0; i < len(c.Args); i++ {
		switch a := c.Args[i]; {
		case a == "--":
			for i++; i < len(c.Args); i++ {
				w.at = append(w.at, i)
			}
		case len(a) > 1 && a[0] == '-':
			if c.Values != nil {
				i += c.Values(w.command, a)
			}
		case w.first < 0 && len(w.at) == 0 && slices.Contains(c.Commands, a):
			w.command, w.first = a, i
		default:
			w.at = append(w.at, i)
		}
	}
	return w
}

// word is one behind the command, or from the end on for a negative i; empty without one.
func (w *words) word(i int) string {
	if i < 0 {
		i += len(w.at)
	}
	if i < 0 || i >= len(w.at) {
		return ""
	}
	return w.Args[w.at[i]]
}

// all are the words behind the command.
func (w *words) all() (out []string) {
	for i := range w.at {
		out = append(out, w.word(i))
	}
	return out
}

// images are how many of the first words are images or LOCATIONs.
func (w *words) images() int {
	n := len(w.at)
	switch {
	case w.is("find", "restore") || w.mounts() && n > 1:
		return max(0, n-1)
	case w.is("undelete", "history", "verify", "scan", "attack", "diff", "export"):
		return min(n, 1)
	case w.is("umount", "help", "completion", "version", "mounts"):
		return 0
	}
	return n
}

// with is the line with another word for one, and without some.
func (w *words) with(i int, word string, without ...int) []string {
	var out []string
	for k, a := range w.Args {
		switch {
		case k == w.at[i]:
			out = append(out, word)
		case slices.ContainsFunc(without, func(d int) bool { return w.at[d] == k }):
		default:
			out = append(out, a)
		}
	}
	return out
}

// behind is the line with other words behind the command, and its flags.
func (w *words) behind(list ...string) []string {
	var flags, out []string
	for k, a := range w.Args {
		if k != w.first && !slices.Contains(w.at, k) {
			flags = append(flags, a)
		}
	}
	if w.command != "" {
		out = append(out, w.command)
	}
	return slices.Concat(out, flags, list)
}

// one is a hint with one line.
func one(why string, line []string) *Hint { return &Hint{Why: why, Lines: [][]string{line}} }

// joined puts a part of a location behind the rest.
func joined(location, part string) string {
	switch {
	case strings.HasPrefix(part, "@"), strings.HasPrefix(part, ":"):
		return location + part
	case isPoint(part):
		return withPoint(location, part)
	case hasSlash(location[len(imageOf(location)):]):
		return location + "/" + strings.TrimLeft(part, slashes)
	}
	return location + ":" + part
}

// withPoint puts a point into a location, before its path.
func withPoint(location, point string) string {
	image := imageOf(location)
	rest, point := location[len(image):], "@"+strings.TrimPrefix(point, "@")
	end := len(rest)
	if i := strings.IndexAny(rest, slashes); i >= 0 {
		end = strings.LastIndexByte(rest[:i], ':')
	}
	if end < 0 {
		end = len(rest)
	}
	return image + rest[:end] + point + rest[end:]
}

// imageOf is the start of a word that is there, up to a colon or an at sign; or all of it.
func imageOf(word string) string {
	for end := len(word); end > 0; end-- {
		if (end == len(word) || word[end] == ':' || word[end] == '@') && exists(word[:end]) {
			return word[:end]
		}
	}
	return word
}

// there reports whether a word begins with a file of this machine.
func there(word string) bool { return isFile(imageOf(word)) }

func exists(name string) bool { return device.Exists(name) }

func isFile(name string) bool {
	info, err := device.Stat(name)
	return err == nil && !info.IsDir()
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
