package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/ntfs/restore"
)

// applyMeta gives what was restored, and then copied or moved to dir, the metadata of its sidecar.
func applyMeta(c *cobra.Command, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	tell := text.NewReporter(c.ErrOrStderr())
	done, failed := 0, 0
	err = restore.Apply(c.Context(), root, func(path string, lost []string, err error) {
		if err == nil && len(lost) > 0 {
			err = errors.New("not set: " + strings.Join(lost, ", "))
		}
		if err == nil {
			done++
			return
		}
		failed++
		tell.Fail(path, err)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: has no %s, which a restore leaves there: %w", dir, restore.SidecarName, fs.ErrNotExist)
	}
	fmt.Fprintf(c.OutOrStdout(), "metadata of %d files and directories set, %d not or in part\n", done, failed)
	if err == nil {
		err = tell.Err("could not be read")
	}
	return err
}
