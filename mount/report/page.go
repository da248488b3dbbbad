package report

import (
	"encoding/hex"
	"runtime"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// Opening is what the page of "serve" begins with.
type Opening struct {
	Info
	Windows bool     `json:"windows,omitempty"` // commands to copy are for its shells
	Carve   []string `json:"carve,omitempty"`   // options that commands need to see the same deleted snapshots
}

// OpeningOf is InfoOf for the page.
func OpeningOf(s *points.Set) Opening {
	return Opening{Info: InfoOf(s), Windows: runtime.GOOS == "windows", Carve: carveOptions(s)}
}

// Row is a line of a directory on the page of "serve": less than an Entry, since there may be a million of them.
type Row struct {
	Name  Name    `json:"name"`             // as paths take it
	Ref   string  `json:"ref"`              // MFT record and sequence number
	Kind  string  `json:"kind"`             // file, dir, symlink, ...; unreadable when its record is damaged
	Size  int64   `json:"size"`             // bytes of the unnamed stream
	Mtime *string `json:"mtime"`            // content modified
	Gone  string  `json:"gone,omitempty"`   // it is not there at the point: deleted, renamed, or unknown, since not all names could be read
	Point string  `json:"point,omitempty"`  // the newest before it that has what is gone
	Now   *Name   `json:"now,omitempty"`    // path of what is gone and was renamed, at the point
	Error string  `json:"error,omitempty"`  // what of it cannot be read
	Link  *Name   `json:"target,omitempty"` // of symbolic links and junctions, as Windows has it
}

// RowOf describes an entry of a directory as it is shown there, with the node that it names or why there is none.
func RowOf(name string, e *ntfs.Entry, n *ntfs.Node, err error) Row {
	if err != nil {
		return Row{Name: Name(name), Ref: e.Ref.String(), Kind: "unreadable", Error: OneLine(err)}
	}
	r := Row{Name: Name(name), Ref: n.Ref.String(), Kind: KindName(n.Kind), Size: n.Size, Mtime: stamp(n.Times.Modified), Error: lineOf(n.Damage)}
	if n.Kind == ntfs.KindSymlink {
		if to, err := n.Reparse(); err != nil {
			r.Error = OneLine(err)
		} else {
			r.Link = (*Name)(&to.Target)
		}
	}
	return r
}

// Failed is a line of what could not be given, among lines of what could.
type Failed struct {
	Err  string `json:"err"`            // in a line
	Path Name   `json:"path,omitempty"` // what it is of, where that is known
	On   bool   `json:"on,omitempty"`   // more lines follow; else it ends them
}

// FailedOf describes an error about a path, which may be empty.
func FailedOf(path string, err error) Failed { return Failed{Err: OneLine(err), Path: Name(path)} }

// Missing says what is known of a path that leads to no directory at a point.
type Missing struct {
	Kind  string   `json:"kind,omitempty"`  // what it leads to, where that is no directory
	First string   `json:"first,omitempty"` // the oldest point that has it
	Last  string   `json:"last,omitempty"`  // the newest point that has it
	Moved *Name    `json:"moved,omitempty"` // where what the path led to at the nearest point is at this one
	Lost  []string `json:"lost,omitempty"`  // points of which it is not known
}

// Unlocking is what became of a key that was given for a volume.
type Unlocking struct {
	Volume string `json:"volume,omitempty"` // the name that it has now that it is open
	Why    string `json:"why,omitempty"`    // it is not, for people; nothing of the key is in it
}

// Strip is what changed in a directory, or below it, from one point to the next. Counts are of files and directories.
type Strip struct {
	Point   string `json:"point"`           // the later one
	From    string `json:"from"`            // the one before
	There   bool   `json:"there"`           // the path leads somewhere at the later one
	New     int    `json:"new"`             // in the directory itself, as the next four
	Changed int    `json:"changed"`         // content or named streams
	Renamed int    `json:"renamed"`         // or moved, in or out of it too
	Deleted int    `json:"deleted"`         // it, or a name of it
	Details int    `json:"details"`         // metadata alone, without times of directories and of the last access
	Below   int    `json:"below"`           // whatever changed, deeper
	Failed  int    `json:"failed"`          // that could not be compared
	Error   string `json:"error,omitempty"` // why not all is known
}

// RowMore is what the page shows of a file beside its Row: it costs more, and is asked for rows that are seen. Of a
// directory it has Name and Trust.
type RowMore struct {
	Name    Name         `json:"name"`            // in its directory
	Verdict string       `json:"verdict"`         // whether all content is in the image
	Intact  bool         `json:"intact"`          // it is
	Trust   points.Trust `json:"trust,omitempty"` // what it rests on at a deleted snapshot: kept, carved, proved, agreed, doubtful or unknown
	Spans   []Span       `json:"spans"`           // versions over time
	Error   string       `json:"error,omitempty"` // why they are not known
}

// Span is a version of a file on the page: where it begins and ends.
type Span struct {
	First   string `json:"first"`             // point
	Last    string `json:"last"`              // point
	Unknown bool   `json:"unknown,omitempty"` // whether it was there, and how, is not known
}

// Diff is how a stream differs between two points.
type Diff struct {
	Kind    string   `json:"kind"`            // text, hex or same
	OldSize int64    `json:"old_size"`        // bytes
	NewSize int64    `json:"new_size"`        // bytes
	Hunks   []Hunk   `json:"hunks,omitempty"` // of text
	Rows    []HexRow `json:"rows,omitempty"`  // of hex: rows of 16 bytes that differ, or are not known
	More    bool     `json:"more,omitempty"`  // there are more rows
}

// Hunk is lines of text that differ, with some around them.
type Hunk struct {
	Old   int        `json:"old"`   // number of the first line, from 1
	New   int        `json:"new"`   // likewise
	Lines []DiffLine `json:"lines"` // of both
}

// DiffLine is a line of a Hunk.
type DiffLine struct {
	Op    string `json:"op"`               // -, + or a blank
	Text  Name   `json:"text"`             // without its end
	NoEnd bool   `json:"no_end,omitempty"` // it has none
}

// HexRow is a row of bytes that differ.
type HexRow struct {
	Offset int64  `json:"offset"`          // bytes, in both
	Old    string `json:"old"`             // hexadecimal
	New    string `json:"new"`             // likewise
	Error  string `json:"error,omitempty"` // why some of it is not known
}

// DiffOf describes a difference.
func DiffOf(d compare.Difference, oldSize, newSize int64) Diff {
	out := Diff{Kind: "hex", OldSize: oldSize, NewSize: newSize, More: d.More}
	switch {
	case len(d.Hunks)+len(d.Rows) == 0:
		out.Kind = "same"
	case d.Text:
		out.Kind = "text"
	}
	for _, h := range d.Hunks {
		one := Hunk{Old: h.OldLine, New: h.NewLine}
		for _, l := range h.Lines {
			one.Lines = append(one.Lines, DiffLine{string(l.Op), Name(l.Text), l.NoEnd})
		}
		out.Hunks = append(out.Hunks, one)
	}
	for _, r := range d.Rows {
		out.Rows = append(out.Rows, HexRow{r.Off, hex.EncodeToString(r.A), hex.EncodeToString(r.B), lineOf(r.Err)})
	}
	return out
}

// Download is how far a zip or a tar that the page asked for has come.
type Download struct {
	Files  int64    `json:"files"`           // given, with directories and links
	Bytes  int64    `json:"bytes"`           // of content
	Failed int64    `json:"failed"`          // that could not be given, or not in full
	Faults []Failed `json:"faults"`          // the first of these
	Done   bool     `json:"done"`            // it has ended
	Error  string   `json:"error,omitempty"` // why it ended early
}

// SpansOf are the versions of a history, without what was deleted.
func SpansOf(shown []*points.Point, rows []compare.Version) []Span {
	out := []Span{}
	for _, v := range rows {
		if v.Node != nil || v.Err != nil {
			out = append(out, Span{shown[v.First].Name, shown[v.Last].Name, v.Err != nil})
		}
	}
	return out
}
