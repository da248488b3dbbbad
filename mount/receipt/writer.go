package receipt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
	"snapmount/ntfs/restore"
)

// Options say what a receipt is of.
type Options struct {
	Tool      string // name and version
	Locations []string
	Target    string
	To        string // dir, tar or zip
	Sets      []*points.Set
	Points    []*points.Point
	Zone      string
	About     About
	Replace   bool // a file that is there

	// Kept tells of which damaged file a result is the last good version; nil of none, and it may be nil.
	Kept func(*restore.Result) *report.AttackFile
}

// A Writer writes a receipt while the work is done. Its methods may be called from any goroutine.
type Writer struct {
	points   map[string]*points.Point // by origin
	kept     func(*restore.Result) *report.AttackFile
	verdicts sync.Map // of files of several names, by verdictKey

	mu   sync.Mutex
	rows rows
}

type verdictKey struct {
	origin string
	ref    ntfs.Ref
	stream string
}

// Create begins a receipt in a file of its own, which has no name before Close.
func Create(name string, opts Options) (*Writer, error) {
	h := Head{Schema: Schema, Tool: opts.Tool, About: opts.About, Started: now(), Locations: opts.Locations, Target: opts.Target, To: opts.To, Zone: opts.Zone}
	var err error
	if h.Images, h.HostFiles, err = images(opts.Sets); err != nil {
		return nil, err
	}
	w := &Writer{points: map[string]*points.Point{}, kept: opts.Kept}
	for _, p := range opts.Points {
		one, err := pointOf(p)
		if err != nil {
			return nil, err
		}
		if w.points[one.Origin] == nil {
			w.points[one.Origin] = p
			h.Points = append(h.Points, one)
		}
	}
	head, err := json.MarshalIndent(h, "", " ")
	if err != nil {
		return nil, err
	}
	w.rows = rows{before: "\n  ", between: ","}
	start := append(bytes.TrimSuffix(wintype.PrintableJSON(head), []byte("\n}")), ",\n \"items\": ["...)
	return w, w.rows.create(name, opts.Replace, start)
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// Add writes an item, which Close moves to its place in the order of results; apart says that all it lacks was left out of the snapshot by Windows on purpose. Close tells an error.
func (w *Writer) Add(res *restore.Result, apart bool) {
	item := w.item(res)
	if apart {
		item.Result = "left-out"
	}
	b, err := json.Marshal(item)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rows.err == nil {
		w.rows.err = err
	}
	if w.rows.err == nil {
		w.rows.put(res.Order, wintype.PrintableJSON(b))
	}
}

func (w *Writer) item(res *restore.Result) Item {
	item := Item{Path: report.Name(res.Path), Origin: res.Origin, Ref: res.Ref.String(), Stream: report.Name(res.Stream), Type: res.Type, Size: res.Size,
		SHA256: res.SHA256, Result: "restored", Mapped: report.Name(res.Mapped), Missing: res.Gaps, Metadata: res.Lost, Time: now()}
	if res.Link != "" {
		text := report.Name(res.Link)
		item.Link = &text
	}
	switch {
	case res.Err != nil:
		item.Result, item.Error = "failed", report.OneLine(res.Err)
	case len(res.Gaps) > 0:
		item.Result = "incomplete"
	case res.Skipped:
		item.Result = "skipped"
	case res.Aside:
		item.Result = "aside"
	}
	if w.kept != nil {
		item.LastGood = w.kept(res)
	}
	if res.Type == "file" {
		v, known := w.verdict(res)
		item.Trust = v.Trust
		if known && !(v.Intact() && (item.Error != "" || len(res.Gaps) > 0)) { // by the tables alone
			item.Verdict, item.Ranges = v.String(), report.GapsOf(v)
		}
	}
	return item
}

// verdict looks at the tables again: with --unknown, what a file was given in place of what is lost is no gap. That of a
// file of several names is kept. It is not known of what comes from no point.
func (w *Writer) verdict(res *restore.Result) (v points.Verdict, known bool) {
	key := verdictKey{res.Origin, res.Ref, res.Stream}
	if v, ok := w.verdicts.Load(key); ok {
		return v.(points.Verdict), true
	}
	point := w.points[res.Origin]
	if point == nil {
		return v, false
	}
	t, err := point.Files()
	if err != nil {
		return points.Verdict{Err: err}, true
	}
	n, err := t.Node(res.Ref)
	if err != nil {
		return points.Verdict{Err: err}, true
	}
	if res.Stream != "" || n.HasData || n.Damage != nil {
		v = points.Judge(n, res.Stream)
	}
	v.Trust = point.TrustIn(n, res.Stream)
	if n.Links > 1 {
		w.verdicts.Store(key, v)
	}
	return v, true
}

// Close ends the receipt and gives it its name, or removes it and says what went wrong.
func (w *Writer) Close(e End) error {
	e.Finished = now()
	b, err := json.MarshalIndent(e, "", " ")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rows.err == nil {
		w.rows.err = err
	}
	return w.rows.close(fmt.Appendf(nil, "\n ],\n%s\n", bytes.TrimPrefix(wintype.PrintableJSON(b), []byte("{\n"))))
}

// Abort removes the receipt, in place of Close.
func (w *Writer) Abort() error { return w.rows.file.Abort() }

// Left says what of a complete receipt could not be removed, and is of no use; nil is nothing.
func (w *Writer) Left() error { return w.rows.left }
