package cmd

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"snapmount/cmd/advice"
	"snapmount/imagefmt/bitlocker"
)

// What stands for a secret where a line is shown.
const (
	unsaid     = "DIGITS"
	unsaidFile = "FILE" // for what is no file, and a password perhaps
	unsaidRest = "..."
)

var (
	// secretFlag is one that has a secret as its value, or would have one if it were there.
	secretFlag = regexp.MustCompile(`^--?(recovery-?(key|password)?|user-password|pass?(word|wd|phrase|wort)?|pw|pwd|passcode|pin)$`)
	// secretOption is a name behind -o of the same kind.
	secretOption = regexp.MustCompile(`(?i)^(recovery[-_]?(key|password)?|(user[-_])?pass?(word|wd|phrase|wort)?|pw|pwd|passcode|pin|keys?)$`)
	// digits48 is what a recovery password looks like, perhaps with a slip.
	digits48 = regexp.MustCompile(`\b[0-9]{6}(?:[\s\pP]*[0-9]{6}){7}\b`)
)

// masked are arguments without secrets among them, for all to see.
func masked(args []string) []string {
	out := slices.Clone(args)
	for i, a := range args {
		before := ""
		if i > 0 {
			before = args[i-1]
		}
		out[i] = maskedWord(before, a)
	}
	at, n := advice.Groups(args)
	for i := range n {
		out[at+i] = unsaid
	}
	return out
}

// maskedWord is an argument behind another without a secret in it.
func maskedWord(before, a string) string {
	name, value, given := strings.Cut(a, "=")
	switch _, bad := bitlocker.RecoveryPassword(a); {
	case isFile(a):
		return a
	case given && secretFlag.MatchString(name):
		return name + "=" + unsaid
	case bad == nil, secretFlag.MatchString(before):
		return unsaid
	case given && slices.Contains(fileFlags, name) && fileNamed(name, value) == "":
		return name + "=" + unsaidFile
	case slices.Contains(fileFlags, before) && fileNamed(before, a) == "":
		return unsaidFile
	case before == "-o", before == "--options":
		return maskedOptions(a)
	case given && name == "--options":
		return name + "=" + maskedOptions(value)
	case strings.HasPrefix(a, "-o"):
		return "-o" + maskedOptions(a[2:])
	}
	return withoutDigits(a)
}

// maskedOptions are options of a mount without secrets among them.
func maskedOptions(list string) string {
	all := listOptions([]string{list})
	secret := func(o string) bool {
		name, _, given := strings.Cut(o, "=")
		return given && secretOption.MatchString(name)
	}
	if !slices.ContainsFunc(all, secret) {
		return withoutDigits(list)
	}
	for i, o := range all {
		if secret(o) {
			all[i] = o[:strings.IndexByte(o, '=')+1] + unsaidRest
		}
	}
	return withoutDigits(strings.Join(all, ","))
}

// fileFlags have as their value the name of a file of secrets.
var fileFlags = []string{"--key-file", "--password-file"}

// fileNamed is the name of a file of secrets where it may be shown; empty for what is there under no name, and may be the
// secret itself.
func fileNamed(flag, name string) string {
	switch {
	case name == "-", isFile(name), isDir(name), flag != "--password-file" && (filepath.Ext(name) != "" || strings.ContainsAny(name, `/\`)):
		return name
	}
	return ""
}

// withoutSecrets is a line without the words of a command line that are secrets.
func withoutSecrets(line string, args []string) string {
	for i, shown := range masked(args) {
		word := args[i]
		if name, _, ok := strings.Cut(shown, "="); ok {
			word, shown = strings.TrimPrefix(word, name+"="), strings.TrimPrefix(shown, name+"=")
		}
		if shown != word && len(word) >= 6 {
			line = strings.ReplaceAll(line, word, shown)
		}
	}
	return withoutDigits(line)
}

// withoutDigits is a text without what may be a recovery password: the last defence where an error has one.
func withoutDigits(line string) string { return digits48.ReplaceAllString(line, unsaid) }
