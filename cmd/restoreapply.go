package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/ntfs/restore"
)

// applyMeta gives what was restored, and then copied or moved to dir, the metadata of its sidecar.
func applyMeta(c *cobra.Command, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	done, failed := 0, 0
	err = restore.Apply(c.Context(), root, func(path string, lost []string, err error) {
		switch {
		case err != nil:
			failed++
			fmt.Fprintf(c.ErrOrStderr(), "snapmount: %s: %s\n", printable(path), oneLine(err))
		case len(lost) > 0:
			failed++
			fmt.Fprintf(c.ErrOrStderr(), "snapmount: %s: not set: %s\n", printable(path), printable(strings.Join(lost, ", ")))
		default:
			done++
		}
	})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: has no %s, which a restore leaves there: %w", dir, restore.SidecarName, fs.ErrNotExist)
	}
	fmt.Fprintf(c.OutOrStdout(), "metadata of %d files and directories set, %d not or in part\n", done, failed)
	if err == nil && failed > 0 {
		err = errPartial
	}
	return err
}
