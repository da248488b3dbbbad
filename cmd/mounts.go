package cmd

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount"
	"snapmount/mount/report"
)

func newMounts() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "mounts",
		Short: "List the mounts that are being served",
		Long: "mounts lists what snapmount has mounted on this computer: where, since when, by which process, and which images. " +
			"A mount of another user who lets nobody else in is listed without the last three, for root too.",
		Example: "  snapmount mounts\n" +
			"  snapmount mounts --json | jq -r .mountpoint",
		Args: args(cobra.ExactArgs(0)),
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := mount.Mounts()
			if err != nil {
				return err
			}
			out := text.NewOut(c.OutOrStdout())
			if asJSON {
				for _, m := range all {
					out.JSON(mountLine(m))
				}
			} else if len(all) > 0 {
				printMounts(out, all)
			}
			return out.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	inGroup(c.Flags(), groupOutput, "json")
	return c
}

func mountLine(m mount.Mounted) report.Mount {
	line := report.Mount{Schema: report.Schema, Mountpoint: m.Dir, Images: m.Images}
	if m.UID >= 0 {
		line.UID = &m.UID
	}
	if m.Err != nil {
		line.Error = report.OneLine(m.Err)
	} else {
		line.Pid, line.Since = &m.Pid, &m.Since
	}
	return line
}

func printMounts(out *text.Out, all []mount.Mounted) {
	out.Table(func(row func(string, ...any)) {
		if out.Terminal {
			row("MOUNT POINT\tSINCE\tPROCESS\tIMAGE")
		}
		for _, m := range all {
			since, pid, images := m.Since.Format("2006-01-02T15:04:05Z"), strconv.Itoa(m.Pid), strings.Join(m.Images, ", ")
			if m.Err != nil {
				since, pid, images = "-", "-", images+" ("+report.OneLine(m.Err)+")"
			}
			row("%s\t%s\t%s\t%s", text.Printable(m.Dir), since, pid, text.Printable(images))
		}
	})
}

// mountPoints completes the mount points that words do not have yet.
func mountPoints(_ *cobra.Command, words []string, _ string) ([]string, cobra.ShellCompDirective) {
	all, err := mount.Mounts()
	if err != nil || len(words) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, m := range all {
		about := "does not answer"
		if m.Err == nil {
			about = "since " + m.Since.Local().Format(time.DateTime) + ": " + strings.Join(m.Images, ", ")
		}
		out = append(out, cobra.CompletionWithDesc(text.Printable(m.Dir), text.Printable(about)))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
