package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount"
	"snapmount/mount/points"
	"snapmount/mount/process"
	"snapmount/mount/report"
)

type mountFlags struct {
	open    *openFlags
	signals *process.Signals
	daemon  bool
	options []string
	owner   string
	log     logFlags
	mount   mount.Options
}

func (m *mountFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.BoolVarP(&m.daemon, "daemon", "d", false, "return when the mount answers, and go on serving it")
	f.BoolVar(&m.mount.AllowOther, "allow-other", false, "let other users of this computer in")
	f.StringVar(&m.owner, "owner", "caller", "whom the files belong to: caller, root or UID:GID")
	f.StringVar(&m.mount.View.Points, "points", "all", "snapshots to show: all, or numbers, ranges (3..5), ids and times, with commas")
	f.StringVar(&m.mount.View.Time, "time-format", "", "names of snapshots: %Y %m %d %H %M %S of their time in UTC, %n number, %i id")
	f.StringVar(&m.mount.View.Volume, "volume-name", "", "names of volumes: %p partition, %d image, %l label")
	f.BoolVar(&m.mount.System, "system", false, "list NTFS metafiles such as $MFT")
	f.BoolVar(&m.mount.NonEmpty, "nonempty", false, "mount over what the directory holds")
	f.StringArrayVarP(&m.options, "options", "o", nil, "mount options, as in fstab: the flags here by name (allow_other,cache=64M)")
	f.StringVar(&m.log.file, "log", "", "log to this file (default: standard error; with --daemon a file in the state directory)")
	f.StringVar(&m.log.level, "log-level", "", "log error, warn, info or debug (default info in a file, warn on standard error)")
}

func newMount(o *openFlags, s *process.Signals) *cobra.Command {
	m := &mountFlags{open: o, signals: s}
	c := &cobra.Command{
		Use:   "mount IMAGE... MOUNTPOINT",
		Short: "Mount all points in time of all NTFS volumes, read-only",
		Args:  args(cobra.MinimumNArgs(2)),
		RunE:  m.run,
	}
	m.add(c)
	return c
}

func (m *mountFlags) run(c *cobra.Command, args []string) error {
	fuse, helped, err := setOptions(c.Flags(), m.options)
	var ownerErr error
	m.mount.FUSE = fuse
	m.mount.Owner, ownerErr = mount.ParseOwner(m.owner)
	switch dir := args[len(args)-1]; {
	case err != nil:
		return err
	case ownerErr != nil:
		return usagef("%w", ownerErr)
	case dir == "":
		return usagef("the mount point is an empty word")
	case process.InBackground():
		return m.inBackground(args)
	case m.daemon, helped && !c.Flags().Changed("daemon"): // mount(8) waits for its helper
		out := c.OutOrStdout()
		if helped {
			out = io.Discard
		}
		m.signals.Leave() // the daemon tells how it ended
		return m.start(out, c.ErrOrStderr())
	}
	v := service{mountFlags: m, stderr: c.ErrOrStderr(), end: []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}}
	if v.log, err = m.log.open(args, false, v.stderr); err != nil {
		return err
	}
	return v.serve(args, func(s *points.Set, dir string) {
		printFound(c.OutOrStdout(), s)
		fmt.Fprintf(c.OutOrStdout(), "mounted on %s; Ctrl-C or \"snapmount umount %s\" ends it\n", dir, dir)
	})
}

// service is a mount that is served in this process.
type service struct {
	*mountFlags
	log    *process.Log
	stderr io.Writer
	end    []os.Signal // that end it
	ready  atomic.Bool // what happened before, the caller was told
}

// serve mounts, calls ready, and serves until the mount is gone.
func (v *service) serve(args []string, ready func(*points.Set, string)) error {
	images, dir := args[:len(args)-1], args[len(args)-1]
	defer v.log.Close()
	signal.Ignore(syscall.SIGPIPE) // a reader of our output who goes away is no reason to end
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // most of the heap is caches, which would cost their size once more
	}
	v.open.warn = func(err error) {
		if v.ready.Load() || v.log.Place != "" {
			v.log.Warn(report.OneLine(err))
		}
	}
	v.mount.Warn = v.warn
	s, err := v.open.open(v.signals.Context, images)
	if err != nil {
		return err
	}
	defer s.Close()
	switch err := s.Readable(); {
	case errors.Is(err, points.ErrNoNTFS):
		return fmt.Errorf("%s: %w%s", images[0], err, because(s))
	case err != nil:
		return fmt.Errorf("%w: %s: nothing can be read: %w", mount.ErrRefused, images[0], err)
	}
	// From now on points are opened when they are entered.
	v.open.progress = text.LogProgress(v.log.Lines()).Report
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, v.end...)
	if v.signals.Leave(); v.signals.Context.Err() != nil {
		return context.Cause(v.signals.Context)
	}
	v.mount.Gone = func() { s.Close() } // "umount" returns after that: nothing keeps the images any more
	srv, err := mount.Mount(dir, s, v.mount)
	if err != nil {
		return err
	}
	v.ready.Store(true)
	ready(s, dir)
	v.log.Info("mounted", "mountpoint", dir, "images", images, "pid", os.Getpid(), "version", buildVersion())
	if err := process.NotifyReady(); err != nil {
		v.log.Warn(report.OneLine(err))
	}
	err = v.untilGone(srv, stop)
	v.log.Info("ended", "mountpoint", dir, "error", err)
	return err
}

// warn takes what the mount warns of: before it answers that is something for the caller, after it a failed read.
func (v *service) warn(err error) {
	if v.ready.Load() {
		v.log.FailedRead(report.OneLine(err))
	} else {
		v.say(report.OneLine(err))
	}
}

// untilGone waits for the end of the mount, and brings it about at a signal. While it is in use, Ctrl-C wants to be
// pressed twice; other signals detach it, so that nobody new comes in, and a second one leaves its users alone.
func (v *service) untilGone(srv *mount.Server, stop <-chan os.Signal) error {
	gone := make(chan error, 1)
	go func() { gone <- srv.Wait() }()
	asked, detached := false, false
	for {
		select {
		case err := <-gone:
			return err
		case sig := <-stop:
			if detached {
				return nil
			}
			err := srv.Unmount()
			switch {
			case err == nil:
				continue
			case sig == os.Interrupt && asked:
				return srv.Detach()
			case sig == os.Interrupt:
				v.say(report.OneLine(err) + ": leave it, or press Ctrl-C again to end it")
			default:
				v.say(report.OneLine(err) + ": detached, and served until they leave it or another signal comes")
				if err := srv.Detach(); err != nil {
					return err
				}
				detached = true
			}
			asked = true
		}
	}
}

// say tells who started the mount, and the log.
func (v *service) say(line string) {
	fmt.Fprintf(v.stderr, "snapmount: %s\n", line)
	if v.log.Place != "" {
		v.log.Warn(line)
	}
}

// because gives the first warning: most often the reason why there is nothing to see.
func because(s *points.Set) string {
	for _, w := range s.Warnings() {
		return " (" + w + ")"
	}
	return ""
}
