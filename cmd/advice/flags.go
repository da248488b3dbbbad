package advice

import (
	"cmp"
	"slices"
	"strings"

	"snapmount/mount/selection"
)

// What flags of other programs are for.
const (
	isPointFlag  = iota + 1 // a point: that is in the LOCATION
	isDestFlag              // where to: the last word
	isNameFlag              // what to look for: the last word
	isNeedless              // what is so anyhow
	isSecretFlag            // a secret itself, which is not for a command line
	isKeyFlag               // another flag, with the same value
)

// foreign are flags of other programs, for all commands that have none of the name, or for one.
var foreign = map[string]struct {
	kind    int
	command []string // that it is for; none for all
	why     string
}{
	"recursive": {isNeedless, []string{"restore", "undelete", "find", "history", "diff"}, "what is below a directory comes without a flag:"},
	"archive":   {isNeedless, []string{"restore", "undelete"}, "times and attributes come without a flag:"},
	"preserve":  {isNeedless, []string{"restore", "undelete"}, "times and attributes come without a flag:"},
	"all":       {isNeedless, []string{"ls"}, "no name is left out but NTFS's own ($MFT), which --system shows:"},
	"sort":      {isNeedless, []string{"ls"}, "names are sorted:"},
	"time":      {isPointFlag, nil, ""},
	"verbose":   {isNeedless, nil, "there is nothing more to tell:"},
	"quiet":     {isNeedless, nil, "there is nothing to leave out:"},
	"yes":       {isNeedless, nil, "nothing is asked:"},
	"name":      {isNameFlag, []string{"find"}, "the pattern is the last word, and case does not matter:"},
	"point":     {isPointFlag, nil, ""},
	"output":    {isDestFlag, []string{"restore", "undelete"}, ""},
	"password":  {isSecretFlag, nil, "command lines are for everybody to see: a password is asked for on a terminal, or it is the first line of a file:"},
	"pin":       {isSecretFlag, nil, "a PIN is for the TPM of its own computer, and opens no image; a recovery password does, from a file:"},

	"recovery-key": {isKeyFlag, nil, "a recovery password is given with:"},
	"key-file":     {isKeyFlag, nil, "a file of keys is given with:"},
}

// instead are flags for what those of other programs give.
var instead = map[string]string{"password": "--password-file", "pin": "--key-file", "recovery-key": "--recovery-key", "key-file": "--key-file"}

// likewise are other words, and letters, for these flags.
var likewise = map[string]string{"r": "recursive", "R": "recursive", "recurse": "recursive", "a": "archive", "p": "preserve", "A": "all", "t": "sort", "S": "sort",
	"v": "verbose", "q": "quiet", "y": "yes", "iname": "name", "at": "point", "date": "point", "snapshot": "point", "vss": "point", "when": "point",
	"timestamp": "point", "shadow": "point", "as-of": "point", "T": "point", "o": "output", "out": "output", "dest": "output", "destination": "output", "target": "output",
	"outdir": "output", "directory": "output", "d": "output", "C": "output", "to": "output", "i": "recursive", "ignore-case": "recursive",
	"passphrase": "password", "pass": "password", "user-password": "password", "pw": "password", "pwd": "password", "passwd": "password", "passcode": "password", "recovery": "recovery-key", "recovery-password": "recovery-key",
	"bek": "key-file", "bekfile": "key-file", "startup-key": "key-file", "key": "key-file", "keys": "key-file", "vmk": "key-file", "fvek": "key-file"}

// listening are words of other servers for --listen.
var listening = []string{"port", "p", "P", "host", "H", "bind", "b", "addr", "address", "a", "l", "http"}

// flag is about one that there is not.
func (w *words) flag() *Hint {
	name, at := w.Unknown, w.flagAt()
	if at < 0 {
		return nil
	}
	given := w.Args[at]
	if w.Among != "" && len(strings.TrimLeft(given, "-")) > 2 && (w.meaning(given[1:]) != 0 || slices.Contains(w.Flags(w.command), given[1:])) {
		name = given[1:] // a long one with one dash, as others have them
	}
	if slices.Contains(w.Commands, name) && w.command == "" {
		return one("a command has no dashes:", replacedAt(w.Args, at, 1, name))
	}
	if slices.Contains(w.Flags(w.command), name) {
		return one("two dashes:", replacedAt(w.Args, at, 1, "--"+name))
	}
	if name == "f" || name == "force" || name == "y" && w.command == "restore" {
		if slices.Contains(w.Flags(w.command), "overwrite") {
			return one("what is there already is replaced with:", replacedAt(w.Args, at, 1, "--overwrite=always"))
		}
	}
	if slices.Contains([]string{"v", "verbose"}, name) && len(w.at) == 0 {
		return one("did you mean:", []string{"--version"})
	}
	if near := nearestOf(name, []string{"point", "snapshot", "output", "recursive", "password", "passphrase"}, 1); near != "" && w.nearFlag(name) == "" {
		name = near
	}
	if w.is("serve") && slices.Contains(listening, name) {
		word := "--listen"
		if _, value, ok := strings.Cut(given, "="); ok {
			word += "=" + value
		}
		return one("where to listen is HOST:PORT, HOST or PORT:", replacedAt(w.Args, at, 1, word))
	}
	if h := w.foreignFlag(name, at); h != nil {
		return h
	}
	if near := w.nearFlag(name); near != "" && w.Among == "" {
		_, value, ok := strings.Cut(given, "=")
		if near = "--" + near; ok {
			near += "=" + value
		}
		return one("did you mean:", replacedAt(w.Args, at, 1, near))
	}
	line := []string{"--help-all"}
	if w.command != "" {
		line = []string{w.command, "--help-all"}
	}
	return one("all flags there are:", line)
}

// flagAt is the place of the unknown flag in Args, or -1.
func (w *words) flagAt() int {
	return slices.IndexFunc(w.Args, func(a string) bool {
		if w.Among != "" {
			return len(a) > 1 && a[0] == '-' && a[1] != '-' && strings.HasSuffix(a, w.Among)
		}
		return a == "--"+w.Unknown || strings.HasPrefix(a, "--"+w.Unknown+"=")
	})
}

// meaning is the kind of a flag of another program; 0 for none.
func (w *words) meaning(name string) int {
	f := foreign[w.alike(name)]
	if len(f.command) > 0 && !slices.Contains(f.command, w.command) {
		return 0
	}
	return f.kind
}

// foreignFlag is about one of another program.
func (w *words) foreignFlag(name string, at int) *Hint {
	kind := w.meaning(name)
	value, n := "", 1
	if _, v, ok := strings.Cut(w.Args[at], "="); ok {
		value = v
	} else if kind != isNeedless && at+1 < len(w.Args) && len(w.Among) <= len(name) {
		value, n = w.Args[at+1], 2
	}
	short := *w // without the flag
	short.Call.Args, short.Unknown = replacedAt(w.Args, at, n), ""
	if w.Among != "" && n == 1 && kind == isNeedless { // others are in the word
		if rest := strings.Replace(w.Args[at], name, "", 1); rest != "-" && len(name) == 1 {
			short.Call.Args = replacedAt(w.Args, at, 1, rest)
		}
	}
	without := read(short.Call)
	switch {
	case kind == isNeedless:
		return one(w.whyNot(name), short.Args)
	case kind == isSecretFlag, kind == isKeyFlag:
		return w.secretFlag(name, value, at, n)
	case value == "" || len(without.at) == 0:
		return nil
	case kind == isPointFlag && !there(without.word(0)):
		return nil
	case kind == isPointFlag:
		return one("the point is in the LOCATION, behind @:", without.with(0, withPoint(without.word(0), value)))
	case kind == isDestFlag:
		return one("where to is the last word:", append(slices.Clone(short.Args), value))
	case kind == isNameFlag:
		return one(w.whyNot(name), append(slices.Clone(short.Args), value))
	}
	return nil
}

// whyNot tells why a flag is not there.
func (w *words) whyNot(name string) string {
	return foreign[w.alike(name)].why
}

// alike is the flag that a word or letter of another program stands for.
func (w *words) alike(name string) string {
	switch {
	case w.command == "ls" && name == "a":
		return "all"
	case name == "p" && !w.is("restore", "undelete"):
		return "password"
	}
	return cmp.Or(likewise[name], name)
}

// nearFlag is the flag of the command that a word is spelt most nearly as.
func (w *words) nearFlag(name string) (best string) {
	most := 2
	for _, f := range w.Flags(w.command) {
		if d := selection.Distance(strings.ToLower(name), f, most); d <= most && d <= max(1, len(f)/3) && len(f) > 2 {
			best, most = f, d-1
		}
	}
	return best
}

// replacedAt gives arguments with others for n of them.
func replacedAt(args []string, at, n int, others ...string) []string {
	return slices.Replace(slices.Clone(args), at, at+n, others...)
}
