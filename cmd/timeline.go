package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"snapmount/ntfs/restore"
	"snapmount/ntfs/timeline"
)

// timelineFlags say what a timeline has in it.
type timelineFlags struct {
	out, format string
	points      bool
	distinct    bool
	usn, system bool
}

func newTimeline(o *openFlags) *cobra.Command {
	f := &timelineFlags{}
	c := &cobra.Command{
		Use:   "timeline LOCATION... -o FILE --format bodyfile|csv|jsonl|parquet",
		Short: "Write the times of all files at all points in time, each version once",
		Long: "timeline writes the times of all files over all points in time, deleted ones too. Each version of a file record is\n" +
			"one row for each of its names, whatever the number of points that have it, and one for each named stream:\n\n" +
			"  bodyfile  for mactime of The Sleuth Kit, with lines as fls -m gives them\n" +
			"  csv       log2timeline's 17 columns, a line for each moment\n" +
			"  jsonl     an object for each moment, as plaso and Timesketch know them\n" +
			"  parquet   a row for each version with all times and valid_from, valid_to",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, o, args) },
	}
	b := c.Flags()
	b.StringVarP(&f.out, "output", "o", "", "file to write, - for standard output")
	b.StringVar(&f.format, "format", "", "bodyfile, csv, jsonl or parquet")
	b.BoolVar(&f.points, "points", false, "a row for each point that has a file, with its path there")
	b.BoolVar(&f.distinct, "distinct", false, "a row for each version, with the path of its last point (the default)")
	b.BoolVar(&f.usn, "usn", false, "the records of the change journals of all points too, each once")
	b.BoolVar(&f.system, "system", false, "NTFS metafiles such as $MFT, and the files of VSS, too")
	return c
}

func (f *timelineFlags) run(c *cobra.Command, o *openFlags, args []string) error {
	switch {
	case timeline.NewWriter(f.format, io.Discard) == nil:
		return usageError{fmt.Errorf("--format %q: want bodyfile, csv, jsonl or parquet", f.format)}
	case f.out == "":
		return usageError{errors.New("-o: want a file to write, or - for standard output")}
	case f.points && f.distinct:
		return usageError{errors.New("--points and --distinct: want one of them")}
	}
	s, list, err := o.scopes(c.Context(), args)
	if err != nil {
		return err
	}
	defer s.Close()
	files, err := imageFiles(s)
	if err == nil {
		err = notOfImage(f.out, files)
	}
	if err != nil {
		return err
	}
	fails := &failures{out: c.ErrOrStderr()}
	err = writeWhole(f.out, c.OutOrStdout(), func(w io.Writer) error {
		t := timeline.NewWriter(f.format, w)
		for i := range list {
			if err := f.rows(c.Context(), &list[i], len(list) > 1, o, t, fails); err != nil {
				return err
			}
		}
		return t.Close()
	})
	if err != nil {
		return err
	}
	return fails.err()
}

// rows writes the rows of a volume.
func (f *timelineFlags) rows(ctx context.Context, sc *scope, several bool, o *openFlags, t timeline.Writer, fails *failures) error {
	if sc.below != "" {
		return usageError{fmt.Errorf("%s: a timeline is of a whole volume: leave the path out", sc.below)}
	}
	label := ""
	if several {
		label = sc.volume.Name
	}
	v := sc.timeline(label, fails.tell)
	defer o.progress("", 0, 0)
	for r, err := range v.Rows(ctx, timeline.RowOptions{Points: f.points, System: f.system, USN: f.usn, Progress: o.progress.Of(sc.volume.Name)}) {
		var gap *timeline.Gap
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &gap):
			fails.tell(sc.at(gap.First, gap.Last, err))
		case err != nil:
			fails.tell(fmt.Errorf("%s: %w", sc.volume.Name, err))
		default:
			if err := t.Write(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeWhole lets write fill the file at path, which is there under its name when all of it is, or not at all; - is
// stdout.
func writeWhole(path string, stdout io.Writer, write func(io.Writer) error) error {
	if path == "-" {
		return write(stdout)
	}
	f, err := restore.Create(path, true)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(fmt.Errorf("%s: not written: %w", path, err), f.Abort())
	}
	return f.Commit()
}
