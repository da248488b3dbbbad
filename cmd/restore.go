package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snapmount/cmd/text"
	"snapmount/mount/process"
	"snapmount/mount/receipt"
	"snapmount/mount/selection"
	"snapmount/ntfs/restore"
)

// restoreFlags are what "restore" is asked for.
type restoreFlags struct {
	open   *openFlags
	filter selection.Filter
	opts   restore.Options
	about  receipt.About

	target, overwrite, to, receipt, progress string
	sha256sums                               string
	dryRun, summary, applyMeta, sidecar      bool
}

const restoreLong = `Restore copies what LOCATIONs name into the directory DEST, which is made if it is not there: a file or a directory
by its name, or with a slash at its end what is in a directory, or all of a volume. As with cp, DEST is the new name of
one file where no directory is there and it ends like the file (offer.txt to old.txt); DEST/ is always a directory, and
one that ends in .zip or .tar an archive, as with --to. A path that is not there as it
stands may be a pattern, as find has them: * ? and [..] stand for letters of a name and ** for any directories; what it
finds keeps its place below the first directory that is given in full. FILE:STREAM is a stream alone.

Without a volume, IMAGE@POINT means all volumes that have the point, as those of a shadow copy set do: each goes to a
directory of its name below DEST. Without a point, it is the current state.

  --as-of TIME           instead the newest snapshot that was not taken after
                         TIME. What is not in it is taken from the newest before
                         that has it, which is told.
  --deleted              what some snapshot has and the current state lacks,
                         each from the newest that has it. A file that was
                         renamed, or whose path has another file, is not
                         deleted.
  --changed-since POINT  what its path did not lead to at POINT, with the same
                         content and streams: so what was renamed or moved is
                         restored too. What cannot be compared is restored, and
                         told.

  --last-good            after ransomware: of each file that is damaged now, or
                         went in an attack, the newest version whose content is
                         good, whatever point has it. The plan comes first;
                         encrypted files stay where they are, DEST has to be a
                         new folder, and what nobody can decide on is listed and
                         restored with --undecided only. The exit code is 7
                         where some file has no good version, and 11 where some
                         are undecided.

Nothing that is there is replaced without --overwrite, and nothing has its name before it is complete: what was ended
goes on with --resume. What fails is told, the rest is restored, and the exit code is 7.

Of the metadata, what DEST cannot hold is kept in DEST/.snapmount-meta.jsonl; --apply-meta sets it on a copy elsewhere.
The last member of an archive has all of it, for --apply-meta where the archive is unpacked.`

func newRestore(o *openFlags) *cobra.Command {
	r := &restoreFlags{open: o}
	c := &cobra.Command{
		Use:   "restore LOCATION... DEST",
		Short: "Copy files and directories, with all metadata, from any point in time",
		Long:  restoreLong,
		Example: "  snapmount restore disk.vhd@latest:/Users/ann/report.txt .\n" +
			"  snapmount restore disk.vhd@2026-11-03:/Users/*/Documents/**/*.docx found\n" +
			"  snapmount restore --deleted disk.vhd:/Users/ann/ found\n" +
			"  snapmount restore --last-good --dry-run disk.vhd rescued\n" +
			"  snapmount restore --to - disk.vhd@vss2:/Users/ann | ssh host tar -x",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if r.target != "" {
				args = append(args, r.target)
			}
			if r.applyMeta {
				if len(args) != 1 {
					return usagef("--apply-meta: want the directory, and nothing else")
				}
				return applyMeta(c, args[0])
			}
			if r.to == "-" {
				r.to, args = "tar", append(args, "-")
			}
			if len(args) < 2 {
				return usagef("want LOCATION... DEST")
			}
			return r.run(c, args[:len(args)-1], args[len(args)-1])
		},
	}
	r.add(c)
	return c
}

func (r *restoreFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&r.filter.Exclude, "exclude", nil, "leave out what a `PATTERN` matches: names, or with a slash paths from the root on; a slash at its end: directories only (may be repeated)")
	f.StringVar(&r.filter.Newer, "newer", "", "only files modified at this `TIME` or after it")
	f.StringVar(&r.filter.Older, "older", "", "only files modified before this `TIME`")
	f.StringVar(&r.filter.ChangedSince, "changed-since", "", "only files whose content, streams or path differ from this `POINT`")
	f.BoolVar(&r.filter.Deleted, "deleted", false, "only files that the current state lacks, each as the newest point has it")
	f.StringVar(&r.filter.AsOf, "as-of", "", "for locations without a point: the newest that is not after this `TIME`")
	f.StringVarP(&r.target, "target", "t", "", "`DEST`, before the LOCATIONs or among them")
	f.StringVar(&r.to, "to", "", "`FORMAT` of DEST: a directory (dir), or an archive (tar, zip), - for standard output; --to - writes a tar there, without DEST (default what DEST ends in, else dir)")
	f.BoolVar(&r.filter.LastGood, "last-good", false, "of what is damaged now, or went in an attack, the newest good version of each file")
	f.BoolVar(&r.filter.Undecided, "undecided", false, "with --last-good: also what was before of files on which nobody can decide")
	r.addOverwrite(f)
	f.BoolVar(&r.opts.Resume, "resume", false, "go on with a restore that was ended")
	f.BoolVar(&r.opts.Partial, "partial", false, "write files of which ranges are lost too, with holes there and a note (NAME.ranges)")
	f.BoolVar(&r.opts.Verify, "verify", false, "read back what was written; for archives, read each file twice")
	f.StringVar(&r.receipt, "receipt", "", "write to this `FILE`, in JSON, what was restored, from where, and its sha256")
	f.StringVar(&r.sha256sums, "sha256sums", "", "write to this `FILE` the hash of each file, for sha256sum -c in DEST")
	f.BoolVar(&r.dryRun, "dry-run", false, "tell what would be restored, and the space for it")
	f.BoolVar(&r.summary, "summary", false, "tell the sum of that alone")
	f.IntVar(&r.opts.Jobs, "jobs", 0, "`N` files at once (default one for each processor)")
	f.StringVar(&r.progress, "progress", "", "`HOW` to tell how far it is: plain, json or none (default a line that changes, on a terminal)")
	f.BoolVar(&r.opts.NoSidecar, "no-sidecar", false, "drop the metadata that DEST cannot hold")
	f.BoolVar(&r.sidecar, "sidecar", false, "keep it of one plain file too, which any copy of it lacks: permissions, attributes, times, short name")
	f.BoolVar(&r.applyMeta, "apply-meta", false, "set the metadata that an earlier restore kept aside: restore --apply-meta DIR")
	inGroup(f, groupWhich, "exclude", "newer", "older", "changed-since", "deleted", "as-of", "last-good", "undecided")
	inGroup(f, "How files are written", "target", "to", "overwrite", "resume", "partial", "verify", "dry-run", "summary", "jobs", "no-sidecar", "sidecar", "apply-meta")
	addAbout(f, &r.about)
	inGroup(f, groupOutput, "receipt", "sha256sums", "progress")
	rare(f, "jobs", "no-sidecar", "sidecar", "apply-meta")
}

// addAbout adds what is said of the work in a receipt, or a report.
func addAbout(f *pflag.FlagSet, about *receipt.About) {
	f.StringVar(&about.Case, "case", "", "`NAME` or number of the case, as the receipt or report is to have it")
	f.StringVar(&about.Examiner, "examiner", "", "`NAME` of the examiner, likewise")
	f.StringVar(&about.Notes, "notes", "", "`TEXT` likewise")
	inGroup(f, groupOutput, "case", "examiner", "notes")
}

// addOverwrite adds what undelete has, too.
func (r *restoreFlags) addOverwrite(f *pflag.FlagSet) {
	f.StringVar(&r.overwrite, "overwrite", "never", "`WHEN` to replace files that are there: never, always, if-changed (size, time or content), if-newer")
	optional(f, "overwrite", "always", "never", "always", "if-changed", "if-newer")
}

// check makes sense of the flags, but for those of the filter.
func (r *restoreFlags) check(dest string) error {
	var ok bool
	r.opts.Overwrite, ok = map[string]restore.Overwrite{"never": restore.Never, "always": restore.Always,
		"if-changed": restore.IfChanged, "if-newer": restore.IfNewer}[r.overwrite]
	switch {
	case !ok:
		return usagef("--overwrite %q: want never, always, if-changed or if-newer", r.overwrite)
	case r.to != "" && r.to != "dir" && r.to != "tar" && r.to != "zip":
		return usagef("--to %q: want dir, tar, zip or -", r.to)
	case !map[string]bool{"": true, "plain": true, "json": true, "none": true}[r.progress]:
		return usagef("--progress %q: want plain, json or none", r.progress)
	case r.sidecar && r.opts.NoSidecar:
		return usagef("--sidecar and --no-sidecar: want one of them")
	case r.opts.Jobs < 0:
		return usagef("--jobs %d: want how many files at once", r.opts.Jobs)
	case (r.to == "" || r.to == "dir") && dest == "-":
		return usagef("standard output: want --to tar or --to zip")
	case r.about != (receipt.About{}) && r.receipt == "":
		return usagef("--case, --examiner and --notes: are for a receipt, want --receipt FILE")
	case r.receipt == "-":
		return usagef("--receipt -: want a file")
	case r.sha256sums == "-":
		return usagef("--sha256sums -: want a file")
	case r.receipt != "" && r.receipt == r.sha256sums:
		return usagef("--receipt and --sha256sums: want two files")
	}
	return nil
}

// land says what dest is, by its name and what was chosen.
func (r *restoreFlags) land(s *selection.Selection, tell *text.Reporter, dest string) (string, error) {
	if r.to == "" {
		l, err := s.Land(dest)
		if err != nil {
			return "", err
		}
		if l.Note != "" {
			tell.Note(l.Note)
		}
		r.to, dest = l.To, l.Path
	}
	if r.to != "dir" && r.opts.Resume {
		return "", usagef("--resume: not with --to %s", r.to)
	}
	return dest, nil
}

func (r *restoreFlags) run(c *cobra.Command, locations []string, dest string) error {
	if err := r.check(dest); err != nil {
		return err
	}
	tell := text.NewReporter(c.ErrOrStderr())
	if r.filter.LastGood {
		if err := r.newFolder(dest); err != nil {
			return err
		}
		r.open.concluding(tell)
	}
	hooks := selection.Hooks{Note: tell.Note}
	r.filter.Clock = r.open.clock
	if r.progress == "" || r.progress == "plain" {
		hooks.Progress = r.open.progress
	}
	s, err := r.open.opener().Restore(c.Context(), locations, r.filter, hooks)
	if err != nil {
		return err
	}
	defer s.Close()
	return r.selected(c, s, tell, locations, dest)
}

// selected plans or does the restore of what was selected.
func (r *restoreFlags) selected(c *cobra.Command, s *selection.Selection, tell *text.Reporter, locations []string, dest string) (err error) {
	if err := r.protect(s, dest); err != nil {
		return err
	}
	if dest, err = r.land(s, tell, dest); err != nil {
		return err
	}
	r.opts.Names.Windows = onWindows
	r.opts.Names.UTF8 = r.opts.Names.Windows || runtime.GOOS == "darwin"
	r.opts.LinkText = s.LinkText
	if r.filter.LastGood {
		words := r.words(c, dest)
		r.lastGood(s, words)
		defer func() { err = r.sumUp(s, words, err) }()
	}
	if r.opts.Spare = s.Single() && !r.sidecar; r.dryRun || r.summary {
		return r.plan(c.Context(), s, text.NewOut(c.OutOrStdout()), tell, dest)
	}
	if err := r.fits(c.Context(), s, tell, dest); err != nil {
		return err
	}
	err = r.restore(c.Context(), c, s, tell, locations, dest)
	if r.to == "dir" && errors.Is(err, process.ErrInterrupted) {
		err = fmt.Errorf("%w; --resume goes on with it", err)
	}
	return err
}

// protect makes sure that nothing replaces a file of the images.
func (r *restoreFlags) protect(s *selection.Selection, dest string) (err error) {
	if r.opts.Protected, err = selection.HostFiles(s.Sets...); err != nil {
		return err
	}
	for _, out := range []string{dest, r.receipt, r.sha256sums} {
		if err := restore.CheckTarget(out); err != nil {
			return usageError{Err: err}
		}
		if err := selection.NotOfImage(out, r.opts.Protected); err != nil {
			return err
		}
	}
	if r.open.force && !slices.ContainsFunc(r.opts.Protected, func(f fs.FileInfo) bool { return f.Mode()&fs.ModeDevice != 0 }) {
		return usagef("--force: is for images that are block devices; --overwrite replaces files that are there")
	}
	return nil
}

// restore does it, and tells what became of it.
func (r *restoreFlags) restore(ctx context.Context, c *cobra.Command, s *selection.Selection, tell *text.Reporter, locations []string, dest string) error {
	if r.to == "dir" {
		if err := makeDir(dest); err != nil {
			return err
		}
	}
	progress := newRestoreProgress(r.progress, c.ErrOrStderr(), func(ctx context.Context) (restore.Plan, error) {
		return restore.Count(ctx, s.Sources(ctx), r.opts, nil)
	})
	tell.Pause = progress.Pause
	report := &restoreReport{flags: r, selection: s, tell: tell, start: time.Now()}
	if err := r.lists(report, locations, dest); err != nil {
		return err
	}
	opts := r.opts
	opts.Done, opts.Progress = report.done, progress.told
	opts.Warn = func(err error) { tell.Note(dest + ": " + err.Error()) }
	progress.start(ctx)
	report.all(s.Lost)
	var err error
	if r.to == "dir" {
		opts.NoHash = r.receipt == "" && r.sha256sums == "" // to hash takes longer than to copy, and nothing else shows it
		err = toDir(ctx, dest, s, opts)
	} else {
		err = r.toArchive(ctx, dest, text.Raw(c.OutOrStdout()), s, opts)
	}
	progress.end()
	if err == nil {
		for _, res := range s.Unmatched() {
			res.Order = math.MaxInt64 // after all that the walk came to
			report.done(res)
		}
	}
	return report.close(r.words(c, dest), dest, err)
}

// words is where lines go.
func (r *restoreFlags) words(c *cobra.Command, dest string) io.Writer {
	if r.to != "dir" && dest == "-" {
		return c.ErrOrStderr() // the archive is on the other one
	}
	return c.OutOrStdout()
}

func toDir(ctx context.Context, dest string, s *selection.Selection, opts restore.Options) error {
	root, err := os.OpenRoot(dest)
	if err != nil {
		return err
	}
	defer root.Close()
	return restore.Run(ctx, root, s.Sources(ctx), opts)
}

// makeDir makes a directory if there is none.
func makeDir(dest string) error {
	if err := restore.CheckTarget(dest); err != nil {
		return usageError{Err: err}
	}
	if info, err := os.Stat(filepath.Clean(dest)); err == nil && !info.IsDir() {
		return usagef("%s: is a file, want a directory", dest)
	}
	return os.MkdirAll(dest, 0o755)
}

func (r *restoreFlags) toArchive(ctx context.Context, dest string, stdout io.Writer, s *selection.Selection, opts restore.Options) error {
	format := restore.Tar
	if r.to == "zip" {
		format = restore.Zip
	}
	return restore.Whole(dest, r.opts.Overwrite == restore.Always, stdout, opts.Warn, func(w io.Writer) error {
		return restore.Archive(ctx, w, format, s.Sources(ctx), opts)
	})
}
