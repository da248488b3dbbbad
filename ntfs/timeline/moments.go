package timeline

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

// A moment is one time of a row, and which of its times that is.
type moment struct {
	at   wintype.Filetime
	macb string // as M..B
	desc string // plaso's words
	of   string // $STANDARD_INFORMATION, $FILE_NAME or USN
}

var descriptions = [4]string{"Content Modification Time", "Last Access Time", "Metadata Modification Time", "Creation Time"}

// momentsOf gives the times of a row, those that are equal as one.
func momentsOf(r *Row) []moment {
	if r.Event != nil {
		return []moment{{r.Event.Time, "..C.", descriptions[2], "USN"}}
	}
	out := distinct(nil, r.Node.Times, "$STANDARD_INFORMATION")
	if r.Name != nil {
		out = distinct(out, r.Name.Times, "$FILE_NAME")
	}
	if len(out) == 0 { // the file is told of all the same
		out = []moment{{0, "....", noTime, "$STANDARD_INFORMATION"}}
	}
	return out
}

// noTime is plaso's word for a time that is none: its FILETIME is 0, the start of 1601.
const noTime = "Not a time"

func distinct(out []moment, t ntfs.Times, of string) []moment {
	times := [4]wintype.Filetime{t.Modified, t.Accessed, t.Changed, t.Created}
	for i, at := range times {
		first, macb, desc := true, []byte("...."), ""
		for k, other := range times {
			if other != at {
				continue
			}
			if first = first && k >= i; desc != "" {
				desc += "; "
			}
			desc += descriptions[k]
			macb[k] = "MACB"[k]
		}
		if first && at != 0 {
			out = append(out, moment{at, string(macb), desc, of})
		}
	}
	return out
}

// span says from which point to which a row lasts.
func (r *Row) span() (from, to *Point) { return &r.Volume.Points[r.First], &r.Volume.Points[r.Last] }

// describe says in words what a row is of.
func (r *Row) describe() string {
	from, to := r.span()
	switch {
	case r.Event != nil:
		return fmt.Sprintf("%s: %s (change journal at %s)", bodyName(r), r.Event.Reason, from.Name)
	case r.Node.Deleted:
		return fmt.Sprintf("%s (deleted; record seen %s to %s)", bodyName(r), from.Name, to.Name)
	}
	return fmt.Sprintf("%s (seen %s to %s)", bodyName(r), from.Name, to.Name)
}

func (r *Row) kind() string {
	switch {
	case r.Event != nil:
		return "usn"
	case r.Stream != "":
		return "stream"
	}
	return r.Node.Kind.String()
}

func (r *Row) ref() string {
	if r.Event != nil {
		return r.Event.File.String()
	}
	return r.Node.Ref.String()
}

// counted says which version of its file a row is of.
func (r *Row) counted() string {
	switch {
	case r.Event != nil || r.Version == 0:
		return ""
	case r.Unknown != nil:
		return fmt.Sprintf("; version: %d (unknown)", r.Version)
	}
	return fmt.Sprintf("; version: %d", r.Version)
}

// l2tcsv is the CSV of log2timeline, of 17 columns: a line for each moment of a row. Times in it have seconds; extra has
// all digits.
type l2tcsv struct{ w *csv.Writer }

func newCSV(w io.Writer) *l2tcsv {
	c := &l2tcsv{csv.NewWriter(w)}
	_ = c.w.Write(strings.Split("date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,notes,format,extra", ",")) // told by Close
	return c
}

func (c *l2tcsv) Write(r *Row) error {
	from, to := r.span()
	desc, name := wintype.Printable(strings.ToValidUTF8(r.describe(), "\ufffd")), wintype.Printable(strings.ToValidUTF8(bodyName(r), "\ufffd"))
	source := "NTFS MFT"
	if r.Event != nil {
		source = "NTFS USN change journal"
	}
	for _, m := range momentsOf(r) {
		t := m.at.Time()
		extra := fmt.Sprintf("time: %s; times: %s; kind: %s; size: %d; valid_from: %s; valid_to: %s%s", m.at, m.of, r.kind(), r.Size, from.Name, to.Name, r.counted())
		err := c.w.Write([]string{t.Format("01/02/2006"), t.Format("15:04:05"), "UTC", m.macb, "FILE", source, m.desc, r.Owner, "-", name, desc, "2",
			name, r.ref(), "-", "snapmount", extra})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *l2tcsv) Close() error {
	c.w.Flush()
	return c.w.Error()
}

// jsonl has an object on each line for each moment of a row, with the fields that plaso and Timesketch know first.
type jsonl struct {
	buf *bufio.Writer
	w   *json.Encoder
}

type momentJSON struct {
	Datetime  string  `json:"datetime"`  // RFC 3339, UTC, seven digits
	Timestamp int64   `json:"timestamp"` // microseconds since 1970
	Desc      string  `json:"timestamp_desc"`
	Message   wtf     `json:"message"`
	DataType  string  `json:"data_type"`
	MACB      string  `json:"macb"`
	Of        string  `json:"times"`
	Volume    wtf     `json:"volume,omitempty"`
	Path      wtf     `json:"path"`
	Orphan    bool    `json:"orphan,omitempty"`
	Stream    wtf     `json:"stream,omitempty"`
	Kind      string  `json:"kind"`
	Ref       string  `json:"ref"`
	Size      int64   `json:"size"`
	Attr      string  `json:"attributes,omitempty"`
	Owner     string  `json:"owner,omitempty"`
	Deleted   bool    `json:"deleted"`
	From      string  `json:"valid_from"`
	To        string  `json:"valid_to"`
	FromTime  *string `json:"valid_from_time"` // null for the current state
	ToTime    *string `json:"valid_to_time"`
	Version   int     `json:"version,omitempty"` // of the file, from 1; of remains of a deleted one, of them
	Unknown   bool    `json:"unknown,omitempty"` // it is not known whether it is the version before
	USN       *int64  `json:"usn,omitempty"`
	Reason    string  `json:"reason,omitempty"`
}

func newJSONL(w io.Writer) *jsonl {
	b := bufio.NewWriterSize(w, 1<<16)
	j := &jsonl{b, json.NewEncoder(wintype.JSONWriter{W: b})}
	j.w.SetEscapeHTML(false)
	return j
}

func (j *jsonl) Write(r *Row) error {
	from, to := r.span()
	o := momentJSON{Message: wtf(r.describe()), DataType: "fs:stat:ntfs", Volume: wtf(r.Volume.Name), Path: wtf(r.Path), Orphan: r.Orphan,
		Stream: wtf(r.Stream), Kind: r.kind(), Ref: r.ref(), Size: r.Size, Owner: r.Owner,
		From: from.Name, To: to.Name, FromTime: stampOf(from.Time), ToTime: stampOf(to.Time), Version: r.Version, Unknown: r.Unknown != nil}
	if r.Event != nil {
		o.DataType, o.USN, o.Reason = "fs:ntfs:usn_change", &r.Event.USN, r.Event.Reason.String()
	} else {
		o.Attr, o.Deleted = strings.Join(r.Node.Attr.Words(), ","), r.Node.Deleted
	}
	for _, m := range momentsOf(r) {
		o.Datetime, o.Timestamp, o.Desc, o.MACB, o.Of = m.at.String(), m.at.Time().UnixMicro(), m.desc, m.macb, m.of
		if err := j.w.Encode(&o); err != nil {
			return err
		}
	}
	return nil
}

func (j *jsonl) Close() error { return j.buf.Flush() }

func stampOf(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(wintype.Layout7)
	return &s
}

// wtf is WTF-8 as JSON.
type wtf = wintype.WTF8
