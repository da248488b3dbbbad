package web

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"snapmount/mount/report"
	"snapmount/mount/selection"
)

// A job is one download of several files, from when it was ordered.
type job struct {
	order  order
	chosen *selection.Selection
	by     *Server // that chose
	proof  *proof  // of what is sent

	mu    sync.Mutex
	begun bool
	sum   report.Download
}

const (
	maxJobs   = 32  // are known at a time; the oldest is forgotten
	maxFaults = 500 // are told of a job
)

// start reports whether the download may begin: it is one of a Selection that only one goroutine uses.
func (j *job) start() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := !j.begun
	j.begun = true
	return first
}

func (j *job) end(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.sum.Done = true; err != nil {
		j.sum.Error = report.OneLine(err)
	}
}

func (j *job) state() report.Download {
	j.mu.Lock()
	defer j.mu.Unlock()
	sum := j.sum
	sum.Faults = append([]report.Failed{}, sum.Faults...)
	return sum
}

// jobs are those that were ordered last.
type jobs struct {
	mu    sync.Mutex
	byID  map[string]*job
	order []string
}

func (s *jobs) add(j *job) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := rand.Text()
	if s.byID == nil {
		s.byID = map[string]*job{}
	}
	if len(s.order) == maxJobs {
		delete(s.byID, s.order[0])
		s.order = slices.Delete(s.order, 0, 1)
	}
	s.byID[id], s.order = j, append(s.order, id)
	return id
}

func (s *jobs) get(id string) (*job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.byID[id]; j != nil {
		return j, nil
	}
	return nil, fmt.Errorf("download %q: %w", id, fs.ErrNotExist)
}
