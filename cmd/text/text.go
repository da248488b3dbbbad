// Package text is what the commands and a terminal say to each other: text that is safe to show, sizes for people and in
// flags, results on standard output (Out), what goes wrong with single items (Reporter), and what takes long (Progress).
//
// Lines on standard error begin with "snapmount: ", in lower case and without a full stop. Names in an image are not to be
// trusted: they go through Printable, and all but contents through a Safe, whether a terminal reads it or not: what is in
// a pipe or a file comes to one later. Programs read JSON, or names that end with a zero byte.
package text

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/selection"
)

// IsTerminal reports whether somebody may be looking.
func IsTerminal(w io.Writer) bool {
	f, ok := FileOf(w)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// FileOf returns the file that w writes to, if it is one.
func FileOf(w io.Writer) (*os.File, bool) {
	if o, ok := Raw(w).(interface{ File() *os.File }); ok {
		return o.File(), true
	}
	f, ok := Raw(w).(*os.File)
	return f, ok
}

// Printable escapes what could act on a terminal.
func Printable(s string) string { return wintype.Printable(s) }

// Quoted makes a word safe to paste into a shell of this system.
func Quoted(s string) string {
	if runtime.GOOS == "windows" {
		return quotedWindows(s)
	}
	const plain = letters + "@,"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	if Printable(s) != s {
		return "$'" + Printable(strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s)) + "'" // as bash, zsh and ksh read it
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-+="

// quotedWindows is for both cmd and PowerShell, as far as one word can be; else for PowerShell, which takes quotation marks
// of print for its own. cmd replaces what is between two percent signs. A program there takes backslashes before a
// quotation mark for halves.
func quotedWindows(s string) string {
	switch {
	case s != "" && strings.Trim(s, letters+`@\`) == "" && s[0] != '@':
		return s
	case strings.ContainsAny(s, "$`\"\u201c\u201d\u201e") || strings.Count(s, "%") > 1:
		return "'" + singles.Replace(s) + "'"
	}
	return `"` + s + strings.Repeat(`\`, len(s)-len(strings.TrimRight(s, `\`))) + `"`
}

// singles doubles what ends a word in single quotes for PowerShell.
var singles = strings.NewReplacer("'", "''", "\u2018", "\u2018\u2018", "\u2019", "\u2019\u2019", "\u201a", "\u201a\u201a", "\u201b", "\u201b\u201b")

// Bytes gives a size for people: three digits and a binary unit.
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, u := float64(n)/1024, 0
	for f >= 999.5 && u < len(units)-1 {
		f, u = f/1024, u+1
	}
	return fmt.Sprintf("%.3g %ciB", f, units[u])
}

// Size is a flag of a number of bytes.
type Size int64

// Set takes a number of bytes, or one with K, M, G or T behind it.
func (b *Size) Set(text string) error {
	n, err := selection.ParseSize(text)
	if err == nil {
		*b = Size(n)
	}
	return err
}

// String gives the largest unit that keeps the number whole.
func (b *Size) String() string {
	for i, unit := range []string{"T", "G", "M", "K"} {
		if by := uint(40 - 10*i); *b != 0 && *b&(1<<by-1) == 0 {
			return fmt.Sprintf("%d%s", int64(*b>>by), unit)
		}
	}
	return fmt.Sprint(int64(*b))
}

// Type names the values of the flag.
func (b *Size) Type() string { return "size" }

// Offset is a Size that may be 0.
type Offset struct{ Size }

// Set takes what Size takes, and 0.
func (o *Offset) Set(text string) error {
	if text == "0" {
		o.Size = 0
		return nil
	}
	return o.Size.Set(text)
}

// Counted is a number and what it is of: the plural unless there is one.
func Counted[N ~int | ~int64](n N, what string) string {
	switch stem, y := strings.CutSuffix(what, "y"); {
	case n == 1:
		return "1 " + what
	case y:
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
