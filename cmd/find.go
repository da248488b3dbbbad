package cmd

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/ntfs/timeline"
)

// findFlags are the words of a query.
type findFlags struct {
	regex, exact, deleted, ads, system, versions, json bool

	size, mtime, btime, kind, attr, owner, content, encoding string
}

func newFind(o *openFlags) *cobra.Command {
	f := &findFlags{}
	c := &cobra.Command{
		Use:   "find LOCATION... PATTERN",
		Short: "Find files over all points in time, each once with its interval",
		Long: "find looks for files at all points in time at once, and gives each once, with the first and the last point that has\n" +
			"it so. A LOCATION without a volume means all of them, one without a point all points, and a path all below it.\n\n" +
			"A PATTERN has to match all of a name or, with a slash in it, all of a path from the root on: * and ? stand for\n" +
			"characters but the slash, [a-z] for one, ** for any directories. Case does not matter, as the volume has it.",
		Example: "  snapmount find disk.vhd '*.docx'\n" +
			"  snapmount find disk.vhd:p2:/Users '*.pst' --size +1G --deleted\n" +
			"  snapmount find disk.vhd '*' --content 'invoice 4711' --mtime 2026-03-01..2026-03-31",
		Args: args(cobra.MinimumNArgs(2)),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, o, args) },
	}
	b := c.Flags()
	b.BoolVar(&f.regex, "regex", false, "PATTERN is a regular expression, which has to match a part of a name or, with a slash in it, of a path")
	b.BoolVar(&f.exact, "case", false, "upper and lower case differ, in PATTERN and in --content")
	b.StringVar(&f.size, "size", "", "bytes: 500 or =500 for just that, +10M for that and more, -1k for that and less")
	b.StringVar(&f.mtime, "mtime", "", "modified: A..B, each 2026-11-03 or 2026-11-03T14:22Z (UTC) or left out; -7d for within 7 days from now, +7d for before (m, h, d, w)")
	b.StringVar(&f.btime, "btime", "", "created: as --mtime")
	b.StringVar(&f.kind, "type", "", "f, d or l for files, directories and links; several as f,l")
	b.StringVar(&f.attr, "attr", "", "attributes that must be set, such as hidden,system")
	b.StringVar(&f.owner, "owner", "", "SID of the owner")
	b.BoolVar(&f.deleted, "deleted", false, "only what the newest of the points has no more, and the records of deleted files")
	b.BoolVar(&f.ads, "ads", false, "named streams too: a name matches as STREAM or FILE:STREAM")
	b.BoolVar(&f.system, "system", false, "NTFS metafiles such as $MFT, and the files of VSS, too")
	b.BoolVar(&f.versions, "versions", false, "a line for each version of a file record, not for each interval")
	b.StringVar(&f.content, "content", "", "a regular expression that the content must match; each content is read once")
	b.StringVar(&f.encoding, "encoding", "both", "of what --content looks for: utf-8, utf-16 (little-endian) or both")
	b.BoolVar(&f.json, "json", false, "one JSON object a line")
	return c
}

// run searches scope after scope.
func (f *findFlags) run(c *cobra.Command, o *openFlags, args []string) error {
	pattern := args[len(args)-1]
	if _, err := f.query(pattern, nil); err != nil { // before anything is opened
		return usageError{err}
	}
	o.size = 0 // --size is another one here
	s, list, err := o.scopes(c.Context(), args[:len(args)-1])
	if err != nil {
		return err
	}
	defer s.Close()
	fails := &failures{out: c.ErrOrStderr()}
	out := &hitWriter{w: bufio.NewWriter(c.OutOrStdout()), json: f.json, tty: isTerminal(c.OutOrStdout()), several: len(list) > 1}
	for i := range list {
		sc := &list[i]
		v := sc.timeline("", fails.tell)
		if err := f.search(c.Context(), sc, v, pattern, o, out, fails); err != nil {
			return err
		}
	}
	return cmp.Or(out.w.Flush(), fails.err())
}

// maxSorted is how many hits are sorted; more are given in the order of their records.
const maxSorted = 300_000

func (f *findFlags) search(ctx context.Context, sc *scope, v *timeline.Volume, pattern string, o *openFlags, out *hitWriter, fails *failures) error {
	var fold func(string) string
	for _, p := range v.Points {
		if p.Tree != nil {
			fold = p.Tree.Upper
		}
	}
	if fold == nil {
		return nil // told
	}
	q, err := f.query(pattern, fold)
	if err != nil {
		return usageError{err}
	}
	q.Below = sc.below
	all := trees(v)
	progress := o.progress.Of(sc.volume.Name)
	defer o.progress("", 0, 0)
	dirs := timeline.ReadDirs(ctx, all, progress)
	var hits []timeline.Hit
	for h, err := range timeline.Find(ctx, all, dirs, q, progress) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			fails.tell(sc.at(h.First, h.Last, err))
			continue
		}
		if h.Err != nil {
			fails.tell(sc.at(h.First, h.Last, fmt.Errorf("%s: %w", h.Path, h.Err)))
		}
		if hits = append(hits, h); len(hits) >= maxSorted {
			out.write(sc, hits)
			hits = hits[:0]
		}
	}
	out.write(sc, hits)
	return nil
}

// query makes the query. Without fold, nothing but whether it can be made counts.
func (f *findFlags) query(pattern string, fold func(string) string) (q timeline.Query, err error) {
	q = timeline.Query{Owner: f.owner, Streams: f.ads, Deleted: f.deleted, System: f.system, Versions: f.versions}
	if f.exact {
		fold = nil
	}
	if f.regex {
		q.Name, err = timeline.Regexp(pattern, f.exact)
	} else {
		q.Name, err = timeline.Glob(pattern, fold)
	}
	var errs []error
	note := func(flag string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
	}
	errs = append(errs, err)
	q.Size, err = sizeRange(f.size)
	note("size", err)
	q.Modified, err = timeRange(f.mtime)
	note("mtime", err)
	q.Created, err = timeRange(f.btime)
	note("btime", err)
	q.Kinds, err = kindsOf(f.kind)
	note("type", err)
	q.Attr, err = attrOf(f.attr)
	note("attr", err)
	if f.encoding != "utf-8" && f.encoding != "utf-16" && f.encoding != "both" {
		note("encoding", fmt.Errorf("%q: want utf-8, utf-16 or both", f.encoding))
	}
	if f.content != "" {
		q.Content, err = timeline.NewContent(f.content, f.exact, f.encoding != "utf-16", f.encoding != "utf-8")
		note("content", err)
	}
	return q, errors.Join(errs...)
}

// hitJSON is one object of "find --json".
type hitJSON struct {
	Path     name        `json:"path"`
	Ref      string      `json:"ref"`
	First    string      `json:"first"` // points
	Last     string      `json:"last"`
	Size     int64       `json:"size"`  // of the newest version, as is all but the interval
	Mtime    *string     `json:"mtime"` // likewise
	Match    string      `json:"match"` // name, path, ads or content
	Volume   string      `json:"volume"`
	Image    string      `json:"image"`
	Kind     string      `json:"kind"`
	Btime    *string     `json:"btime"`
	Attr     []string    `json:"attributes"`
	Versions int         `json:"versions"`
	Deleted  bool        `json:"deleted"` // found in the record of a deleted file
	Orphan   bool        `json:"orphan"`  // path is only the end of one
	Stream   name        `json:"stream,omitempty"`
	Matches  []matchJSON `json:"matches,omitempty"`
	Error    string      `json:"error,omitempty"`
}

type matchJSON struct {
	Offset   int64  `json:"offset"`
	Line     int64  `json:"line,omitempty"`
	Text     string `json:"text"`
	Encoding string `json:"encoding"`
}

type hitWriter struct {
	w                  *bufio.Writer
	json, tty, several bool
}

// write prints hits, sorted by path and then by time.
func (o *hitWriter) write(sc *scope, hits []timeline.Hit) {
	slices.SortStableFunc(hits, func(a, b timeline.Hit) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	for i := range hits {
		h := &hits[i]
		if o.json {
			_ = json.NewEncoder(o.w).Encode(hitOf(sc, h)) // a bufio.Writer keeps its error for Flush
		} else {
			o.line(sc, h)
		}
	}
}

func hitOf(sc *scope, h *timeline.Hit) hitJSON {
	j := hitJSON{Path: name(h.Path), Ref: h.Ref.String(), First: sc.points[h.First].Name, Last: sc.points[h.Last].Name, Size: h.Size,
		Mtime: stamp(h.Modified), Match: h.By, Volume: sc.volume.Name, Image: sc.volume.Image.Path, Kind: kindName(h.Kind),
		Btime: stamp(h.Created), Attr: append([]string{}, h.Attr.Words()...), Versions: h.Versions,
		Deleted: h.Deleted, Orphan: h.Orphan, Stream: name(h.Stream)}
	for _, m := range h.Matches {
		j.Matches = append(j.Matches, matchJSON{m.Off, m.Line, m.Text, encodingOf(m)})
	}
	if h.Err != nil {
		j.Error = oneLine(h.Err)
	}
	return j
}

func encodingOf(m timeline.Match) string {
	if m.Wide {
		return "utf-16"
	}
	return "utf-8"
}

// line prints interval, size, modification time and path, and below them what was found in the content.
func (o *hitWriter) line(sc *scope, h *timeline.Hit) {
	clean := func(s string) string {
		if o.tty {
			return printable(s)
		}
		return s
	}
	path := h.Path
	if h.Orphan {
		path = "(orphan) " + path
	}
	if h.Deleted {
		path += " (deleted)"
	}
	if o.several {
		path = sc.volume.Name + ":" + path
	}
	interval := sc.points[h.First].Name
	if h.Last > h.First {
		interval += ".." + sc.points[h.Last].Name
	}
	fmt.Fprintf(o.w, "%-38s %14d  %s  %s\n", interval, h.Size, h.Modified.Time().Format("2006-01-02 15:04:05"), clean(path))
	for _, m := range h.Matches {
		where := fmt.Sprintf("offset %d", m.Off)
		if m.Line > 0 {
			where += fmt.Sprintf(", line %d", m.Line)
		}
		fmt.Fprintf(o.w, "    %s: %s\n", where, printable(strings.TrimSpace(m.Text)))
	}
}
