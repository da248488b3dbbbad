package cmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs/timeline"
)

// A finder is the command "find".
type finder struct {
	query selection.Query
	json  bool
	zero  bool

	out      *text.Out
	tell     *text.Reporter
	progress layer.Progress
	several  bool // volumes
	result   findResult
}

func newFind(o *openFlags) *cobra.Command {
	f := &finder{}
	c := &cobra.Command{
		Use:   "find LOCATION... PATTERN",
		Short: "Find files over all points in time, each once with its interval",
		Long: "find looks for files at all points in time at once, and gives each once, with the first and the last point that has\n" +
			"it so. A LOCATION without a volume means all of them, one without a point all points, and a path all below it.\n\n" +
			"A PATTERN has to match all of a name or, with a slash in it, all of a path from the root on: * and ? stand for\n" +
			"characters of a name, [a-z] and [!a-z] for one, ** between slashes for any number of names. So /Letters/** is all\n" +
			"below Letters; a slash at the end means directories only. Case does not matter, as the volume has it.",
		Example: "  snapmount find disk.vhd '*.docx'\n" +
			"  snapmount find disk.vhd:p2:/Users '*.pst' --size +1G --deleted\n" +
			"  snapmount find disk.vhd '*' --content 'invoice 4711' --mtime 2026-03-01..\n" +
			"  snapmount find disk.vhd:/Users '*' --state spoiled",
		Args: args(cobra.MinimumNArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			f.out, f.tell, f.progress = o.out(c.OutOrStdout()), text.NewReporter(c.ErrOrStderr()), o.progress
			f.tell.Capped = true
			o.concluding(f.tell)
			return f.tell.Done(f.out, f.run(c.Context(), o, args[:len(args)-1], args[len(args)-1]))
		},
	}
	b, q := c.Flags(), &f.query
	b.BoolVar(&q.Regexp, "regex", false, "PATTERN is a regular expression, which has to match a part of a name or, with a slash in it, of a path")
	b.BoolVar(&q.Exact, "case", false, "upper and lower case differ, in PATTERN and in --content")
	b.StringVar(&q.Size, "size", "", "bytes: 500 or =500 for just that, +10M for that and more, -1k for that and less")
	b.StringVar(&q.Modified, "mtime", "", "modified: a time such as 2026-11-03, yesterday or 2026-03, or A..B, of which one may be left out; -7d for since 7 days ago, +7d for before (m, h, d, w)")
	b.StringVar(&q.Created, "btime", "", "created: as --mtime")
	b.StringVar(&q.Kinds, "type", "", "f, d or l for files, directories and links; several as f,l")
	b.StringVar(&q.Attr, "attr", "", "attributes that must be set, such as hidden,system")
	b.StringVar(&q.Owner, "owner", "", "SID of the owner")
	b.BoolVar(&q.Deleted, "deleted", false, "only what the newest of the points has no more, and the records of deleted files")
	b.BoolVar(&q.Streams, "ads", false, "named streams too: a name matches as STREAM or FILE:STREAM")
	b.BoolVar(&q.System, "system", false, "NTFS metafiles such as $MFT, and the files of VSS, too")
	b.BoolVar(&q.Versions, "versions", false, "a line for each version of a file, counted as history does, not for each interval")
	b.StringVar(&q.Content, "content", "", "a regular expression that the content must match; each content is read once")
	b.StringVar(&q.State, "state", "", "of the content, held against what the file had before: spoiled (as by encryption), torn, incomplete, whole, open, recoverable, undecided or unknown")
	b.StringVar(&q.Encoding, "encoding", "both", "of what --content looks for: utf-8, utf-16 (little-endian) or both")
	b.BoolVar(&f.json, "json", false, "one JSON object a line")
	b.BoolVarP(&f.zero, "print0", "0", false, "LOCATIONs alone, each of the last point that has the file so, as they are with a zero byte behind: for xargs -0 snapmount")
	inGroup(b, groupWhich, "regex", "case", "size", "mtime", "btime", "type", "attr", "owner", "deleted", "ads", "system", "content", "state", "encoding")
	inGroup(b, groupOutput, "versions", "json", "print0")
	rare(b, "encoding", "attr", "owner")
	return c
}

// run searches scope after scope.
func (f *finder) run(ctx context.Context, o *openFlags, locations []string, pattern string) error {
	f.query.Pattern, f.query.Clock = pattern, o.clock
	if _, err := f.query.Compile(nil); err != nil { // before anything is opened
		return err
	}
	s, err := o.opener().Scopes(ctx, locations)
	if err != nil {
		return err
	}
	defer s.Close()
	f.tell.Searched(s.Lost, s.Others)
	f.several = len(s.List) > 1
	for _, sc := range s.List {
		if err := f.search(ctx, sc); err != nil {
			return err
		}
	}
	if f.out.Terminal && !f.json && !f.zero {
		f.result.again = o.again()
		f.result.print(f.out, s.List, &f.query)
	}
	return nil
}

// maxSorted is how many hits are sorted; more are given in the order of their records.
const maxSorted = 300_000

func (f *finder) search(ctx context.Context, sc *selection.Scope) error {
	trees, fold := sc.Trees(func(err error) { f.tell.Fail("", err) })
	if fold == nil {
		return nil // told
	}
	q, err := f.query.Compile(fold)
	if err != nil {
		return err
	}
	q.Below = sc.Below
	defer f.progress("", 0, 0)
	progress := f.progress.Of(sc.Volume.Name)
	dirs := timeline.ReadDirs(ctx, trees, progress)
	var hits []timeline.Hit
	for h, err := range timeline.Find(ctx, trees, dirs, q, progress) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			f.tell.Fail("", sc.At(h.First, h.Last, err))
			continue
		}
		switch {
		case h.Err == nil:
		case sc.LeftOut(&h):
			f.tell.LeftOut()
		default:
			f.tell.Fail("", sc.At(h.First, h.Last, fmt.Errorf("%s: %w", h.Path, h.Err)))
		}
		if hits = append(hits, h); len(hits) >= maxSorted {
			f.write(sc, hits)
			hits = hits[:0]
		}
	}
	f.write(sc, hits)
	return nil
}

// write prints hits, sorted by path and then by time.
func (f *finder) write(sc *selection.Scope, hits []timeline.Hit) {
	slices.SortStableFunc(hits, func(a, b timeline.Hit) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	for i := range hits {
		h := &hits[i]
		f.result.add(sc, h)
		switch {
		case f.json:
			f.out.JSON(report.HitOf(sc.Points, h))
		case f.zero:
			fmt.Fprintf(f.out.Content(), "%s\x00", report.HitLocation(sc.Points, h))
		default:
			f.line(sc, h)
		}
	}
}

// line prints interval, size, modification time and path, and below them what was found in the content.
func (f *finder) line(sc *selection.Scope, h *timeline.Hit) {
	path := h.Path
	if h.Orphan {
		path = "(orphan) " + path
	}
	if h.Deleted {
		path += " (deleted)"
	}
	if f.query.Versions && h.Version > 0 {
		path += fmt.Sprintf("  [version %d]", h.Version)
		if h.Unknown != nil {
			path = strings.TrimSuffix(path, "]") + "; whether it differs is unknown]"
		}
	}
	if f.several {
		path = sc.Volume.Name + ":" + path
	}
	interval := sc.Points[h.First].Name
	if h.Last > h.First {
		interval += ".." + sc.Points[h.Last].Name
	}
	if f.result.hits == 1 {
		f.out.Head("%-38s %14s  %-*s  %s", "points", "size", f.out.TimeWidth(), "modified", "path")
	}
	style := text.Plain
	if h.Deleted || h.Last < len(sc.Points)-1 {
		style = text.Gone
	}
	f.out.Line(style, "%-38s %14d  %s  %s", interval, h.Size, f.out.Time(h.Modified.Time()), text.Printable(path))
	if h.Verdict != nil {
		fmt.Fprintf(f.out, "    %v by %v: %s\n", h.Verdict.State, h.Verdict.Rule, text.Printable(h.Verdict.Why))
	}
	for _, m := range h.Matches {
		where := fmt.Sprintf("offset %d", m.Off)
		if m.Line > 0 {
			where += fmt.Sprintf(", line %d", m.Line)
		}
		fmt.Fprintf(f.out, "    %s: %s\n", where, text.Printable(strings.TrimSpace(m.Text)))
	}
}
