package cmd

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/imagefmt/layer"
)

// helperName is the name under which mount(8) calls this program for the type snapmount, from a command line or for a
// line of fstab. Packages have a link of that name in /usr/sbin.
const helperName = "mount.snapmount"

// Codes of mount(8), which hands on those of its helper.
const (
	mountUsage       = 1
	mountInterrupted = 8
	mountFailed      = 32
)

// Run is the whole program: words are its name and its arguments. It returns the exit code.
func Run(words []string, main func(args []string) int) int {
	if len(words) == 0 || filepath.Base(words[0]) != helperName {
		return main(words[min(1, len(words)):])
	}
	switch main(slices.Concat([]string{helperName}, words[1:])) {
	case exitOK:
		return exitOK
	case exitUsage:
		return mountUsage
	case exitInterrupted:
		return mountInterrupted
	}
	return mountFailed
}

// newMountHelper translates what mount(8) gives its helpers, as its manual has it, into the command "mount" of root.
func newMountHelper(root *cobra.Command) *cobra.Command {
	var options []string
	namespace, fake := "", false
	c := &cobra.Command{
		Use:    helperName + " IMAGE MOUNTPOINT [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]",
		Hidden: true,

		DisableFlagsInUseLine: true,

		Short: "What mount(8) calls for the type snapmount",
		Long: "mount.snapmount is called by mount(8), for \"mount -t snapmount\" and for lines of fstab such as the one below. " +
			"It returns when the mount answers. The options are the flags of \"snapmount mount\" by name, with \"_\" or \"-\" " +
			"in them, and what all file systems have; \"snapmount mount --help-all\" lists them. key_file=FILE unlocks encrypted volumes.",
		Example: "  mount -t snapmount /images/old.qcow2 /mnt/old -o uid=ann\n" +
			"  /images/old.qcow2  /mnt/old  snapmount  noauto,allow_other,group=staff  0 0",
		Args: args(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, words []string) error {
			switch {
			case namespace != "":
				return fmt.Errorf("-N %s: mounting into another namespace is %w: run: nsenter --mount=%[1]s snapmount -d IMAGE MOUNTPOINT", namespace, layer.ErrUnsupported)
			case slices.Contains(listOptions(options), "remount"):
				return usagef("-o remount: the options of a mount cannot be changed: unmount it first")
			case fake:
				return nil
			}
			// "nodev" tells mount that it is called by mount(8), which waits, and says rw where nobody said so.
			root.SetArgs([]string{"mount", "-o", strings.Join(append(options, "nodev"), ","), "--", words[0], words[1]})
			return root.ExecuteContext(c.Context())
		},
	}
	f := c.Flags()
	f.StringArrayVarP(&options, "options", "o", nil, "mount options")
	f.StringVarP(&namespace, "namespace", "N", "", "a mount namespace: refused, with the line that does it")
	f.BoolVarP(&fake, "fake", "f", false, "mount nothing")
	f.BoolP("sloppy", "s", false, "nothing: an unknown option is refused all the same")
	f.BoolP("no-mtab", "n", false, "nothing: there is no such file")
	f.BoolP("verbose", "v", false, "nothing: what is wrong is said anyway")
	f.StringP("type", "t", "", "nothing: there is one type")
	inGroup(f, "What mount(8) gives", "options", "namespace", "fake", "sloppy", "no-mtab", "verbose", "type")
	return c
}
