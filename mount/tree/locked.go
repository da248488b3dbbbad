package tree

import (
	"cmp"
	"fmt"
	"strings"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
)

// addLocked adds a volume of BitLocker that nothing opened: a directory with a text that says what does.
func (l *layout) addLocked(v *points.Volume, name string) {
	dir := l.add(l.root, item{name: name, kind: itemDir, volume: v})
	l.add(dir, item{name: "LOCKED.txt", kind: itemText, text: lockedText(v)})
}

// lockedText is what the metadata of a locked volume says, and what opens it.
func lockedText(v *points.Volume) string {
	var b strings.Builder
	b.WriteString("This volume is encrypted by BitLocker and locked: none of its files can be shown.\n\n")
	say := func(what, text string) { fmt.Fprintf(&b, "  %-12s %s\n", what, wintype.Printable(text)) }
	if m := v.Encryption.Volume; m != nil {
		say("cipher", m.Method.String())
		say("state", m.Progress())
		if m.Description != "" {
			say("description", m.Description+" (when it was encrypted)")
		}
		if !m.Created.IsZero() {
			say("encrypted", m.Created.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		what := "protectors"
		if len(m.Protectors) == 0 {
			say(what, "none")
		}
		for _, p := range m.Protectors {
			line := fmt.Sprintf("%s %s (%s)", p.Kind, p.Short(), strings.ToUpper(p.ID.String()))
			if !p.Created.IsZero() {
				line += p.Created.UTC().Format(", made 2006-01-02 15:04:05 UTC")
			}
			say(what, line)
			what = ""
		}
	}
	fmt.Fprintf(&b, "\n%s\n", wintype.Printable(oneLine(v.Locked())))
	if v.Encryption.Volume != nil {
		b.WriteString("\nRecovery passwords are kept under the first 8 digits of their key's identifier: in the owner's Microsoft\n" +
			"account, in Entra ID or Active Directory, in a text file or on paper. Mount the image again with one:\n" +
			"\"snapmount help unlock\" tells how keys are given.\n")
	}
	return b.String()
}

// holds says what a volume holds, below what encrypts it.
func holds(v *points.Volume) string {
	name := cmp.Or(v.Filesystem, "unknown file system")
	switch {
	case v.Locked() != nil:
		return "BitLocker, locked"
	case v.Encryption != nil:
		return "BitLocker, " + name
	}
	return name
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
