package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/process"
	"snapmount/mount/report"
)

// Main runs the program and returns its exit code. The first SIGINT or SIGTERM ends it, even where nobody reads its output.
func Main(args []string, stdout, stderr io.Writer) int {
	s := process.Listen()
	defer s.Leave()
	stdout, closeOut := process.Output(s.Context, stdout)
	defer closeOut()
	stderr, closeErr := process.Output(s.Context, stderr)
	defer closeErr()
	root := newRoot(s)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
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
		fmt.Fprintf(stderr, "snapmount: %s%s\n", text.Printable(report.OneLine(err)), hint)
	}
	return exitCode(err)
}

// opensImages marks commands that have the flags of how images are opened.
const opensImages = "opens images"

// usageText groups flags: those of the command, and where it opens images those of that.
const usageText = `Usage:
  {{.UseLine}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if or .IsAvailableCommand (eq .Name "help")}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{with .LocalNonPersistentFlags.FlagUsages}}

Flags:
{{.}}{{end}}{{if index .Annotations "` + opensImages + `"}}
How images are opened:
{{if .HasParent}}{{.InheritedFlags.FlagUsages}}{{else}}{{.PersistentFlags.FlagUsages}}{{end}}{{end}}`

func newRoot(s *process.Signals) *cobra.Command {
	o := &openFlags{}
	m := &mountFlags{open: o, signals: s}
	root := &cobra.Command{
		Use:   "snapmount IMAGE... MOUNTPOINT",
		Short: "Browse a Windows disk image at every point in time that it keeps",
		Long: "snapmount opens a Windows disk image, finds its NTFS volumes, reconstructs every point in time kept by Volume\n" +
			"Shadow Copy, and mounts all of them read-only. With an image alone it tells what is in it.\n\n" +
			"A LOCATION is IMAGE[:VOLUME][@POINT][:PATH]. A POINT is current, latest, oldest, vss2, a shadow copy id or its\n" +
			"start, 2026-11-03, 2026-11-03T14:22Z or before:TIME. Times are UTC.",
		Example: "  snapmount disk.vhd                      what is in it\n" +
			"  snapmount disk.vhd /mnt/snap            mount all points in time\n" +
			"  snapmount ls disk.vhd@latest:/Users     list a directory as it was\n" +
			"  snapmount cat disk.vhd@vss1:/boot.ini   print a file as it was",
		Args:             cobra.ArbitraryArgs,
		SilenceUsage:     true,
		SilenceErrors:    true,
		PersistentPreRun: func(c *cobra.Command, _ []string) { o.progress = text.NewProgress(c.ErrOrStderr()).Report },
		RunE:             func(c *cobra.Command, args []string) error { return runRoot(c, o, m, args) },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%w", err) })
	root.SetUsageTemplate(usageText)
	o.add(root)
	m.add(root)
	root.AddCommand(newMount(o, s), newInfo(o), newLs(o), newStat(o), newCat(o), newExplain(o), newHistory(o), newDiff(o), newFind(o),
		newTimeline(o), newRestore(o), newVerify(o), newScan(o))
	for _, c := range append(root.Commands(), root) {
		c.Annotations = map[string]string{opensImages: "yes"}
	}
	root.AddCommand(newUmount(), newVersion())
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
		return runInfo(c, o, args, infoFlags{next: true})
	}
	return m.run(c, args)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
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
		for _, w := range slices.Concat(args[:at[0]], args[at[1]:min(word+1, len(args))], given, args[min(word+1, len(args)):]) {
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
