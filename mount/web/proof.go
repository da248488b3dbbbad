package web

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/receipt"
	"snapmount/ntfs/restore"
)

// A proof is the receipt of a download, which is its last member: what "restore --receipt" writes. While it is written it is
// a temporary file.
type proof struct {
	dir    string
	writer *receipt.Writer
	file   *os.File // when it is complete

	mu  sync.Mutex
	sum receipt.End
}

func (s *Server) newProof(j *job) (*proof, error) {
	opts := receipt.Options{Tool: s.Tool, Target: j.name(), To: j.order.Format, Sets: []*points.Set{s.set}, Points: j.chosen.Points(), Zone: "UTC"}
	for _, x := range j.order.Items {
		p, err := s.place(j.order.Volume, x.Point, x.Path)
		if err != nil {
			return nil, err
		}
		opts.Locations = append(opts.Locations, p.location())
	}
	dir, err := os.MkdirTemp("", "snapmount-")
	if err != nil {
		return nil, err
	}
	p := &proof{dir: dir}
	if p.writer, err = receipt.Create(filepath.Join(dir, restore.ReceiptName), opts); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	j.proof = p
	return p, nil
}

// add takes what became of an item.
func (p *proof) add(res *restore.Result, apart bool) {
	p.writer.Add(res, apart)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum.Add(res, apart)
}

// close ends the receipt and gives it.
func (p *proof) close() (layer.Source, error) {
	p.sum.Complete = p.sum.Failed == 0
	err := p.writer.Close(p.sum)
	p.writer = nil
	if err != nil {
		return nil, err
	}
	if p.file, err = os.Open(filepath.Join(p.dir, restore.ReceiptName)); err != nil {
		return nil, err
	}
	info, err := p.file.Stat()
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(p.file, 0, info.Size()), nil
}

// drop removes what is left of it.
func (p *proof) drop() {
	if p.writer != nil {
		p.writer.Abort()
	}
	if p.file != nil {
		p.file.Close()
	}
	_ = os.RemoveAll(p.dir) // what stays is seen by the user only
}
