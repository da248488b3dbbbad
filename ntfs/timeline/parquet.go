package timeline

import (
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"

	"snapmount/imagefmt/wintype"
)

const (
	// rowGroup is how many rows are held in memory before they are written.
	rowGroup = 64 << 10
	// batch is how many rows are given to the encoder at once.
	batch = 512
)

// A parquetRow is a Row in columns. Times are nanoseconds since 1970, null for none and for those before 1677 or after
// 2262; what all of them are, the columns of ticks tell: FILETIMEs, 100 ns since 1601. What UTF-8 has no form for in names
// is U+FFFD.
type parquetRow struct {
	Row       string  `parquet:"row,dict"` // version or usn
	Volume    string  `parquet:"volume,dict"`
	Path      string  `parquet:"path"`
	Orphan    bool    `parquet:"orphan"`
	Stream    *string `parquet:"stream,optional"`
	Kind      string  `parquet:"kind,dict"` // file, dir, symlink, stream or usn
	Record    int64   `parquet:"record"`
	Seq       int32   `parquet:"seq"`
	Size      int64   `parquet:"size"`
	Attr      string  `parquet:"attributes,dict"`
	Links     int32   `parquet:"links"`
	Owner     *string `parquet:"owner,optional,dict"`
	Deleted   bool    `parquet:"deleted"`
	From      string  `parquet:"valid_from,dict"`
	To        string  `parquet:"valid_to,dict"`
	FromTime  *int64  `parquet:"valid_from_time,optional,timestamp(nanosecond)"` // null for the current state
	ToTime    *int64  `parquet:"valid_to_time,optional,timestamp(nanosecond)"`
	SIBtime   *int64  `parquet:"si_btime,optional,timestamp(nanosecond)"`
	SIMtime   *int64  `parquet:"si_mtime,optional,timestamp(nanosecond)"`
	SICtime   *int64  `parquet:"si_ctime,optional,timestamp(nanosecond)"`
	SIAtime   *int64  `parquet:"si_atime,optional,timestamp(nanosecond)"`
	FNBtime   *int64  `parquet:"fn_btime,optional,timestamp(nanosecond)"`
	FNMtime   *int64  `parquet:"fn_mtime,optional,timestamp(nanosecond)"`
	FNCtime   *int64  `parquet:"fn_ctime,optional,timestamp(nanosecond)"`
	FNAtime   *int64  `parquet:"fn_atime,optional,timestamp(nanosecond)"`
	SIBticks  *int64  `parquet:"si_btime_ticks,optional"`
	SIMticks  *int64  `parquet:"si_mtime_ticks,optional"`
	SICticks  *int64  `parquet:"si_ctime_ticks,optional"`
	SIAticks  *int64  `parquet:"si_atime_ticks,optional"`
	FNBticks  *int64  `parquet:"fn_btime_ticks,optional"`
	FNMticks  *int64  `parquet:"fn_mtime_ticks,optional"`
	FNCticks  *int64  `parquet:"fn_ctime_ticks,optional"`
	FNAticks  *int64  `parquet:"fn_atime_ticks,optional"`
	Version   int32   `parquet:"version"` // of the file, from 1; 0 for usn, and where the file cannot be had whole
	Unknown   bool    `parquet:"unknown"` // it is not known whether it is the version before
	USN       *int64  `parquet:"usn,optional"`
	USNTime   *int64  `parquet:"usn_time,optional,timestamp(nanosecond)"`
	USNTicks  *int64  `parquet:"usn_time_ticks,optional"`
	USNReason *string `parquet:"usn_reason,optional,dict"`
}

type parquetWriter struct {
	w    *parquet.GenericWriter[parquetRow]
	rows []parquetRow
	held int
}

func newParquet(w io.Writer) *parquetWriter {
	return &parquetWriter{w: parquet.NewGenericWriter[parquetRow](w, parquet.Compression(&parquet.Zstd)), rows: make([]parquetRow, 0, batch)}
}

func (p *parquetWriter) Write(r *Row) error {
	p.rows = append(p.rows, parquetRowOf(r))
	if len(p.rows) < batch {
		return nil
	}
	return p.write()
}

func (p *parquetWriter) write() error {
	_, err := p.w.Write(p.rows)
	p.held += len(p.rows)
	p.rows = p.rows[:0]
	if err == nil && p.held >= rowGroup {
		p.held = 0
		err = p.w.Flush()
	}
	return err
}

func (p *parquetWriter) Close() error {
	if err := p.write(); err != nil {
		return err
	}
	return p.w.Close()
}

func parquetRowOf(r *Row) parquetRow {
	from, to := r.span()
	valid := func(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
	out := parquetRow{Row: "version", Volume: valid(r.Volume.Name), Path: valid(r.Path), Orphan: r.Orphan, Kind: r.kind(), Size: r.Size,
		Links: int32(r.Links), Version: int32(r.Version), Unknown: r.Unknown != nil, From: from.Name, To: to.Name}
	if !from.Time.IsZero() {
		out.FromTime, _ = nanoseconds(wintype.FiletimeOf(from.Time))
	}
	if !to.Time.IsZero() {
		out.ToTime, _ = nanoseconds(wintype.FiletimeOf(to.Time))
	}
	if r.Owner != "" {
		owner := r.Owner
		out.Owner = &owner
	}
	if x := r.Event; x != nil {
		record, seq, _ := x.File.Ref()
		reason := x.Reason.String()
		out.Row, out.Record, out.Seq, out.USN, out.USNReason = "usn", int64(record), int32(seq), &x.USN, &reason
		out.USNTime, out.USNTicks = nanoseconds(x.Time)
		return out
	}
	n := r.Node
	out.Record, out.Seq, out.Attr, out.Deleted = int64(n.Ref.Record), int32(n.Ref.Seq), strings.Join(n.Attr.Words(), ","), n.Deleted
	if r.Stream != "" {
		s := valid(r.Stream)
		out.Stream = &s
	}
	t := n.Times
	out.SIBtime, out.SIBticks = nanoseconds(t.Created)
	out.SIMtime, out.SIMticks = nanoseconds(t.Modified)
	out.SICtime, out.SICticks = nanoseconds(t.Changed)
	out.SIAtime, out.SIAticks = nanoseconds(t.Accessed)
	if r.Name != nil {
		t := r.Name.Times
		out.FNBtime, out.FNBticks = nanoseconds(t.Created)
		out.FNMtime, out.FNMticks = nanoseconds(t.Modified)
		out.FNCtime, out.FNCticks = nanoseconds(t.Changed)
		out.FNAtime, out.FNAticks = nanoseconds(t.Accessed)
	}
	return out
}

// nanoseconds gives a time as nanoseconds since 1970, nil where they do not fit or there is none, and its ticks.
func nanoseconds(t wintype.Filetime) (ns, ticks *int64) {
	raw := int64(t)
	x := t.Time()
	if year := x.Year(); t != 0 && year > 1677 && year < 2262 {
		v := x.UnixNano()
		ns = &v
	}
	return ns, &raw
}
