package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	access  accessFlags
	log     logFlags
	mount   mount.Options
}

func (m *mountFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.BoolVarP(&m.daemon, "daemon", "d", false, "return when the mount answers, and go on serving it")
	f.BoolVar(&m.mount.AllowOther, "allow-other", false, "let other users of this computer in, as far as --umask or --group show them anything")
	m.access.add(c)
	addView(f, &m.mount.View.Points, &m.mount.View.Time, &m.mount.View.Volume, &m.mount.System)
	f.StringVar(&m.mount.Via, "via", "auto", "what mounts: fuse; nfs, which a Mac and root on Linux have without it; or auto: nfs where there is no FUSE")
	f.BoolVar(&m.mount.NonEmpty, "nonempty", false, "mount over what the directory holds")
	f.StringArrayVarP(&m.options, "options", "o", nil, "mount options, as in fstab: the flags here by name (allow_other,cache=64M)")
	m.log.add(f)
	inGroup(f, "How it is mounted", "daemon", "via", "nonempty", "options", "log", "log-level")
	inGroup(f, "Who sees it", "allow-other", "owner", "uid", "gid", "group", "umask", "fmask", "dmask", "mode", "modes")
	inGroup(f, groupShown, "points", "time-format", "volume-name", "system")
	rare(f, "time-format", "volume-name", "via", "nonempty", "log", "log-level", "owner", "gid", "fmask", "dmask", "mode", "modes")
}

// addView adds the flags of a tree: which points it shows, and under which names.
func addView(f *pflag.FlagSet, points, time, volume *string, system *bool) {
	f.StringVar(points, "points", "all", "snapshots to show: all, or numbers, ranges (3..5), ids and times, with commas")
	f.StringVar(time, "time-format", "", "names of snapshots: %Y %m %d %H %M %S of their time in UTC, %n number, %i id; or samba, for Previous Versions (see samba-conf)")
	f.StringVar(volume, "volume-name", "", "names of volumes: %p partition, %d image, %l label")
	f.BoolVar(system, "system", false, "list NTFS metafiles such as $MFT")
}

func newMount(o *openFlags, s *process.Signals) *cobra.Command {
	m := &mountFlags{open: o, signals: s}
	c := &cobra.Command{
		Use:   "mount IMAGE... MOUNTPOINT",
		Short: "Mount all points in time of all NTFS volumes, read-only",
		Long: "mount shows all points in time as directories of one tree, until Ctrl-C or \"snapmount umount\" ends it. The mount " +
			"point is an empty directory, or is made; README.txt in it tells what is there. The word mount may be left out. Where there is " +
			"no FUSE, a Mac, and root on Linux, mount by NFS (--via).\n\n" +
			"-o takes options as mount(8) and fstab have them: the flags here by name, with values behind \"=\", and commas " +
			"between them. Where a package is installed, \"mount -t snapmount IMAGE MOUNTPOINT\" and lines of fstab of the type " +
			"snapmount do the same as -d.",
		Example: "  snapmount mount disk.vhdx mnt\n" +
			"  snapmount mount -d --key-file keys.txt disk.vhdx mnt\n" +
			"  snapmount mount -d disk.vhdx mnt && ls mnt/*/snapshots\n" +
			"  snapmount mount --points latest -o uid=ann,cache=512M disk.vhdx /mnt/disk",
		Args: args(cobra.MinimumNArgs(2)),
		RunE: m.run,
	}
	m.add(c)
	return c
}

func (m *mountFlags) run(c *cobra.Command, args []string) error {
	fuse, helped, err := setOptions(c.Flags(), m.options)
	m.mount.FUSE = fuse
	if err == nil {
		err = m.access.set(c.Flags(), &m.mount)
	}
	switch dir := args[len(args)-1]; {
	case err != nil:
		return err
	case !slices.Contains(mount.Vias, m.mount.Via):
		return usagef("--via %s: want %s", m.mount.Via, strings.Join(mount.Vias, ", "))
	case dir == "":
		return usagef("the mount point is an empty word")
	case process.InBackground():
		return m.inBackground(args)
	case m.daemon, helped && !c.Flags().Changed("daemon"): // mount(8) waits for its helper
		out := c.OutOrStdout()
		if helped {
			out = io.Discard
		}
		return m.start(c.Context(), out, c.ErrOrStderr())
	}
	v := service{mountFlags: m, stderr: c.ErrOrStderr(), end: []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}}
	if v.log, err = m.log.open(args, false, v.stderr); err != nil {
		return err
	}
	m.open.keys.warnSeen(v.stderr)
	return v.serve(args, func(s *points.Set, dir string) {
		m.printMounted(c.OutOrStdout(), s, dir, "Ctrl-C or ")
	})
}

// printMounted tells what is mounted, who sees it, and how to end it; or says another way to, first.
func (m *mountFlags) printMounted(w io.Writer, s *points.Set, dir, or string) {
	printFound(w, s)
	for _, img := range s.Images {
		if slices.ContainsFunc(s.Unopened(img), func(e *points.VolumeError) bool { return e.Locked }) {
			fmt.Fprintf(w, "what opens it: %s\n", lineOf([]string{"unlock", img.Path}))
		}
	}
	fmt.Fprintf(w, "mounted on %s; %s\"snapmount umount %s\" ends it\n", dir, or, dir)
	if who := visible(&m.mount); who != "" {
		fmt.Fprintln(w, who)
	}
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
	asService()
	v.open.warn = func(err error) {
		if v.ready.Load() || v.log.Place != "" {
			v.log.Warn(report.OneLine(err))
		}
	}
	v.mount.Warn = v.warn
	s, err := v.open.readable(v.signals.Context, images)
	if err != nil {
		return err
	}
	defer s.Close()
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

// asService prepares this process for serving.
func asService() {
	signal.Ignore(syscall.SIGPIPE) // a reader of our output who goes away is no reason to end
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // most of the heap is caches, which would cost their size once more
	}
}

// readable opens images that are to be served; nothing that can be read in them is an error.
func (o *openFlags) readable(ctx context.Context, images []string) (*points.Set, error) {
	s, err := o.open(ctx, images)
	if err != nil {
		return nil, err
	}
	return o.shown(s, images)
}

// shown is a set of which something can be read; others are closed.
func (o *openFlags) shown(s *points.Set, images []string) (*points.Set, error) {
	o.keys.wipe() // a tree enters no images inside others
	err := s.Readable()
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, points.ErrNoNTFS):
		err = fmt.Errorf("%s: %w%s", images[0], err, because(s))
	default:
		err = fmt.Errorf("%w: %s: nothing can be read: %w", mount.ErrRefused, images[0], err)
	}
	return nil, errors.Join(err, s.Close())
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
