package cmd

import (
	"cmp"
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/selection"
	"snapmount/ntfs/restore"
	"snapmount/ntfs/timeline"
)

// timelineFlags say what a timeline has in it.
type timelineFlags struct {
	out, format string
	points      bool
	distinct    bool
	usn, system bool
	overwrite   bool
}

func newTimeline(o *openFlags) *cobra.Command {
	f := &timelineFlags{}
	c := &cobra.Command{
		Use:   "timeline LOCATION... -o FILE --format bodyfile|csv|jsonl|parquet",
		Short: "Write the times of all files at all points in time, each version once",
		Long: "timeline writes the times of all files over all points in time, deleted ones too. Each version of a file, counted\n" +
			"as history does, is one row for each of its names, whatever the number of points that have it, and one for each named\n" +
			"stream; more only where the last access changed:\n\n" +
			"  bodyfile  for mactime of The Sleuth Kit, with lines as fls -m gives them\n" +
			"  csv       log2timeline's 17 columns, a line for each moment\n" +
			"  jsonl     an object for each moment, as plaso and Timesketch know them\n" +
			"  parquet   a row for each version with all times and valid_from, valid_to",
		Example: "  snapmount timeline disk.vhdx -o disk.csv --format csv\n" +
			"  snapmount timeline disk.vhdx -o - --format bodyfile | mactime -d -b -",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, o, args) },
	}
	b := c.Flags()
	b.StringVarP(&f.out, "output", "o", "", "file to write, - for standard output")
	b.StringVar(&f.format, "format", "", "bodyfile, csv, jsonl or parquet")
	b.BoolVar(&f.overwrite, "overwrite", false, "replace the file of -o, if it is there")
	b.BoolVar(&f.points, "points", false, "a row for each point that has a file, with its path there")
	b.BoolVar(&f.distinct, "distinct", false, "a row for each version, with the path of its last point (the default)")
	b.BoolVar(&f.usn, "usn", false, "the records of the change journals of all points too, each once")
	b.BoolVar(&f.system, "system", false, "NTFS metafiles such as $MFT, and the files of VSS, too")
	inGroup(b, groupOutput, "output", "format", "overwrite")
	inGroup(b, "Which rows", "points", "distinct", "usn", "system")
	return c
}

func (f *timelineFlags) run(c *cobra.Command, o *openFlags, args []string) error {
	switch {
	case timeline.NewWriter(f.format, io.Discard) == nil:
		return usagef("--format %q: want bodyfile, csv, jsonl or parquet", f.format)
	case f.out == "":
		return usagef("-o: want a file to write, or - for standard output")
	case f.points && f.distinct:
		return usagef("--points and --distinct: want one of them")
	}
	tell := text.NewReporter(c.ErrOrStderr())
	tell.Capped = true
	o.concluding(tell)
	s, err := o.opener().Scopes(c.Context(), args)
	if err != nil {
		return err
	}
	defer s.Close()
	files, err := selection.HostFiles(s.Sets...)
	if err == nil {
		err = selection.NotOfImage(f.out, files)
	}
	if err != nil {
		return err
	}
	tell.Searched(s.Lost, s.Others)
	stdout := c.OutOrStdout()
	if !text.IsTerminal(stdout) {
		stdout = text.Raw(stdout)
	}
	err = restore.Whole(f.out, f.overwrite, stdout, tell.NoteError, func(w io.Writer) error {
		t := timeline.NewWriter(f.format, w)
		for _, sc := range s.List {
			if err := f.rows(c.Context(), sc, len(s.List) > 1, o, t, tell); err != nil {
				return err
			}
		}
		return t.Close()
	})
	return cmp.Or(err, tell.Err("could not be read"))
}

// rows writes the rows of a volume.
func (f *timelineFlags) rows(ctx context.Context, sc *selection.Scope, several bool, o *openFlags, t timeline.Writer, tell *text.Reporter) error {
	if sc.Below != "" {
		return usagef("%s: a timeline is of a whole volume: leave the path out", sc.Below)
	}
	label := ""
	if several {
		label = sc.Volume.Name
	}
	v := sc.Timeline(label, func(err error) { tell.Fail("", err) })
	defer o.progress("", 0, 0)
	for r, err := range v.Rows(ctx, timeline.RowOptions{Points: f.points, System: f.system, USN: f.usn, Progress: o.progress.Of(sc.Volume.Name)}) {
		var gap *timeline.Gap
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &gap):
			tell.Fail("", sc.At(gap.First, gap.Last, err))
		case err != nil:
			tell.Fail(sc.Volume.Name, err)
		default:
			if err := t.Write(r); err != nil {
				return err
			}
		}
	}
	return nil
}
