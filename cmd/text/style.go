package text

import (
	"fmt"
	"io"
	"os"
)

// A Style is how a line looks where colours are shown, by the parameters of the control sequence that sets it.
type Style string

// Styles, by what they say.
const (
	Plain   Style = ""
	Heading Style = "1"
	Added   Style = "32"
	Gone    Style = "31"
	Changed Style = "33"
	Moved   Style = "36"
	Fault   Style = "1;31"
)

// Colours says whether to show colours on w: when is auto, always or never. A terminal that cannot, and a user who has set
// NO_COLOR, get none unless they are asked for.
func Colours(when string, w io.Writer) (bool, error) {
	switch when {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "", "auto":
		f, ok := FileOf(w)
		return ok && IsTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && showsColours(f), nil
	}
	return false, fmt.Errorf("%q: want auto, always or never", when)
}

// WidthOf is how many letters a line of a terminal has; 0 where w is none, or that is not known.
func WidthOf(w io.Writer) int {
	f, ok := FileOf(w)
	if !ok || !IsTerminal(w) {
		return 0
	}
	return terminalWidth(f)
}

// Line writes a line. What it says is printed as all else: only the Style goes to the terminal as it is.
func (o *Out) Line(s Style, format string, args ...any) {
	if s == Plain || !o.Colour {
		fmt.Fprintf(o, format+"\n", args...)
		return
	}
	o.control(string(s))
	fmt.Fprintf(o, format, args...)
	o.control("")
	fmt.Fprintln(o)
}

// control sets how what follows looks.
func (o *Out) control(sgr string) {
	_ = o.Flush()                                     // it keeps its error
	_, _ = fmt.Fprintf(Raw(o.below), "\x1b[%sm", sgr) // whoever does not read this reads no more of the rest
}

// Head writes a heading over columns, which a terminal has and programs do not.
func (o *Out) Head(format string, args ...any) {
	if o.Terminal {
		o.Line(Heading, format, args...)
	}
}

// Hung writes a text behind a first word; on a terminal that is too narrow for it, it goes on below.
func (o *Out) Hung(s Style, first, line string) {
	if o.Width > 0 && len(first)+len(line) > o.Width {
		first, line = "", Hang(first, line, o.Width)
	}
	o.Line(s, "%s%s", first, line)
}
