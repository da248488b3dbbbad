package cmd

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/receipt"
	"snapmount/mount/report/page"
	"snapmount/mount/selection"
	"snapmount/ntfs/restore"
)

// reportFlags are what "report" is asked for.
type reportFlags struct {
	open            *openFlags
	about           receipt.About
	out             string
	files, patterns []string
	hash, overwrite bool
}

func newReport(o *openFlags) *cobra.Command {
	f := &reportFlags{open: o}
	c := &cobra.Command{
		Use:   "report IMAGE -o FILE.html",
		Short: "Write one page to hand over: image, hashes, volumes, points, damage, chosen files",
		Long: "report writes what info tells of an image, and the versions of chosen files over all points with their SHA-256, as " +
			"one page of HTML to read, print and keep. It needs nothing beside itself, and nothing in it runs. What could not be " +
			"looked at is on the page too, and told. The exit code is 4 where the image is damaged, and 7 where a volume is locked, as that of info.",
		Example: "  snapmount report disk.E01 --hash -o disk.html\n" +
			"  snapmount report disk.vhdx -o ann.html --file disk.vhdx:/Users/ann/report.txt\n" +
			"  snapmount report disk.vhdx -o docs.html --find '*.docx' --case 26/4711",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args[0]) },
	}
	b := c.Flags()
	b.StringArrayVar(&f.files, "file", nil, "the versions of what this `LOCATION` names (may be repeated)")
	b.StringArrayVar(&f.patterns, "find", nil, "the versions of each file that a `PATTERN` finds in the image, as that of find (may be repeated)")
	b.BoolVar(&f.hash, "hash", false, "read all of the image, and compare its hashes with those that it keeps")
	b.StringVarP(&f.out, "output", "o", "", "the `FILE` to write")
	b.BoolVar(&f.overwrite, "overwrite", false, "replace a file that is there")
	inGroup(b, "What is on the page", "file", "find", "hash")
	addAbout(b, &f.about)
	inGroup(b, groupOutput, "output", "overwrite")
	return c
}

func (f *reportFlags) run(c *cobra.Command, image string) error {
	if f.out == "" || f.out == "-" {
		return usagef("-o: want a file to write")
	}
	tell := text.NewReporter(c.ErrOrStderr())
	f.open.concluding(tell)
	p := &page.Page{Tool: "snapmount " + buildVersion(), Made: f.open.clock.Now.UTC().Format(time.RFC3339),
		Case: f.about.Case, Examiner: f.about.Examiner, Notes: f.about.Notes}
	var none error
	err := restore.Whole(f.out, f.overwrite, nil, tell.NoteError, func(w io.Writer) (err error) {
		if none, err = f.fill(c.Context(), p, image); err != nil {
			return err
		}
		return p.Write(w)
	})
	if err != nil {
		return err
	}
	for _, line := range p.Lost {
		tell.Fail("", fmt.Errorf("%s", line))
	}
	fmt.Fprintf(c.OutOrStdout(), "%s: %s, %s\n", text.Printable(f.out), text.Counted(len(p.Info.Volumes), "volume"), text.Counted(len(p.Files), "file"))
	for _, line := range p.Locked() {
		tell.Line("%s", line)
	}
	if n := len(p.Damages()) - len(p.Warnings()); n > 0 {
		err = codedError{exitDamaged, fmt.Errorf("%s: %s of damage, on the page", image, text.Counted(n, "line"))}
	} else if n := len(p.Locked()); n > 0 {
		err = codedError{exitPartial, fmt.Errorf("%s locked by BitLocker, and not in the report: %s tells what opens it", areVolumes(n), lineOf([]string{"unlock", image}))}
	}
	return cmp.Or(err, tell.Err("could not be looked at"), none)
}

// fill gathers all that is on the page. none says that the image has no volume to look into.
func (f *reportFlags) fill(ctx context.Context, p *page.Page, image string) (none, err error) {
	s, err := f.open.open(ctx, []string{image})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if _, err := s.NTFS(); err != nil {
		none = fmt.Errorf("%s: %w", image, err)
	}
	files, err := selection.HostFiles(s)
	if err == nil {
		err = selection.NotOfImage(f.out, files)
	}
	if err == nil {
		err = p.AddImages(ctx, s, f.hash, f.open.progress)
	}
	for _, location := range f.files {
		if err == nil {
			err = p.AddFile(ctx, f.open.opener(), location, f.open.progress)
		}
	}
	for _, pattern := range f.patterns {
		if err == nil {
			err = p.AddFound(ctx, f.open.opener(), image, selection.Query{Pattern: pattern, Encoding: "both", Kinds: "f", Clock: f.open.clock}, f.open.progress)
		}
	}
	return none, err
}
