package receipt

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
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
	items int
	err   error
}

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
	_, w.err = fmt.Fprintf(w.out, "%s,\n \"items\": [", bytes.TrimSuffix(head, []byte("\n}")))
	return w, nil
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// Add writes an item; apart says that all it lacks was left out of the snapshot by Windows on purpose. Close tells an error.
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
	if w.items++; w.items > 1 {
		_ = w.out.WriteByte(',') // a bufio.Writer keeps its error
	}
	_, w.err = w.out.Write(append([]byte("\n  "), b...))
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
