package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/restore"
)

// A restorer is one run of "restore".
type restorer struct {
	open *openFlags
	opts restore.Options

	overwrite, to, receipt, shown string
	asOf, since, newerTo, olderTo string
	exclude                       []string
	deleted, dryRun, onlyMeta     bool
	newer, older                  *time.Time
	excluded                      []exclusion
	sets                          []*points.Set
	chosen                        []*chosen
	points                        map[*ntfs.Tree]*points.Point
	origins                       map[string]*points.Point
	gone                          map[goneID]*goneSet
	lost                          []restore.Result // what is wanted, but not known in full
	stdout, stderr                io.Writer
	report                        *restoreReport

	mu    sync.Mutex
	notes map[string]bool // that were told
}

const restoreLong = `Restore copies what LOCATIONs name into the directory DEST, which is made if it is not there: a file or a directory
by its name, or with a slash at its end what is in a directory, or all of a volume. A path that is not there as it
stands may be a pattern, in which * ? and [..] stand for letters of a name and ** for any directories; what it finds keeps
its place below the first directory that is given in full. FILE:STREAM is a stream alone.

Without a volume, IMAGE@POINT means all volumes that have the point, as those of a shadow copy set do: each goes to a
directory of its name below DEST. Without a point, it is the current state.

  --as-of TIME           instead the newest snapshot that was not taken after TIME. What is not in it is taken from the
                         newest before that has it, which is told.
  --deleted              what some snapshot has and the current state lacks, each from the newest that has it. A file
                         that was renamed, or whose path has another file, is not deleted.
  --changed-since POINT  what its path did not lead to at POINT, with the same content and streams: so what was renamed
                         or moved is restored too. What cannot be compared is restored, and told.

Nothing that is there is replaced without --overwrite, and nothing has its name before it is complete: what was ended
goes on with --resume. What fails is told, the rest is restored, and the exit code is 7.

Of the metadata, what DEST cannot hold is kept in DEST/.snapmount-meta.jsonl; --apply-meta sets it on a copy elsewhere.
The last member of an archive has all of it, for --apply-meta where the archive is unpacked.`

func newRestore(o *openFlags) *cobra.Command {
	r := &restorer{open: o}
	c := &cobra.Command{
		Use:   "restore LOCATION... DEST",
		Short: "Copy files and directories, with all metadata, from any point in time",
		Long:  restoreLong,
		Example: "  snapmount restore disk.vhd@latest:/Users/ann/report.txt .\n" +
			"  snapmount restore disk.vhd@2026-11-03:/Users/*/Documents/**/*.docx found\n" +
			"  snapmount restore --deleted disk.vhd:/Users/ann/ found\n" +
			"  snapmount restore --to - disk.vhd@vss2:/Users/ann | ssh host tar -x",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			r.stdout, r.stderr = c.OutOrStdout(), c.ErrOrStderr()
			if r.onlyMeta {
				if len(args) != 1 {
					return usageError{errors.New("--apply-meta: want the directory, and nothing else")}
				}
				return applyMeta(c, args[0])
			}
			if r.to == "-" {
				r.to, args = "tar", append(args, "-")
			}
			if len(args) < 2 {
				return usageError{errors.New("want LOCATION... DEST")}
			}
			return r.run(c.Context(), args[:len(args)-1], args[len(args)-1])
		},
	}
	r.addFlags(c)
	return c
}

func (r *restorer) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&r.exclude, "exclude", nil, "leave out what a `PATTERN` matches: names, or with a slash paths from the root on; a slash at its end: directories only (may be repeated)")
	f.StringVar(&r.newerTo, "newer", "", "only files modified at this `TIME` (UTC) or after it")
	f.StringVar(&r.olderTo, "older", "", "only files modified before this `TIME` (UTC)")
	f.StringVar(&r.since, "changed-since", "", "only files whose content, streams or path differ from this `POINT`")
	f.BoolVar(&r.deleted, "deleted", false, "only files that the current state lacks, each as the newest point has it")
	f.StringVar(&r.asOf, "as-of", "", "for locations without a point: the newest that is not after this `TIME` (UTC)")
	f.StringVar(&r.to, "to", "dir", "`FORMAT` of DEST: a directory (dir), or an archive (tar, zip), - for standard output; --to - writes a tar there, without DEST")
	f.StringVar(&r.overwrite, "overwrite", "never", "`WHEN` to replace files that are there: never, always, if-changed (size, time or content), if-newer")
	f.BoolVar(&r.opts.Resume, "resume", false, "go on with a restore that was ended")
	f.BoolVar(&r.opts.Partial, "partial", false, "write files of which ranges are lost too, with holes there and a note (NAME.ranges)")
	f.BoolVar(&r.opts.Verify, "verify", false, "read back what was written; for archives, read each file twice")
	f.StringVar(&r.receipt, "receipt", "", "write to this `FILE`, in JSON, what was restored, from where, and its sha256")
	f.BoolVar(&r.dryRun, "dry-run", false, "tell what would be restored, and the space for it")
	f.IntVar(&r.opts.Jobs, "jobs", 0, "`N` files at once (default one for each processor)")
	f.StringVar(&r.shown, "progress", "", "`HOW` to tell how far it is: plain, json or none (default a line that changes, on a terminal)")
	f.BoolVar(&r.opts.NoSidecar, "no-sidecar", false, "drop the metadata that DEST cannot hold")
	f.BoolVar(&r.onlyMeta, "apply-meta", false, "set the metadata that an earlier restore kept aside: restore --apply-meta DIR")
}

// check makes sense of the flags.
func (r *restorer) check(dest string) error {
	var ok bool
	r.opts.Overwrite, ok = map[string]restore.Overwrite{"never": restore.Never, "always": restore.Always,
		"if-changed": restore.IfChanged, "if-newer": restore.IfNewer}[r.overwrite]
	switch {
	case !ok:
		return usageError{fmt.Errorf("--overwrite %q: want never, always, if-changed or if-newer", r.overwrite)}
	case r.to != "dir" && r.to != "tar" && r.to != "zip":
		return usageError{fmt.Errorf("--to %q: want dir, tar, zip or -", r.to)}
	case r.shown != "" && r.shown != "plain" && r.shown != "json" && r.shown != "none":
		return usageError{fmt.Errorf("--progress %q: want plain, json or none", r.shown)}
	case r.opts.Jobs < 0:
		return usageError{fmt.Errorf("--jobs %d: want how many files at once", r.opts.Jobs)}
	case r.deleted && (r.asOf != "" || r.since != ""):
		return usageError{errors.New("--deleted: looks at all points, so not with --as-of or --changed-since")}
	case r.to == "dir" && dest == "-":
		return usageError{errors.New("standard output: want --to tar or --to zip")}
	case r.receipt == "-":
		return usageError{errors.New("--receipt -: want a file")}
	case r.to != "dir" && r.opts.Resume:
		return usageError{fmt.Errorf("--resume: not with --to %s", r.to)}
	}
	for _, t := range []struct {
		flag, text string
		at         **time.Time
	}{{"newer", r.newerTo, &r.newer}, {"older", r.olderTo, &r.older}} {
		if t.text == "" {
			continue
		}
		from, _, err := points.ParseTime(t.text)
		if err != nil {
			return usageError{fmt.Errorf("--%s: %w", t.flag, err)}
		}
		*t.at = &from
	}
	if r.asOf != "" {
		if _, _, err := points.ParseTime(r.asOf); err != nil {
			return usageError{fmt.Errorf("--as-of: %w", err)}
		}
	}
	for _, text := range r.exclude {
		x, err := newExclusion(text)
		if err != nil {
			return usageError{fmt.Errorf("--exclude %q: %w", text, err)}
		}
		r.excluded = append(r.excluded, x)
	}
	return nil
}

func (r *restorer) run(ctx context.Context, locations []string, dest string) error {
	if err := r.check(dest); err != nil {
		return err
	}
	defer func() {
		for _, s := range r.sets {
			s.Close()
		}
	}()
	r.points, r.origins, r.gone, r.notes = map[*ntfs.Tree]*points.Point{}, map[string]*points.Point{}, map[goneID]*goneSet{}, map[string]bool{}
	if err := r.choose(ctx, locations); err != nil {
		return err
	}
	if err := r.protect(dest); err != nil {
		return err
	}
	r.opts.Names.Windows = runtime.GOOS == "windows"
	r.opts.Names.UTF8 = r.opts.Names.Windows || runtime.GOOS == "darwin"
	r.opts.LinkText = func(n *ntfs.Node) (string, error) { return r.points[n.Tree()].LinkTarget(n) }
	if r.dryRun {
		return r.plan(ctx, dest)
	}
	err := r.restore(ctx, locations, dest)
	if r.to == "dir" && errors.Is(err, errInterrupted) {
		err = fmt.Errorf("%w; --resume goes on with it", err)
	}
	return err
}

// note tells what the user should know and is no failure, once, and not without end.
func (r *restorer) note(format string, args ...any) {
	const most = 1000
	text := fmt.Sprintf(format, args...)
	r.mu.Lock()
	told := r.notes[text] || len(r.notes) == most
	if !told {
		r.notes[text] = true
	}
	if !told && len(r.notes) == most {
		text = "there is more of this kind, which is not told one by one"
	}
	r.mu.Unlock()
	switch {
	case told:
	case r.report != nil:
		r.report.tell("%s", text)
	default:
		fmt.Fprintln(r.stderr, "snapmount: "+text)
	}
}

// protect makes sure that nothing replaces a file of the images.
func (r *restorer) protect(dest string) (err error) {
	if r.opts.Protected, err = imageFiles(r.sets...); err != nil {
		return err
	}
	for _, out := range []string{dest, r.receipt} {
		if err := notOfImage(out, r.opts.Protected); err != nil {
			return err
		}
	}
	return nil
}
