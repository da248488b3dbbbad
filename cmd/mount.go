package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"snapmount/mount"
	"snapmount/mount/tree"
)

type mountFlags struct {
	open   *openFlags
	daemon bool
	mount  mount.Options
}

func (m *mountFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.BoolVarP(&m.daemon, "daemon", "d", false, "return when the mount answers, and go on serving it")
	f.BoolVar(&m.mount.AllowOther, "allow-other", false, "let other users of this computer in")
	f.StringVar(&m.mount.View.Points, "points", "all", "snapshots to show: all, or numbers, ranges (3..5), ids and times, with commas")
	f.StringVar(&m.mount.View.Time, "time-format", "", "names of snapshots: %Y %m %d %H %M %S of their time in UTC, %n number, %i id")
	f.StringVar(&m.mount.View.Volume, "volume-name", "", "names of volumes: %p partition, %d image, %l label")
	f.BoolVar(&m.mount.System, "system", false, "list NTFS metafiles such as $MFT")
}

// childVariable tells the process that --daemon starts what it is.
const childVariable = "SNAPMOUNT_DAEMON_CHILD"

func newMount(o *openFlags) *cobra.Command {
	m := &mountFlags{open: o}
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
	if args[len(args)-1] == "" {
		return usageError{errors.New("the mount point is an empty word")}
	}
	switch {
	case os.Getenv(childVariable) != "":
		return m.serveChild(args)
	case m.daemon:
		return startDaemon(c.OutOrStdout())
	}
	return m.serve(c, args, func(s *tree.Set, dir string) {
		printFound(c.OutOrStdout(), s)
		fmt.Fprintf(c.OutOrStdout(), "mounted on %s; Ctrl-C or \"snapmount umount %s\" ends it\n", dir, dir)
	})
}

// serve mounts, calls ready, and serves until the mount is gone.
func (m *mountFlags) serve(c *cobra.Command, args []string, ready func(*tree.Set, string)) error {
	images, dir := args[:len(args)-1], args[len(args)-1]
	s, err := m.open.open(images)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.NTFS(); err != nil {
		return fmt.Errorf("%s: %w%s", images[0], err, because(s))
	}
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	srv, err := mount.Mount(dir, s, m.mount)
	if err != nil {
		return err
	}
	ready(s, dir)
	gone := make(chan error, 1)
	go func() { gone <- srv.Wait() }()
	asked := false
	for {
		select {
		case err := <-gone:
			return err
		case sig := <-stop:
			err := srv.Unmount()
			if err == nil {
				continue
			}
			if sig == os.Interrupt && !asked {
				asked = true
				fmt.Fprintf(c.ErrOrStderr(), "snapmount: %s is in use: leave it, or press Ctrl-C again to detach it\n", dir)
				continue
			}
			return srv.Detach()
		}
	}
}

// because gives the first warning: most often the reason why there is nothing to see.
func because(s *tree.Set) string {
	for _, w := range s.Warnings() {
		return " (" + w + ")"
	}
	return ""
}

func newUmount() *cobra.Command {
	lazy := false
	c := &cobra.Command{
		Use:     "umount MOUNTPOINT",
		Aliases: []string{"unmount"},
		Short:   "End a mount",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			return mount.Unmount(args[0], lazy)
		},
	}
	c.Flags().BoolVarP(&lazy, "lazy", "l", false, "detach at once, even if it is in use")
	return c
}
