package browse

import (
	"fmt"
	"strings"

	"snapmount/cmd/text"
)

// help is what the keys do, below headings.
var help = [][2]string{
	{"", "Everywhere"},
	{"arrows, k j g G", "move; PgUp PgDn (Ctrl-B Ctrl-F) by screens, Home End to the ends"},
	{"Enter (l)", "open"},
	{"Esc", "back; Backspace (h): the folder above"},
	{"R", "restore what is marked, or else what the cursor is on: first it is shown what would be done"},
	{"u", "mark nothing any more"},
	{"?", "this help; Ctrl-L draws the screen anew"},
	{"q, Ctrl-C", "leave"},
	{"", "Time"},
	{"[ ] or Left Right", "the version before, or after, of what is seen: points at which nothing changed here are passed over"},
	{"{ } or Shift-arrows", "all points, one by one"},
	{"< >", "the oldest point, the current state"},
	{"p", "list of all points"},
	{"", "The line of time has a letter for each point, the oldest first: what happened here since the point before"},
	{"N C R D d", "new, content changed, renamed or moved, deleted, details (metadata)"},
	{", . |", "only deeper; nothing; the oldest"},
	{": !", "not known yet; cannot be known"},
	{"- blank", "of a file: it is the same; it is not there"},
	{"", "Folder"},
	{"Space, +", "mark one, or all; a mark is of the point at which it was made, and stays"},
	{"d", "with what is gone, or without: x deleted, > renamed or moved, ? not known"},
	{"i", "details, and where the bytes lie"},
	{"f", "only names that have some letters in them"},
	{"s", "sort by name, size, time"},
	{"/", "find in this folder and below, at all points"},
	{"! before a name", "damaged, or not all of it is in the image: the line below the list says why; e shows what of the folder could not be read"},
	{"Event, Now", "what happened to it since the point before; what is so at the current state. On narrow screens Event is ^ and a letter: n new, c changed, r renamed, d details"},
	{"", "File"},
	{"Tab, or 1 2 3", "preview, versions, details"},
	{"x", "text or hexadecimal; ?? are bytes that nobody knows"},
	{"=", "compare a version with the one before, or with the one that a marks"},
	{"", "Nothing is ever written to an image."},
}

func newHelp(m *model) *textView {
	v := &textView{name: "Help", fold: helpLines}
	v.resized(m)
	return v
}

// helpLines folds the help to a width.
func helpLines(w int) (out []string) {
	for i, one := range help {
		switch {
		case one[0] != "":
			out = append(out, strings.Split(text.Hang(fmt.Sprintf("  %-*s ", min(20, w/3), one[0]), one[1], w), "\n")...)
		case i > 0:
			out = append(out, "")
			fallthrough
		default:
			out = append(out, strings.Split(text.Fold(one[1], w), "\n")...)
		}
	}
	return out
}
