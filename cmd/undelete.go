package cmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/selection"
)

// An undeleter is the command "undelete".
type undeleter struct {
	restore     *restoreFlags
	at          string
	newest, all bool
}

const undeleteLong = `undelete finds what some snapshot has and the current state lacks, and restores it into the directory DEST, which is the
current one if it is left out, or to what else DEST means to restore. NAME is a whole name, or with * ? or [..] a pattern as find has them; a LOCATION with a
path names one file or directory, wherever it was.

Of several files it asks which; where nobody can be asked it lists them, and --all or --newest says which. Each comes from
the newest point that has it. Where two have one name, all keep their directories, below one of their volume's name. A file that was renamed, or whose path has another file now, is not deleted: history lists
its versions.`

func newUndelete(o *openFlags) *cobra.Command {
	u := &undeleter{restore: &restoreFlags{open: o}}
	c := &cobra.Command{
		Use:   "undelete IMAGE[:VOLUME] NAME [DEST] | LOCATION [DEST]",
		Short: "Find deleted files by name over all points in time, and restore them",
		Long:  undeleteLong,
		Example: "  snapmount undelete disk.vhd report.docx\n" +
			"  snapmount undelete disk.vhd '*.jpg' found --all\n" +
			"  snapmount undelete disk.vhd:/Users/ann/report.docx found",
		Args: args(cobra.RangeArgs(1, 3)),
		RunE: func(c *cobra.Command, args []string) error { return u.run(c, args) },
	}
	f := c.Flags()
	f.BoolVar(&u.newest, "newest", false, "of several files the one that was deleted last")
	f.BoolVar(&u.all, "all", false, "all of several files")
	f.StringVar(&u.at, "at", "", "as this `POINT` has them, not the newest that does")
	u.restore.addOverwrite(f)
	inGroup(f, groupWhich, "newest", "all", "at")
	inGroup(f, groupOutput, "overwrite")
	return c
}

func (u *undeleter) run(c *cobra.Command, args []string) error {
	if u.all && u.newest {
		return usagef("--all and --newest: want one of them")
	}
	tell := text.NewReporter(c.ErrOrStderr())
	found, err := u.restore.open.opener().Deleted(c.Context(), args, u.at, u.restore.open.progress)
	if err != nil {
		return err
	}
	tell.Searched(found.Lost, nil)
	chosen, err := u.choose(c, found)
	if err != nil || len(chosen) == 0 {
		return err
	}
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(d selection.Deleted) bool {
		return slices.ContainsFunc(chosen, d.Below) // a directory comes with all in it
	})
	var locations []string
	names := map[string]bool{}
	for _, d := range chosen {
		name := strings.ToLower(path.Base(d.Path))
		u.restore.filter.ByPath = u.restore.filter.ByPath || names[name] // two of one name
		names[name] = true
		line := fmt.Sprintf("%s: from %s", d.Path, d.Point)
		if d.Now != "" {
			line += "; it was renamed, and is " + d.Now + " at current"
		}
		tell.Line("%s", line)
		locations = append(locations, d.Location)
	}
	if err := u.restore.run(c, locations, found.Dest); err != nil {
		return err
	}
	return tell.Err("may be among what could not be looked at")
}

// choose says which of several to take.
func (u *undeleter) choose(c *cobra.Command, found *selection.DeletedFiles) ([]selection.Deleted, error) {
	list := found.List
	in, _ := c.InOrStdin().(*os.File)
	switch {
	case len(list) == 1 || u.all:
		return list, nil
	case u.newest:
		return list[:1], nil
	case in == nil || !text.IsTerminal(in) || !text.IsTerminal(c.ErrOrStderr()):
		u.list(c.OutOrStdout(), list)
		return nil, usagef("%d deleted files match: give a path, or --all, or --newest for the first of them", len(list))
	}
	u.list(c.ErrOrStderr(), list)
	return ask(c.Context(), in, c.ErrOrStderr(), list)
}

// list writes numbered lines, what was deleted last first.
func (u *undeleter) list(w io.Writer, list []selection.Deleted) {
	out := u.restore.open.out(w)
	out.Table(func(row func(string, ...any)) {
		row("  #\tlast at\tsize\tmodified\tpath")
		for i, d := range list {
			row("%3d\t%s\t%s\t%s\t%s", i+1, d.Point, text.Bytes(d.Size), out.Time(d.Modified), text.Printable(d.Path))
		}
	})
	_ = out.Flush() // of a list that goes before an error, or a question
}

// ask reads which are meant: numbers, or "all". Nothing is none.
func ask(ctx context.Context, in io.Reader, out io.Writer, list []selection.Deleted) ([]selection.Deleted, error) {
	fmt.Fprintf(out, "Which? (1-%d, several with commas, all, or nothing) ", len(list))
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // what there is, is the answer
		answer <- strings.TrimSpace(line)
	}()
	var line string
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case line = <-answer:
	}
	if strings.EqualFold(line, "all") {
		return list, nil
	}
	var chosen []selection.Deleted
	for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > len(list) {
			return nil, usagef("%q: want a number from 1 to %d", word, len(list))
		}
		chosen = append(chosen, list[n-1])
	}
	return chosen, nil
}
