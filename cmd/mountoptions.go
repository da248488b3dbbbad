package cmd

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"snapmount/mount/selection"
)

// ignored are options of mount(8) that say nothing to a read-only mount, or what it does anyway. Those with "x-" before
// them and "comment=" are ignored too.
var ignored = strings.Fields("ro defaults auto noauto user nouser users nousers owner group fail nofail _netdev loop " +
	"suid nosuid dev nodev exec noexec atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime " +
	"lazytime nolazytime sync async dirsync iversion noiversion mand nomand silent loud")

// fromHelper are the options of which mount.fuse gives at least one, and that nobody has a reason to give by hand.
var fromHelper = []string{"dev", "nodev", "suid", "nosuid"}

// notOptions are flags that are none of a mount.
var notOptions = []string{"options", "help", "help-all", "version"}

// listOptions splits the values of -o at commas; a backslash keeps a comma, or another backslash, in a value.
func listOptions(lists []string) (all []string) {
	for _, list := range lists {
		var word strings.Builder
		for i := 0; i < len(list); i++ {
			switch c := list[i]; {
			case c == '\\' && i+1 < len(list) && strings.IndexByte(`\,`, list[i+1]) >= 0:
				i++
				word.WriteByte(list[i])
			case c == ',':
				all = append(all, word.String())
				word.Reset()
			default:
				word.WriteByte(c)
			}
		}
		all = append(all, word.String())
	}
	return slices.DeleteFunc(all, func(o string) bool { return o == "" })
}

// setOptions takes -o into the flags of the same names, with "_" for "-", and returns what none of them knows: options
// of FUSE. helped tells that mount.fuse calls, for mount(8) or fstab: its "rw" is no wish but what it says by default.
func setOptions(flags *pflag.FlagSet, lists []string) (fuse []string, helped bool, err error) {
	all := listOptions(lists)
	helped = slices.ContainsFunc(all, func(o string) bool { return slices.Contains(fromHelper, o) })
	for _, o := range all {
		name, value, given := strings.Cut(o, "=")
		f := flags.Lookup(strings.ReplaceAll(name, "_", "-"))
		switch {
		case slices.Contains(ignored, o), strings.HasPrefix(strings.ToLower(o), "x-"), name == "comment", o == "rw" && helped:
		case f != nil && f.Name == "recovery-key":
			return nil, helped, usagef("-o %s: fstab and options of mounts are for everybody to see: want key_file=FILE", name)
		case o == "rw":
			return nil, helped, usagef("-o rw: a mount is always read-only")
		case f == nil && meantOption(flags, name) != "":
			return nil, helped, usagef("-o %s: not known; want %s", name, meantOption(flags, name))
		case f == nil || slices.Contains(notOptions, f.Name):
			fuse = append(fuse, o)
		default:
			if err := setFlag(flags, f, value, given); err != nil {
				return nil, helped, usagef("-o %s: %w", o, err)
			}
		}
	}
	return fuse, helped, nil
}

// meantOption is the option that an unknown one is most likely meant to be; empty for none, which FUSE may know.
func meantOption(flags *pflag.FlagSet, name string) (meant string) {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) }
	switch word := plain(name); {
	case slices.Contains([]string{"pw", "pwd", "passphrase", "passcode"}, word), strings.HasPrefix(word, "passw"), word == "pass":
		meant = "password-file"
	case secretOption.MatchString(name), strings.HasPrefix(word, "bek"), word == "startupkey":
		meant = "key-file"
	case len(word) > 3:
		flags.VisitAll(func(f *pflag.Flag) {
			if selection.Distance(word, plain(f.Name), 1) <= 1 && !slices.Contains(notOptions, f.Name) {
				meant = f.Name
			}
		})
	}
	f := flags.Lookup(meant)
	if f == nil {
		return ""
	}
	meant = strings.ReplaceAll(meant, "-", "_")
	if value, _ := pflag.UnquoteUsage(f); f.NoOptDefVal == "" {
		meant += "=" + strings.ToUpper(value)
	}
	return meant
}

func setFlag(flags *pflag.FlagSet, f *pflag.Flag, value string, given bool) error {
	_, repeats := f.Value.(pflag.SliceValue)
	switch {
	case f.Changed && !repeats:
		return errors.New("given twice")
	case !given && f.NoOptDefVal == "":
		return errors.New("want a value")
	case !given:
		value = f.NoOptDefVal
	}
	return flags.Set(f.Name, value)
}
