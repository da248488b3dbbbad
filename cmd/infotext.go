package cmd

import (
	"fmt"
	"io"
	"math"
	"strings"

	"snapmount/cmd/text"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/when"
)

// infoText prints what info tells.
type infoText struct {
	out     *text.Out
	clock   when.Clock
	verbose bool
}

func (t *infoText) print(s *points.Set, shown []*points.Volume, r report.Info) {
	w := t.out
	told := map[string]bool{}
	for i, img := range r.Images {
		for _, line := range img.Faults {
			told[line] = true
		}
		line := fmt.Sprintf("%s, %s", img.Format, text.Bytes(img.Size))
		if t.verbose {
			line += fmt.Sprintf(" (%d bytes)", img.Size)
		}
		if len(img.Files) > 1 {
			line += fmt.Sprintf(", %d files", len(img.Files))
		}
		w.Line(text.Heading, "%s: %s", text.Printable(img.Path), line)
		t.faults(img.Faults)
		t.layers(img.Layers)
		t.evidence(img.Evidence)
		if table := s.Images[i].Table; table != nil && table.Scheme == "searched" {
			w.Hung(text.Plain, "  ", "partition table: none that can be used; volumes found by searching where they mostly are (scan searches all)")
		} else if table != nil && table.Scheme != "none" && t.verbose {
			fmt.Fprintf(w, "  partition table: %s, %d-byte sectors\n", table.Scheme, table.SectorSize)
		}
	}
	for i, v := range r.Volumes {
		if t.volume(shown[i], v); v.Locked != nil {
			told[v.Name+": "+v.Locked.Error] = true
		}
	}
	for _, set := range r.Sets {
		fmt.Fprintf(w, "\nset {%s} of %s, %d of %d points here:\n", set.ID, t.stamp(set.Created), len(set.Points), set.Expected)
		for _, p := range set.Points {
			fmt.Fprintf(w, "  %s\n", text.Printable(p))
		}
	}
	for _, line := range r.Warnings {
		if !told[line] {
			w.Hung(text.Changed, "warning: ", text.Printable(line))
		}
	}
}

// stamp is a time as JSON has it, with all its digits where they are asked for.
func (t *infoText) stamp(json string) string {
	if t.verbose {
		return t.out.FullStamp(json)
	}
	return t.out.Stamp(json)
}

// printLayers lists earlier states, where there are any.
func (t *infoText) layers(layers []report.Layer) {
	if len(layers) < 2 {
		return
	}
	for i, l := range layers {
		what := l.Format
		if l.ID != nil {
			what = "internal snapshot " + *l.ID
		}
		when := "created " + t.stamp(valueOr(l.Created, "?"))
		if l.Created == nil && l.Modified != nil {
			when = "file modified " + t.stamp(*l.Modified)
		}
		fmt.Fprintf(t.out, "  layer %d: %s, %s, %s, %s\n", i, text.Printable(string(l.Name)), what, text.Bytes(l.Size), when)
	}
}

func (t *infoText) faults(faults []string) {
	for _, line := range faults {
		t.out.Hung(text.Fault, "  DAMAGED: ", text.Printable(line))
	}
}

func (t *infoText) volume(tv *points.Volume, v report.Volume) {
	line := fmt.Sprintf("%s, %s", contents(v), text.Bytes(v.Size))
	if t.verbose {
		line += fmt.Sprintf(" at %d", v.Offset)
		if v.ClusterSize > 0 {
			line += fmt.Sprintf(", clusters of %d", v.ClusterSize)
		}
	}
	if n := v.NTFS; n != nil {
		line += t.ntfs(n)
	}
	if kind := tv.Partition.Type; t.verbose && kind != "" && v.Partition > 0 {
		line += fmt.Sprintf(" (%s)", kind)
	}
	fmt.Fprintln(t.out)
	t.out.Line(text.Heading, "%s: %s", text.Printable(v.Name), line)
	t.encryption(v)
	t.faults(v.Faults)
	switch d := v.Points[0].Damage; {
	case len(v.Points) > 1:
		t.points(tv, v.Points)
	case d != nil:
		t.out.Hung(text.Fault, "  snapshots cannot be read: ", text.Printable(*d))
	case v.Filesystem == "ntfs" || v.Filesystem == "refs":
		fmt.Fprintln(t.out, "  no snapshots")
	}
	if v.Deleted != "" {
		t.out.Hung(text.Plain, "  ", v.Deleted)
	}
}

// ntfs says what state the file system is in.
func (t *infoText) ntfs(n *report.NTFS) (line string) {
	if t.verbose {
		line = fmt.Sprintf(", version %s, serial %s-%s", n.Version, n.Serial[8:12], n.Serial[12:])
	}
	if n.Dirty {
		line += ", marked dirty"
	}
	if n.Log == "dirty" {
		line += ", log not replayed"
	}
	if n.Hibernated {
		line += ", hibernated (hiberfil.sys has what is not on the volume)"
	}
	return line
}

// points lists the snapshots of a volume, and then what there is to say of each point.
func (t *infoText) points(tv *points.Volume, list []report.Point) {
	zone := ""
	if t.out.IsUTC() {
		zone = " (UTC)"
	}
	t.out.Table(func(row func(string, ...any)) {
		if t.verbose {
			row("  #\tpoint\tcreated" + zone + "\tchanged\tconsistency\tdiff area\tshadow copy")
		} else {
			row("  #\tcreated" + zone + "\tage\tchanged\tstate")
		}
		for i, p := range list[1:] {
			created, changed := "unknown time", "?"
			if p.Created != nil {
				created = t.stamp(*p.Created)
			} else if p.Carved != nil && p.Carved.NotBefore != nil {
				created = "after " + t.stamp(*p.Carved.NotBefore)
			}
			if p.ChangedBytes != nil {
				changed = text.Bytes(*p.ChangedBytes)
			}
			if t.verbose {
				row("  vss%d\t%s\t%s\t%s\t%s\t%s\t%s", p.Index, p.Name, created, changed,
					valueOr(p.Consistency, "?"), valueOr(p.DiffArea, "?"), valueOr(p.CopyID, "?"))
			} else {
				row("  vss%d\t%s\t%s\t%s\t%s", p.Index, created, t.age(tv.Points[i+1]), changed, state(p))
			}
		}
	})
	t.deleted(list)
	for i, p := range list {
		t.details(p, tv.Points[i])
	}
}

// deleted says of all deleted snapshots what is back of them, and what cannot be.
func (t *infoText) deleted(list []report.Point) {
	n, least, most := 0, 1.0, 0.0
	until := ""
	for _, p := range list {
		if c := p.Carved; c != nil {
			n++
			least, most = min(least, c.Share), max(most, c.Share)
			if c.Until.Time != nil {
				until = max(until, *c.Until.Time)
			}
		}
	}
	if n == 0 {
		return
	}
	share := fmt.Sprintf("%.0f to %.0f %%", math.Floor(100*least), math.Floor(100*most))
	if math.Floor(100*least) == math.Floor(100*most) {
		share = fmt.Sprintf("%.0f %%", math.Floor(100*most))
	}
	line := fmt.Sprintf("%d deleted snapshots are found", n)
	if n == 1 {
		line = "1 deleted snapshot is found"
	}
	if until != "" {
		line += fmt.Sprintf(", deleted after %s", t.stamp(until))
	}
	t.out.Hung(text.Plain, "  ", line+fmt.Sprintf(": %s of what they need is proven or agreed, and shown. What was changed or encrypted after the "+
		"deletion, and not before it, has no copy; the rest is unknown or doubtful.", share))
}

// age says how long ago a point was made.
func (t *infoText) age(p *points.Point) string {
	if p.Created().IsZero() {
		return "?"
	}
	return t.clock.Since(p.Created())
}

// state says in two words at most what a point is worth.
func state(p report.Point) string {
	var words []string
	for _, w := range []struct {
		is   bool
		word string
	}{{p.Carved != nil, "carved"}, {p.Carved == nil && p.Damage != nil || p.Carved != nil && p.Carved.Table != nil, "DAMAGED"}, {p.Recovered, "recovered"}, {p.Offline, "deleted"}} {
		if w.is && len(words) < 2 {
			words = append(words, w.word)
		}
	}
	if len(words) > 0 {
		return strings.Join(words, ", ")
	}
	return map[string]string{"application": "consistent", "crash": "crash-consistent", "unknown": "consistency unknown"}[valueOr(p.Consistency, "unknown")]
}

func valueOr(s *string, other string) string {
	if s == nil || strings.TrimSpace(*s) == "" {
		return other
	}
	return *s
}

// consistencies say what a snapshot's consistency is and how that is known.
var consistencies = map[string]string{
	"application": "application-consistent (writers took part)",
	"crash":       "crash-consistent (no writers took part: as after a power loss)",
	"unknown":     "consistency unknown (the store header, which tells, is lost)",
}

// details are the faults of a point, and what only the verbose want to know.
func (t *infoText) details(p report.Point, tp *points.Point) {
	if p.Kind == "current" {
		if p.Damage != nil {
			t.out.Hung(text.Fault, "  there may be more snapshots: ", text.Printable(*p.Damage))
		}
		return
	}
	name := fmt.Sprintf("  vss%d: ", p.Index)
	if t.verbose {
		line := consistencies[*p.Consistency]
		if len(p.Attributes) > 0 {
			line += fmt.Sprintf("; for %s; %s; made on %s, set %s", tp.Snapshot.Context, strings.Join(p.Attributes, ", "),
				text.Printable(valueOr(p.Machine, "an unnamed machine")), valueOr(p.SetID, "?"))
		}
		t.out.Hung(text.Plain, name, line)
	}
	if p.Offline {
		t.out.Hung(text.Plain, name, "deleted by its owner, but still kept")
	}
	if c := p.Carved; c != nil {
		t.carved(name, c)
	} else if p.Damage != nil {
		t.out.Hung(text.Fault, name+"DAMAGED: ", text.Printable(*p.Damage))
	}
}

// carved says what is back of a deleted snapshot, and to the verbose how that is known.
func (t *infoText) carved(name string, c *report.Carved) {
	b := c.Bytes
	line := fmt.Sprintf("%.0f %% is shown: kept %s, proved unchanged %s, agreed %s; not shown: doubtful %s, unknown %s", math.Floor(100*c.Share),
		text.Bytes(b.Kept+b.Carved), text.Bytes(b.Proved), text.Bytes(b.Agreed), text.Bytes(b.Doubtful), text.Bytes(b.Unknown))
	if t.verbose {
		line += fmt.Sprintf("; found by its %s, at 0x%x", c.Found, c.Store)
		if c.Order != "" {
			line += "; newer than the one before by " + c.Order
		}
		if c.Alone {
			line += "; its place among others is not known"
		}
		line += fmt.Sprintf("; copies up to sequence number %d for certain, %d by %s; %d of %d blocks overwritten", c.Until.LSN, c.Until.Agreed, c.Until.From, c.Overwritten, c.Rows)
	}
	t.out.Hung(text.Plain, name, line)
	if c.Table != nil {
		t.out.Hung(text.Fault, name+"DAMAGED: ", text.Printable(*c.Table))
	}
}

// shownRanges is how many ranges of one kind are printed.
const shownRanges = 20

func (t *infoText) evidence(r *report.Evidence) {
	if r == nil {
		return
	}
	w := t.out
	fmt.Fprintf(w, "  EWF version %d, %d segments, chunks of %d bytes, compression %s\n", r.Version, r.Segments, r.ChunkSize, r.Compression)
	for _, line := range []struct {
		label string
		value *report.Name
	}{
		{"case", r.Case}, {"evidence", r.Evidence}, {"description", r.Description}, {"examiner", r.Examiner}, {"notes", r.Notes},
		{"model", r.Model}, {"serial number", r.Serial}, {"label", r.Label}, {"acquired", r.Acquired}, {"system clock", r.Clock},
		{"software", r.Software}, {"operating system", r.System}, {"MD5, stored", r.MD5}, {"SHA1, stored", r.SHA1},
	} {
		if line.value != nil {
			fmt.Fprintf(w, "  %-16s  %s\n", line.label, text.Printable(string(*line.value)))
		}
	}
	printRanges(w, len(r.ReadErrors), func(n int) string {
		return fmt.Sprintf("not read when it was acquired: 0x%x bytes at 0x%x, zeros in the image", r.ReadErrors[n].Length, r.ReadErrors[n].Offset)
	})
	printRanges(w, len(r.Bad), func(n int) string {
		return fmt.Sprintf("BAD so far: 0x%x bytes at 0x%x: %s", r.Bad[n].Length, r.Bad[n].Offset, text.Printable(r.Bad[n].Error))
	})
}

// printRanges prints a line for each of the first ranges.
func printRanges(w io.Writer, all int, line func(int) string) {
	for n := range min(all, shownRanges) {
		fmt.Fprintf(w, "  %s\n", line(n))
	}
	if all > shownRanges {
		fmt.Fprintf(w, "  ... and %d more such ranges: --json lists them\n", all-shownRanges)
	}
}
