package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/mount/serve/evidence"
	"snapmount/ntfs/restore"
)

// An order is what the page wants as one download.
type order struct {
	Volume  string `json:"volume"`
	Format  string `json:"format"`  // zip or tar
	Partial bool   `json:"partial"` // files that are not there in full too, with a list of what is not
	Items   []struct {
		Point string `json:"point"`
		Path  string `json:"path"`
	} `json:"items"`
}

const (
	maxOrder = 16 << 20 // bytes of an order
	maxItems = 200_000  // files and directories in one
)

// choose takes an order, and answers with the number that zip gives it by: an address has no room for many paths.
func (s *Server) choose(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&o); err != nil {
		fail(w, fmt.Errorf("%w: %w", errRequest, err))
		return
	}
	chosen, err := s.chosen(r.Context(), &o)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, map[string]string{"job": s.shared.jobs.add(&job{order: o, chosen: chosen, by: s})}, nil)
}

// chosen finds all that an order is of.
func (s *Server) chosen(ctx context.Context, o *order) (*selection.Selection, error) {
	if o.Format != "zip" && o.Format != "tar" {
		return nil, fmt.Errorf("%w: format %q: want zip or tar", errRequest, o.Format)
	}
	if n := len(o.Items); n == 0 || n > maxItems {
		return nil, fmt.Errorf("%w: %d items, want 1 to %d", errRequest, n, maxItems)
	}
	var targets []points.Target
	for _, x := range o.Items {
		p, err := s.place(o.Volume, x.Point, x.Path)
		if err != nil {
			return nil, err
		}
		targets = append(targets, p.there().Target())
	}
	return selection.Targets(ctx, s.set, targets, selection.Hooks{})
}

// zip sends an archive that was ordered. What of it could not be given, job tells; an archive that is not whole is cut.
func (s *Server) zip(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("job")
	j, err := s.shared.jobs.get(id)
	if err == nil && !j.start() {
		err = fmt.Errorf("%w: this download was begun before", errRequest)
	}
	if err == nil && j.by != s { // what it was chosen from may be closed
		j.by = s
		j.chosen, err = s.chosen(r.Context(), &j.order)
	}
	if err != nil {
		evidence.Fail(w, err)
		return
	}
	format, mime := restore.Zip, "application/zip"
	if j.order.Format == "tar" {
		format, mime = restore.Tar, "application/x-tar"
	}
	proof, err := s.newProof(j)
	if err != nil {
		j.end(err)
		evidence.Fail(w, err)
		return
	}
	defer proof.drop()
	h := w.Header()
	h.Set("Content-Type", mime)
	h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+string(evidence.AppendPath(nil, evidence.Name(j.name()))))
	opts := restore.Options{Partial: j.order.Partial, LinkText: j.chosen.LinkText, Done: j.tell, Last: proof.close}
	for _, res := range j.chosen.Lost {
		j.tell(res)
	}
	err = restore.Archive(r.Context(), w, format, j.chosen.Sources(r.Context()), opts)
	j.end(err)
	if err != nil {
		if r.Context().Err() == nil {
			s.warn(fmt.Errorf("%s: %w", j.name(), err))
		}
		panic(http.ErrAbortHandler) // who has half of it must not take it for all
	}
}

// job tells how far a download has come.
func (s *Server) job(w http.ResponseWriter, r *http.Request) {
	j, err := s.shared.jobs.get(r.URL.Query().Get("job"))
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, j.state(), nil)
}

// name is that of the archive: what is in it, and when it was so.
func (j *job) name() string {
	first := j.order.Items[0]
	name := path.Base(first.Path)
	if len(j.order.Items) > 1 {
		name = path.Base(path.Dir(first.Path))
	}
	if strings.Trim(name, "/.") == "" {
		name = j.order.Volume
	}
	return points.EscapeName(name) + " " + first.Point + "." + j.order.Format
}

// tell takes what became of an item.
func (j *job) tell(res restore.Result) {
	apart := (res.Err != nil || len(res.Gaps) > 0) && j.chosen.LeftOut(&res)
	err := error(nil)
	switch {
	case res.Err != nil:
		err = j.chosen.Because(&res)
	case len(res.Gaps) > 0:
		g := res.Gaps[0]
		err = fmt.Errorf("%d ranges are not known and read as zeros, the first %d bytes at %d: %s", len(res.Gaps), g.Len, g.Off, g.Why)
	}
	if apart {
		err = fmt.Errorf("left out of the snapshot by Windows on purpose: %w", err)
	}
	j.proof.add(&res, apart)
	j.mu.Lock()
	defer j.mu.Unlock()
	if res.Err == nil {
		j.sum.Files++
		j.sum.Bytes += res.Size
	}
	if err == nil {
		return
	}
	if j.sum.Failed++; len(j.sum.Faults) < maxFaults {
		j.sum.Faults = append(j.sum.Faults, report.FailedOf(res.Path, err))
	}
}
