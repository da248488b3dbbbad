package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount"
	"snapmount/mount/process"
	"snapmount/mount/report"
	"snapmount/mount/serve"
)

// A mapper makes what is served a drive.
type mapper struct {
	drive  string
	blocks func() []string
	limit  func() int64
	add    func(drive, host, path, user, password string) (string, error)
	cancel func(drive string) error
}

func newMap(o *openFlags, s *process.Signals) *cobra.Command {
	m := &mapper{blocks: process.DriveBlocks, limit: process.DriveLimit, add: process.MapDrive, cancel: process.UnmapDrive}
	v := &serveFlags{open: o, signals: s, serve: serve.Options{Listen: "127.0.0.1:0", WebDAV: true}, beside: m.run}
	c := &cobra.Command{
		Use:   "map IMAGE...",
		Short: "Show all points in time as a drive of Windows, without a driver",
		Long: "map serves images as serve does, to this machine alone, and gives them a drive letter, as \"net use\" would, until Ctrl-C. " +
			"It is for Windows, which has no FUSE; elsewhere mount is what does it. The page of serve has more, and no limits.\n\n" +
			"Windows does this by its service WebClient, which has limits of its own: no file over 50 MB (FileSizeLimitInBytes in the registry), " +
			"no directory of more than some thousand entries (FileAttributesLimitInBytes), and no password over plain http, so that an " +
			"administrator has to set BasicAuthLevel once. What is in the way is told, with the commands that change it. " +
			"The author could not try it on a real Windows.",
		Example: "  snapmount map disk.vhdx                on the last free letter\n" +
			"  snapmount map --drive S: disk.vhdx",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, images []string) error {
			if !onWindows {
				return fmt.Errorf("%w: a drive letter is for Windows; here it is: %s", mount.ErrRefused, lineOf([]string{"mount", images[0], "DIR"}))
			}
			if err := process.CheckDrive(m.drive); err != nil {
				return usagef("--drive %w", err)
			}
			return v.run(c, images)
		},
	}
	f := c.Flags()
	f.StringVar(&m.drive, "drive", "", "`LETTER:` of the drive (default the last that is free)")
	addView(f, &v.serve.View.Points, &v.serve.View.Time, &v.serve.View.Volume, &v.serve.System)
	v.log.add(f)
	inGroup(f, "How it is served", "drive", "log", "log-level")
	inGroup(f, groupShown, "points", "time-format", "volume-name", "system")
	rare(f, "time-format", "volume-name", "log", "log-level")
	return c
}

// run maps what a server serves until ctx ends. Without a drive, that ends by itself.
func (m *mapper) run(ctx context.Context, server *serve.Server, stdout, stderr io.Writer) error {
	drive, err := m.add(m.drive, strings.TrimPrefix(server.Address(), "http://"), "/dav/", "snapmount", server.Token())
	if err != nil {
		for _, line := range m.blocks() {
			fmt.Fprintf(stderr, "snapmount: %s\n", line)
		}
		return fmt.Errorf("%w: the drive: %w; \"snapmount serve --open\" shows the same in a browser", mount.ErrRefused, err)
	}
	fmt.Fprintf(stdout, "drive %s until Ctrl-C; Windows reads no file over %s there, the page does\n", drive, text.Bytes(m.limit()))
	<-ctx.Done()
	if err := m.cancel(drive); err != nil {
		return fmt.Errorf("drive %s stays (%s): net use %[1]s /delete", drive, report.OneLine(err))
	}
	return nil
}
