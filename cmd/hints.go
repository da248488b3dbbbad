package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snapmount/cmd/advice"
	"snapmount/cmd/text"
	"snapmount/imagefmt/bitlocker"
	"snapmount/mount/points"
	"snapmount/mount/selection"
)

// printHints writes what may help after an error: what else may have been meant, with lines to type.
func (k *keyFlags) printHints(w io.Writer, root *cobra.Command, args []string, err error) {
	var several *points.SeveralError
	var miss *selection.Miss
	var locked *bitlocker.LockedError
	guess := adviceOn(root, args, err)
	switch {
	case errors.As(err, &locked) && (guess == nil || !guess.Sure):
		k.printLocked(w, args, []*bitlocker.LockedError{locked})
	case errors.As(err, &miss) && (guess == nil || !miss.Vague()):
		printMiss(w, args, miss)
	case errors.As(err, &several) && guess == nil:
		fmt.Fprintln(w, "  one of:")
		for _, t := range several.Targets {
			printLine(w, replaced(args, several.Text, t.Location()))
		}
	case guess != nil:
		fmt.Fprintf(w, "  %s\n", text.Printable(withoutDigits(guess.Why)))
		for _, line := range guess.Lines {
			printLine(w, line)
		}
	}
}

// printLocked tells how to give what locked volumes want. What was given, and opened nothing, is left out.
func (k *keyFlags) printLocked(w io.Writer, args []string, list []*bitlocker.LockedError) {
	said := map[string]bool{}
	args = masked(args)
	if !k.opened {
		args = withoutKeys(args)
		args = slices.DeleteFunc(args, func(a string) bool { return a == unsaid }) // given, but in a wrong place
	}
	for _, e := range list {
		for _, p := range e.Volume.Protectors {
			var give []string
			switch p.Kind.String() {
			case isRecovery:
				give = []string{"--recovery-key", unsaid}
			case isPassword:
				give = []string{"--password-file", unsaidFile}
			case isStartup:
				give = []string{"--key-file", strings.ToUpper(p.ID.String()) + ".BEK"}
			}
			if give == nil || said[give[1]] {
				continue
			}
			if len(said) == 0 {
				fmt.Fprintln(w, "  with what opens it (on a terminal it is asked for):")
			}
			said[give[1]] = true
			printLine(w, slices.Concat(args, give))
		}
	}
}

// printOther tells how to get at an unlocked volume that has no NTFS.
func (k *keyFlags) printOther(w io.Writer) {
	fs := strings.ToUpper(k.other.Filesystem)
	if fs == "" {
		fs = "of no known file system"
	}
	fmt.Fprintf(w, "  %s is %s, and unlocked: its bytes for other tools:\n", text.Printable(k.other.Name), fs)
	line := append([]string{"cat", "--raw", k.other.Image.Path + ":" + k.other.OwnName()}, k.again()...)
	fmt.Fprintf(w, "    %s%s\n", lineOf(line), intoFile)
}

// withoutKeys are arguments without the flags that give secrets.
func withoutKeys(args []string) (out []string) {
	for i := 0; i < len(args); i++ {
		name, _, given := strings.Cut(args[i], "=")
		switch {
		case name != "--recovery-key" && !slices.Contains(fileFlags, name):
			out = append(out, args[i])
		case !given && (name != "--recovery-key" || i+1 < len(args) && args[i+1] == unsaid):
			i++
		}
	}
	return out
}

// adviceOn asks for what a command line was meant to be.
func adviceOn(root *cobra.Command, args []string, err error) *advice.Hint {
	call := advice.Call{Commands: commandNames(root), Args: args, Err: err}
	named := func(name string) *cobra.Command {
		if c, _, err := root.Find([]string{name}); name != "" && err == nil {
			return c
		}
		return root
	}
	call.Values = func(command, flag string) int {
		if f := flagOf(named(command), flag); f != nil {
			return valueWords(f, flag)
		}
		return 0
	}
	call.Flags = func(command string) (names []string) {
		own, shared := flagsOf(named(command))
		for _, f := range append(own, shared...) {
			names = append(names, f.Name)
		}
		return names
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		call.Unknown, call.Among = unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames()
	}
	var needs *pflag.ValueRequiredError
	if errors.As(err, &needs) {
		call.Needs = needs.GetFlag().Name
	}
	return advice.Of(call)
}

// printMiss tells where what is missing may be.
func printMiss(w io.Writer, args []string, m *selection.Miss) {
	defer printRecords(w, m)
	switch {
	case m.Elsewhere != nil:
		fmt.Fprintf(w, "  %s:\n", text.Printable(m.Gone))
		printLine(w, replaced(args, m.Text, m.Elsewhere.Location()))
	case m.Pattern != "":
		fmt.Fprintln(w, "  a pattern is for find and restore:")
		printLine(w, []string{"find", m.Below, m.Pattern})
	case len(m.Near) > 0:
		fmt.Fprintf(w, "  %s:\n", cmp.Or(m.Why, "did you mean"))
		for _, location := range m.Near {
			printLine(w, replaced(args, m.Text, location))
		}
	case m.Name != "":
		fmt.Fprintln(w, "  names like it, in all directories and at all points:")
		printLine(w, []string{"find", m.Below, "*" + m.Name + "*"})
	}
}

// printRecords tells where the rest of what was deleted can be found.
func printRecords(w io.Writer, m *selection.Miss) {
	if m.Records {
		fmt.Fprintln(w, "  looked at was what snapshots keep; records of deleted files in the volume itself are listed by:")
		printLine(w, []string{"find", m.Below, m.Text, "--deleted"})
		fmt.Fprintln(w, "  what is there still, but was changed, has older versions, which history lists and restore takes; it is found by:")
		printLine(w, []string{"find", m.Below, m.Text})
	}
}

// replaced gives arguments with another location for one of them.
func replaced(args []string, old, location string) []string {
	args = slices.Clone(args)
	if i := slices.Index(args, old); i >= 0 {
		args[i] = location
		return args
	}
	return []string{location}
}

// printLine writes a line to type.
func printLine(w io.Writer, args []string) { fmt.Fprintf(w, "    %s\n", lineOf(args)) }

// lineOf is a line to type. What a shell would not take as it is is quoted.
func lineOf(args []string) string {
	words := []string{"snapmount"}
	for _, a := range masked(args) {
		if a != unsaid || words[len(words)-1] != unsaid { // one of several words
			words = append(words, text.Quoted(a))
		}
	}
	return strings.Join(words, " ")
}

// onWindows says that lines to type are for its shells, and that nothing can be mounted.
const onWindows = runtime.GOOS == "windows"

// browsing are the words of the command that shows all of an image as files: a mount, where there is one.
func browsing(image string) []string {
	if onWindows {
		return []string{"serve", "--open", image}
	}
	return []string{image, "/mnt/snap"}
}

// browsingIs tells in the help what browsing does.
var browsingIs = map[bool]string{false: "mount all points in time", true: "show all points in time in a browser"}[onWindows]

// intoFile ends a line whose output is bytes.
var intoFile = map[bool]string{false: " >volume.img", true: " >volume.img   (in cmd: PowerShell before 7.4 changes bytes on their way)"}[onWindows]

// settingOf is how a variable is set for the commands that follow.
func settingOf(name, value string) string {
	if onWindows {
		return fmt.Sprintf("\"set %s=%s\" (of PowerShell: $env:%[1]s = '%[2]s')", name, value)
	}
	return fmt.Sprintf("\"export %s=%s\"", name, value)
}

// commandNames are the words that a command line may begin with.
func commandNames(root *cobra.Command) (names []string) {
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			names = append(names, c.Name())
		}
	}
	return names
}
