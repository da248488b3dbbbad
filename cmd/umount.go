package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"snapmount/mount"
)

func newUmount() *cobra.Command {
	lazy := false
	c := &cobra.Command{
		Use:     "umount MOUNTPOINT",
		Aliases: []string{"unmount"},
		Short:   "End a mount",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			ended := make(chan error, 1)
			go func() { ended <- mount.Unmount(args[0], lazy) }()
			select {
			case err := <-ended:
				return err
			case <-c.Context().Done(): // what was asked for is done without us
				return context.Cause(c.Context())
			}
		},
	}
	c.Flags().BoolVarP(&lazy, "lazy", "l", false, "detach at once, even if it is in use")
	return c
}
