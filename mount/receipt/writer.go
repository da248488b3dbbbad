package receipt

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

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
	Replace   bool // a file that is there
}

// A Writer writes a receipt while the work is done. Its methods may be called from any goroutine.
type Writer struct {
	points   map[string]*points.Point // by origin
	file     *restore.File
	verdicts sync.Map // of files of several names, by verdictKey

	mu    sync.Mutex
	out   *bufio.Writer
	head  int64  // bytes before the items
	end   int64  // bytes in all
	items []span // as they came
	err   error
}

// A span is where an item is in the file.
type span struct{ order, off, len int64 }

type verdictKey struct {
	origin string
	ref    ntfs.Ref
	stream string
}

// Create begins a receipt in a file of its own, which has no name before Close.
func Create(name string, opts Options) (*Writer, error) {
	h := Head{Schema: Schema, Tool: opts.Tool, Started: now(), Locations: opts.Locations, Target: opts.Target, To: opts.To}
	var err error
	if h.Images, h.HostFiles, err = images(opts.Sets); err != nil {
		return nil, err
	}
	w := &Writer{points: map[string]*points.Point{}}
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
	if w.file, err = restore.Create(name, opts.Replace); err != nil {
		return nil, err
	}
	w.out = bufio.NewWriter(w.file)
	n, err := fmt.Fprintf(w.out, "%s,\n \"items\": [", bytes.TrimSuffix(head, []byte("\n}")))
	w.head, w.end, w.err = int64(n), int64(n), err
	return w, nil
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
	if w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return
	}
	w.put(res.Order, b)
}

// put writes an item of a place in their order.
func (w *Writer) put(order int64, b []byte) {
	if len(w.items) > 0 {
		_ = w.out.WriteByte(',') // a bufio.Writer keeps its error
		w.end++
	}
	n, err := w.out.Write(append([]byte("\n  "), b...))
	w.items = append(w.items, span{order, w.end + 3, int64(len(b))})
	w.end, w.err = w.end+int64(n), err
}

// sort writes the items anew in their order, as a second file, where they came in another one. What is written in place, a
// device or a pipe, stays as it is.
func (w *Writer) sort() error {
	byOrder := func(a, b span) int { return cmp.Compare(a.order, b.order) }
	if err := w.out.Flush(); err != nil || slices.IsSortedFunc(w.items, byOrder) {
		return err
	}
	old, items := w.file, w.items
	again, err := old.Again()
	if err != nil || again == nil {
		return err
	}
	w.file, w.items, w.end = again, nil, w.head
	w.out.Reset(again)
	defer func() { _ = old.Abort() }() // what stays is seen by the user only
	if _, err := io.Copy(w.out, io.NewSectionReader(old, 0, w.head)); err != nil {
		return err
	}
	slices.SortStableFunc(items, byOrder)
	for _, x := range items {
		b := make([]byte, x.len)
		if _, err := old.ReadAt(b, x.off); err != nil {
			return err
		}
		w.put(x.order, b)
	}
	return w.err
}

func (w *Writer) item(res *restore.Result) Item {
	item := Item{Path: report.Name(res.Path), Origin: res.Origin, Ref: res.Ref.String(), Stream: report.Name(res.Stream), Type: res.Type, Size: res.Size,
		SHA256: res.SHA256, Result: "restored", Mapped: report.Name(res.Mapped), Missing: res.Gaps, Metadata: res.Lost, Time: now()}
	switch {
	case res.Err != nil:
		item.Result, item.Error = "failed", report.OneLine(res.Err)
	case len(res.Gaps) > 0:
		item.Result = "incomplete"
	case res.Skipped:
		item.Result = "skipped"
	}
	if res.Type == "file" {
		v, known := w.verdict(res)
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
	if w.err == nil {
		w.err = err
	}
	if w.err == nil {
		w.err = w.sort()
	}
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.out, "\n ],\n%s\n", bytes.TrimPrefix(b, []byte("{\n")))
	}
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err != nil {
		_ = w.file.Abort() // what went wrong before says more
		return w.err
	}
	return w.file.Commit()
}
