// Package text is what the commands and a terminal say to each other: text that is safe to show, sizes for people and in
// flags, results on standard output (Out), what goes wrong with single items (Reporter), and what takes long (Progress).
//
// Lines on standard error begin with "snapmount: ", in lower case and without a full stop. Names in an image are not to be
// trusted: what goes to a terminal, and all of standard error, goes through Printable.
package text

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

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
	if o, ok := w.(interface{ File() *os.File }); ok {
		return o.File(), true
	}
	f, ok := w.(*os.File)
	return f, ok
}

// Printable escapes what could act on a terminal.
func Printable(s string) string { return escaped(s, "") }

// PrintableLines is Printable for text of lines, and leaves tabs.
func PrintableLines(s string) string { return escaped(s, "\t\n") }

// escaped escapes all that does not print, but for what is in keep.
func escaped(s, keep string) string {
	acts := func(r rune) bool { return !unicode.IsPrint(r) && !strings.ContainsRune(keep, r) }
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || acts(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if (r == utf8.RuneError && n == 1) || acts(r) {
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// Quoted makes a word safe to paste into a shell.
func Quoted(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@-+=,"
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(plain, r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

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
