package cmd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount"
	"snapmount/mount/locate"
	"snapmount/mount/tree"
)

func newSambaConf() *cobra.Command {
	return &cobra.Command{
		Use:   "samba-conf MOUNTPOINT",
		Short: "Print the shares by which Samba offers a mount with its previous versions",
		Long: "samba-conf prints a section of smb.conf for each volume of a mount. Windows PCs in the network then see the volume as it is " +
			"now, and its points in time as Previous Versions of every file and folder. The mount has names that Samba looks for " +
			"(--time-format samba), and lets its users in (--allow-other, and --umask or --group). What is printed belongs in smb.conf, or in a file that a line " +
			"\"include = FILE\" of it names.",
		Example: "  snapmount mount -d --allow-other --time-format samba disk.vhdx /mnt/snap\n" +
			"  snapmount samba-conf /mnt/snap >shares.conf",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: mountPoints,
		RunE: func(c *cobra.Command, args []string) error {
			if onWindows {
				return fmt.Errorf("%w: %s: shares are of a mount, and Windows mounts nothing: \"snapmount serve --listen '*'\" shows all points to other machines", mount.ErrRefused, args[0])
			}
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			shares, err := sambaShares(dir)
			if err != nil {
				return err
			}
			return printShares(c.OutOrStdout(), dir, shares)
		},
	}
}

// sambaShares names the directories of the volumes in a mount.
func sambaShares(dir string) (volumes []string, err error) {
	if strings.ContainsAny(dir, "%\n\r\"") || strings.TrimSpace(dir) != dir {
		return nil, usagef("%s: Samba takes no path with %%, a quote or a line break in it: mount elsewhere", dir)
	}
	if !locate.Inside(dir) {
		return nil, usagef("%s: is no mount of snapmount (snapmount mounts lists them)", dir)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		points, err := os.ReadDir(filepath.Join(dir, e.Name(), "snapshots"))
		if err != nil {
			continue // README.txt, raw, sets, what is locked
		}
		found, other := 0, ""
		for _, p := range points {
			switch {
			case strings.HasPrefix(p.Name(), "@GMT-"):
				found++
			case p.IsDir():
				other = p.Name()
			}
		}
		if found == 0 && other != "" {
			return nil, usagef("%s: Samba does not know names as %s: mount it with --time-format %s", dir, other, tree.TimeSamba)
		}
		volumes = append(volumes, e.Name())
	}
	if volumes == nil {
		return nil, usagef("%s: has no volume to share", dir)
	}
	return volumes, nil
}

// shareName is a name that smb.conf and clients take.
func shareName(volume string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`[]/\%<>*?|:;"+=,`, r) {
			return '_'
		}
		return r
	}, volume)
}

// printShares prints the sections.
func printShares(w io.Writer, dir string, volumes []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# The volumes of the mount %s, with their points in time as previous versions.\n", text.Printable(dir))
	fmt.Fprint(&b, "# Who may read is decided here and by --umask of the mount; \"guest ok = yes\" lets all in.\n"+
		"# Streams over 64 KiB are not offered. The two modules below are in Debian's package samba-vfs-modules.\n")
	for _, v := range volumes {
		base := filepath.Join(dir, v)
		fmt.Fprintf(&b, `
[%s]
  path = %[2]s/current
  read only = yes
  mangled names = no
  store dos attributes = yes
  map archive = no
  map readonly = no
  vfs objects = shadow_copy2 streams_xattr
  streams_xattr:prefix = user.DosStream.
  streams_xattr:store_stream_type = yes
  shadow:basedir = %[2]s/current
  shadow:snapdir = %[2]s/snapshots
  shadow:format = @GMT-%%Y.%%m.%%d-%%H.%%M.%%S
  shadow:sort = desc
  shadow:localtime = no
`, shareName(v), base)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
