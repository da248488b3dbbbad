package advice

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	// recoveryPassword is one as BitLocker has it.
	recoveryPassword = regexp.MustCompile(`^[0-9]{6}([-. ]*[0-9]{6}){7}$`)
	someGroups       = regexp.MustCompile(`^[-.]?[0-9]{6}([-. ]*[0-9]{6})*[-.]?$`)
	oneGroup         = regexp.MustCompile(`[0-9]{6}`)
)

// Groups finds the groups of a recovery password that a shell has made several arguments of: the first, and how many; 0 for
// none. The first may be behind the equals sign of a flag.
func Groups(args []string) (at, n int) {
	for at = range args {
		count := 0
		for n = 0; at+n < len(args) && count < 8; n++ {
			word := args[at+n]
			if flag, value, ok := strings.Cut(word, "="); n == 0 && ok && strings.HasPrefix(flag, "-") {
				word = value
			}
			if word != "-" && !someGroups.MatchString(word) {
				break
			}
			count += len(oneGroup.FindAllString(word, -1))
		}
		if n > 1 && args[at] != "-" && (count >= 4 || count > 1 && at > 0 && args[at-1] == "--recovery-key") {
			return at, n
		}
	}
	return 0, 0
}

// grouped is a recovery password that is several words.
func (w *words) grouped() *Hint {
	at, n := Groups(w.Args)
	if n == 0 || !slices.Contains(w.Flags(w.command), "key-file") {
		return nil
	}
	if at > 0 && w.Args[at-1] == "--recovery-key" {
		at, n = at-1, n+1
	}
	return &Hint{Why: "a recovery password is one word: put the 48 digits in quotes, or join them by dashes:", Sure: true,
		Lines: [][]string{replacedAt(w.Args, at, n, "--recovery-key", "DIGITS")}}
}

// needs is a flag for secrets without a value.
func (w *words) needs() *Hint {
	value, why := "FILE", "it is followed by the name of a file:"
	switch {
	case w.Needs == "recovery-key":
		value, why = "DIGITS", "it is followed by 48 digits, in quotes or joined by dashes (--recovery-key 235818-357951-...):"
	case w.Needs != "key-file" && w.Needs != "password-file":
		return nil
	}
	return one(why, append(slices.Clone(w.Args), value))
}

// secretFlag is about a flag that gives what opens an encrypted volume. A secret is not shown again.
func (w *words) secretFlag(name, value string, at, n int) *Hint {
	flag := instead[w.alike(name)]
	if !slices.Contains(w.Flags(w.command), flag[2:]) {
		return nil
	}
	why := w.whyNot(name)
	switch {
	case recoveryPassword.MatchString(value), recoveryPassword.MatchString(strings.TrimPrefix(w.Among, name)):
		flag, value, why = "--recovery-key", "DIGITS", "a recovery password is given with:"
	case w.meaning(name) == isSecretFlag:
		if n == 2 && (there(value) || strings.HasPrefix(value, "-")) {
			n = 1
		}
		value = "FILE"
	case flag == "--key-file" && value != "" && !isFile(value) && filepath.Ext(value) == "":
		value = "FILE"
	case value == "":
		return &Hint{Why: strings.TrimSuffix(why, ":") + " " + flag}
	}
	return one(why, replacedAt(w.Args, at, n, flag, value))
}

// secret is a recovery password, or the file of a key, among the words.
func (w *words) secret() *Hint {
	if !slices.Contains(w.Flags(w.command), "key-file") {
		return nil
	}
	for i := range w.at {
		flag := ""
		switch word := w.word(i); {
		case recoveryPassword.MatchString(word):
			flag = "--recovery-key"
		case strings.EqualFold(filepath.Ext(word), ".bek") && isFile(word):
			flag = "--key-file"
		default:
			continue
		}
		return one("what opens a volume is given with:", replacedAt(w.Args, w.at[i], 1, flag, w.word(i)))
	}
	return nil
}
