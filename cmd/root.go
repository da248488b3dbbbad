// Package cmd is the command line: flags to calls, results to text or JSON.
package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// Main runs the program and returns its exit code. The first SIGINT or SIGTERM ends it, even where nobody reads its output.
func Main(args []string, stdout, stderr io.Writer) int {
	s := listen()
	defer s.leave()
	stdout, closeOut := s.output(stdout)
	defer closeOut()
	stderr, closeErr := s.output(stderr)
	defer closeErr()
	root := newRoot(s)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(s.ctx)
	if s.ctx.Err() != nil && !errors.Is(err, errInterrupted) { // whatever came of it
		err = errInterrupted
	}
	if err != nil && !errors.Is(err, errTold) {
		hint := ""
		var damaged *points.DamagedError
		var unknown *layer.UnknownError
		if errors.As(err, &unknown) && unknown.Why < layer.NotAcquired && !errors.As(err, &damaged) {
			hint = " (--unknown live shows the current content there, --unknown zero shows zeros)"
		}
		fmt.Fprintf(stderr, "snapmount: %s%s\n", oneLine(err), hint)
	}
	return exitCode(err)
}

// oneLine keeps an error of several causes on one line.
func oneLine(err error) string { return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ") }

func newRoot(s *signals) *cobra.Command {
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
		PersistentPreRun: func(c *cobra.Command, _ []string) { o.progress = newProgress(c.ErrOrStderr()).report },
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return c.Help()
			case m.daemon && len(args) == 1:
				return usageError{errors.New("--daemon: want a mount point after the image")}
			case len(args) == 1, isFile(args[len(args)-1]) && !m.daemon && len(m.options) == 0:
				return runInfo(c, o, args, false, false, true)
			}
			return m.run(c, args)
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	o.add(root)
	m.add(root)
	root.AddCommand(newMount(o, s), newUmount(), newInfo(o), newLs(o), newStat(o), newCat(o), newExplain(o), newHistory(o), newDiff(o), newFind(o),
		newTimeline(o), newRestore(o), newVerify(o), newVersion())
	return root
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// args checks how many arguments there are, as a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, a []string) error {
		if err := check(c, a); err != nil {
			return usageError{fmt.Errorf("%w; usage: %s", err, c.UseLine())}
		}
		return nil
	}
}
