package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snapmount/cmd/advice"
	"snapmount/cmd/text"
	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/device"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/process"
	"snapmount/mount/report"
	"snapmount/mount/when"
	"snapmount/ntfs/restore"
)

// Program is Main for a process of its own. What root writes for another user, through sudo, belongs to that user.
func Program() int {
	if u, ok := process.Invoker(); ok {
		if err := u.Own(); err != nil {
			fmt.Fprintf(os.Stderr, "snapmount: what is written belongs to root, not to %s: %v\n", text.Printable(u.Name), err)
		}
	}
	return Run(os.Args, func(args []string) int { return Main(args, os.Stdout, os.Stderr) })
}

// Main runs the program and returns its exit code. The first SIGINT or SIGTERM ends it, even where nobody reads its output.
func Main(args []string, stdout, stderr io.Writer) int {
	if name := when.Unknown(); name != "" {
		fmt.Fprintf(stderr, "snapmount: TZ=%s is no zone that is known, times are in UTC: want Area/City\n", text.Printable(name))
	}
	return mainAt(when.Clock{Now: time.Now(), Zone: when.Local()}, args, stdout, stderr)
}

// mainAt is Main by the clock of this machine.
func mainAt(here when.Clock, args []string, stdout, stderr io.Writer) int {
	s := process.Listen()
	defer s.Leave()
	stdout, closeOut := process.Output(s.Context, stdout)
	defer closeOut()
	stderr, closeErr := process.Output(s.Context, stderr)
	defer closeErr()
	safeOut, safeErr := text.NewSafe(stdout), text.NewSafe(stderr)
	defer safeOut.Flush()
	defer safeErr.Flush()
	stdout, stderr = safeOut, safeErr
	root, o := newRoot(s, here)
	args = joined(root, args)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	defer o.keys.wipe()
	err := twofold(root, args)
	if err == nil {
		err = root.ExecuteContext(s.Context)
	}
	if s.Context.Err() != nil && !errors.Is(err, process.ErrInterrupted) { // whatever came of it
		err = process.ErrInterrupted
	}
	if err != nil && !errors.Is(err, errTold) {
		hint := ""
		var damaged *points.DamagedError
		var unknown *layer.UnknownError
		if errors.As(err, &unknown) && unknown.Why < layer.NotAcquired && !errors.As(err, &damaged) {
			hint = " (--unknown live shows the current content there, --unknown zero shows zeros)"
		}
		if c, _, err2 := root.Find(args); err2 == nil && c.Flag("overwrite") != nil && errors.Is(err, restore.ErrExists) {
			hint = " (--overwrite replaces it)"
		}
		fmt.Fprintf(stderr, "snapmount: %s%s\n", text.Printable(withoutSecrets(report.OneLine(err), args)), hint)
		printThere(stderr, o.clock, err)
		o.keys.printHints(stderr, root, args, err)
		if o.keys.other != nil && errors.Is(err, points.ErrNoNTFS) {
			o.keys.printOther(stderr)
		}
		_, told := errors.AsType[*bitlocker.LockedError](err)
		if code := exitCode(err); !told && (code == exitPartial || code == exitDamaged) {
			o.keys.printLocked(stderr, args, o.keys.locked)
		}
	}
	return exitCode(err)
}

func newRoot(s *process.Signals, here when.Clock) (*cobra.Command, *openFlags) {
	o := &openFlags{}
	m := &mountFlags{open: o, signals: s}
	root := &cobra.Command{
		Use:     "snapmount IMAGE... MOUNTPOINT",
		Short:   "Browse a Windows disk image at every point in time that it keeps",
		Version: buildVersion(),
		Long: "snapmount opens a Windows disk image, finds its NTFS volumes, reconstructs every point in time kept by Volume\n" +
			"Shadow Copy, and mounts all of them read-only. With an image alone it tells what is in it.\n\n" +
			"A LOCATION is IMAGE[:VOLUME][@POINT][:PATH]. A POINT is current, latest, oldest, vss2, a shadow copy id or its\n" +
			"start, or a time: 2026-11-03, \"2026-11-03 14:22\", yesterday, 3d (all forms: \"snapmount help times\",\n" +
			"\"snapmount help location\").",
		Example: "  snapmount disk.vhd                      what is in it\n" +
			fmt.Sprintf("  %-38s  %s\n", strings.Join(append([]string{"snapmount"}, browsing("disk.vhd")...), " "), browsingIs) +
			"  snapmount ls disk.vhd@latest:/Users     list a directory as it was\n" +
			"  snapmount cat disk.vhd@vss1:/boot.ini   print a file as it was",
		Args:          cobra.ArbitraryArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			o.progress = text.NewProgress(c.ErrOrStderr()).Report
			o.keys.begin(c)
			return o.begin(here, c.ErrOrStderr())
		},
		RunE: func(c *cobra.Command, args []string) error { return runRoot(c, o, m, args) },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if errors.Is(err, pflag.ErrHelp) { // as cobra has it
			return pflag.ErrHelp
		}
		return usageError{Err: flagError{err}}
	})
	root.SetVersionTemplate(versionLine() + "\n")
	o.add(root)
	m.add(root)
	root.Flags().BoolP("version", "V", false, "print the version")
	inGroup(root.Flags(), groupHelp, "version")
	(&helper{}).add(root)
	root.AddCommand(newMount(o, s), newServe(o, s), newMap(o, s), newBrowse(o), newInfo(o), newLs(o), newStat(o), newCat(o), newExplain(o), newHistory(o), newDiff(o), newFind(o),
		newTimeline(o), newRestore(o), newUndelete(o), newVerify(o), newReport(o), newScan(o), newAttack(o), newUnlock(o), newExport(o))
	for _, c := range append(root.Commands(), root) {
		c.Annotations = map[string]string{opensImages: "yes"}
	}
	root.SetHelpCommand(newHelp(root))
	root.AddCommand(newUmount(), newMounts(), newSambaConf(), newVersion(), newTimes(), newLocation(), newMountHelper(root), newCompletion(), newCompleteLine())
	completeArgs(root, o)
	return root, o
}

// Tree is the command line as a tree, for what is made of it: manual pages and completion.
func Tree() *cobra.Command {
	root, _ := newRoot(nil, when.Clock{})
	return root
}

// runRoot mounts, or tells what is in images where there is nothing to mount on.
func runRoot(c *cobra.Command, o *openFlags, m *mountFlags, args []string) error {
	switch {
	case len(args) == 0:
		return c.Help()
	case m.daemon && len(args) == 1:
		return usagef("--daemon: want a mount point after the image")
	case len(args) == 1, isFile(args[len(args)-1]) && !m.daemon && len(m.options) == 0:
		if last := args[len(args)-1]; len(args) > 1 && !advice.NamedAsImage(last) {
			text.NewReporter(c.ErrOrStderr()).Line("%s: is a file, and taken for another image: to mount, name a directory last", last)
		}
		return runInfo(c, o, args, infoFlags{next: true})
	}
	return m.run(c, args)
}

func isFile(path string) bool {
	info, err := device.Stat(path)
	return err == nil && !info.IsDir()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// args checks how many arguments there are, as a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, a []string) error {
		if err := check(c, a); err != nil {
			return usagef("%w; usage: %s", err, c.UseLine())
		}
		return nil
	}
}

// twofold refuses a flag before the command word which means one thing there, and to the command another: the command
// would take it. A switch of one name is one thing everywhere.
func twofold(root *cobra.Command, args []string) error {
	c, _, err := root.Find(args)
	if err != nil || c == root {
		return nil //nolint:nilerr // executing it tells
	}
	word := 0 // the command's
	var flags [][2]int
	for word < len(args) && len(args[word]) > 1 && args[word][0] == '-' {
		end := min(word+1+valueWords(flagOf(root, args[word]), args[word]), len(args))
		flags, word = append(flags, [2]int{word, end}), end
	}
	for _, at := range flags {
		given := args[at[0]:at[1]]
		ours, theirs := flagOf(root, given[0]), flagOf(c, given[0])
		if ours == nil || theirs == nil || ours.Usage == theirs.Usage || ours.Name == theirs.Name && ours.NoOptDefVal != "" && theirs.NoOptDefVal != "" {
			continue
		}
		line := "snapmount"
		for _, w := range masked(slices.Concat(args[:at[0]], args[at[1]:min(word+1, len(args))], given, args[min(word+1, len(args)):])) {
			line += " " + text.Quoted(w)
		}
		return usagef("%s before %s is for images (%s), behind it for %[2]s (%[4]s): if that is meant, want %[5]s", given[0], c.Name(), ours.Usage, theirs.Usage, line)
	}
	return nil
}

// valueWords is how many arguments behind that of a flag are its value.
func valueWords(f *pflag.Flag, arg string) int {
	if f != nil && f.NoOptDefVal != "" || strings.Contains(arg, "=") || arg[1] != '-' && len(arg) > 2 {
		return 0
	}
	return 1
}

// flagOf finds the flag that an argument begins with.
func flagOf(c *cobra.Command, arg string) *pflag.Flag {
	name, long := strings.CutPrefix(arg, "--")
	name, _, _ = strings.Cut(name, "=")
	if long {
		return c.Flag(name)
	}
	if f := c.Flags().ShorthandLookup(arg[1:2]); f != nil {
		return f
	}
	return c.InheritedFlags().ShorthandLookup(arg[1:2])
}
