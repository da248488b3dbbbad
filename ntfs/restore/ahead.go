package restore

import (
	"context"
	"iter"
	"sync"
)

const (
	// maxAhead is the most bytes of a file that is read, and made a member, before its turn.
	maxAhead = 64 << 10
	// waiting is how many items are under way at once.
	waiting = 64
)

// A small file as a member that only has to be written.
type small struct {
	size  int64
	sum   string
	lost  []string
	lines metaLines
	write func() error
}

// A turn is an item that waits for it.
type turn struct {
	item
	err   error // of the walk
	small *small
	ready chan struct{} // closed when small is what it is
}

// inTurn yields items in their order, small files among them made members by workers.
func (a *archiver) inTurn(ctx context.Context, items iter.Seq2[item, error]) iter.Seq2[*turn, error] {
	return func(yield func(*turn, error) bool) {
		work, queue, stop := make(chan *turn, waiting), make(chan *turn, waiting), make(chan struct{})
		var all sync.WaitGroup
		defer all.Wait()
		defer close(stop)
		all.Go(func() {
			defer close(queue)
			defer close(work)
			for it, err := range items {
				if it.done {
					continue
				}
				t := &turn{item: it, err: err, ready: make(chan struct{})}
				select {
				case queue <- t:
					work <- t // which has the room that queue has
				case <-stop:
					return
				}
			}
		})
		for range a.opts.Jobs {
			all.Go(func() {
				c := &copier{ctx: ctx, tick: func(int64) {}}
				for t := range work {
					if ctx.Err() == nil {
						t.small = a.ahead(c, &t.item)
					}
					close(t.ready)
				}
			})
		}
		for t := range queue {
			<-t.ready
			if err := context.Cause(ctx); err != nil && t.err == nil {
				t.err = err
			}
			if !yield(t, t.err) || t.err != nil {
				return
			}
		}
	}
}

// ahead makes a small file a member, where that is simple: one that has one name, can be had in full, and needs no other
// member beside it. Else it gives nil.
func (a *archiver) ahead(c *copier, it *item) *small {
	if it.res.Err != nil || it.res.Type != "file" || it.res.Stream != "" || it.node.Links > 1 || it.node.Size > maxAhead {
		return nil
	}
	m, err := ReadMeta(it.node)
	if err != nil {
		return nil
	}
	m.Path, m.Name = it.res.Path, it.res.Mapped
	streams, lost := a.pack.loose(&m)
	if len(streams) > 0 {
		return nil
	}
	content, err := contentOf(it.node, "")
	if err != nil || content.Size() > maxAhead {
		return nil
	}
	b := memory(make([]byte, content.Size()))
	out, err := c.content(b, content)
	if err != nil {
		return nil
	}
	s := &small{size: content.Size(), sum: hexOf(out.sum), lost: lost}
	if s.write, err = a.pack.small(m.Path, &m, b); err != nil {
		return nil
	}
	if a.lines != nil {
		if s.lines, err = linesOf(&m); err != nil {
			return nil
		}
	}
	return s
}

// addSmall writes what ahead made.
func (a *archiver) addSmall(res *Result, s *small) error {
	res.Size, res.SHA256, res.Lost = s.size, s.sum, append(res.Lost, s.lost...)
	if err := s.write(); err != nil {
		return writeError{err}
	}
	a.done.add(0, res.Size)
	if a.lines == nil {
		return nil
	}
	return a.lines.put(s.lines)
}
