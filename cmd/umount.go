package cmd

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount"
	"snapmount/mount/report"
)

func newUmount() *cobra.Command {
	lazy, all := false, false
	c := &cobra.Command{
		Use:     "umount MOUNTPOINT",
		Aliases: []string{"unmount"},
		Short:   "End a mount",
		Long: "umount ends a mount of snapmount, and returns when its program has ended too. A directory that was made for it " +
			"goes again. One that is in use stays, and who uses it is named.",
		Example: "  snapmount umount mnt\n" +
			"  snapmount umount --lazy mnt          although it is in use\n" +
			"  snapmount umount --all",
		ValidArgsFunction: mountPoints,
		Args: func(c *cobra.Command, words []string) error {
			if all {
				return args(cobra.ExactArgs(0))(c, words)
			}
			return args(cobra.ExactArgs(1))(c, words)
		},
		RunE: func(c *cobra.Command, args []string) error {
			ended := make(chan error, 1)
			go func() {
				if all {
					ended <- unmountAll(c, lazy)
				} else {
					ended <- mount.Unmount(args[0], lazy)
				}
			}()
			select {
			case err := <-ended:
				return err
			case <-c.Context().Done(): // what was asked for is done without us
				return context.Cause(c.Context())
			}
		},
	}
	c.Flags().BoolVarP(&lazy, "lazy", "l", false, "detach at once, even if it is in use")
	c.Flags().BoolVarP(&all, "all", "a", false, "end all mounts that this user made")
	inGroup(c.Flags(), "What is ended", "all", "lazy")
	return c
}

// unmountAll ends the mounts of the user who runs this, the latest first, and goes on after one that does not end.
func unmountAll(c *cobra.Command, lazy bool) error {
	mounts, err := mount.Mounts()
	if err != nil {
		return err
	}
	failed := 0
	for i := range mounts {
		m := mounts[len(mounts)-1-i]
		if m.UID >= 0 && m.UID != os.Geteuid() {
			continue
		}
		if err := mount.Unmount(m.Dir, lazy); err != nil {
			fmt.Fprintf(c.ErrOrStderr(), "snapmount: %s\n", text.Printable(report.OneLine(err)))
			failed++
			continue
		}
		fmt.Fprintf(c.OutOrStdout(), "unmounted %s\n", text.Printable(m.Dir))
	}
	if failed > 0 {
		return codedError{exitPartial, errTold}
	}
	return nil
}
