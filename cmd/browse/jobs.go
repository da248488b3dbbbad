package browse

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// jobs run what may take long beside the keys. What they find comes back as functions, which the loop of the keys calls: so
// nothing of the model is shared.
type jobs struct {
	ctx  context.Context
	back chan func() // to the loop
	now  bool        // each is done at once, as tests want it
	work sync.WaitGroup
}

// A slot has one job at a time: a new one ends the one before, whose answers are dropped.
type slot struct {
	serial int
	cancel context.CancelFunc
	busy   bool
	told   bool // it has answered
}

// A job does something. send gives an answer to the loop, and reports whether more are wanted.
type job func(ctx context.Context, send func(func()) bool) error

// start begins a job. done is called in the loop when it has ended, unless another one took its slot.
func (j *jobs) start(s *slot, do job, done func(error)) {
	s.stop()
	s.serial++
	serial := s.serial
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(j.ctx)
	s.busy, s.told = true, false
	send := func(answer func()) bool {
		return j.post(ctx, func() {
			if s.serial == serial {
				s.told = true
				answer()
			}
		})
	}
	run := func() {
		err := do(ctx, send)
		if ctx.Err() == nil {
			send(func() { s.busy = false; done(err) })
		}
	}
	if j.now {
		run()
		return
	}
	j.work.Go(func() {
		defer j.panicked()
		run()
	})
}

// panicked has a panic of a job happen in the loop, which puts the terminal in order first.
func (j *jobs) panicked() {
	if p := recover(); p != nil {
		stack := debug.Stack()
		j.post(context.Background(), func() { panic(fmt.Sprintf("%v\n%s", p, stack)) })
	}
}

func (j *jobs) post(ctx context.Context, f func()) bool {
	if j.now {
		f()
		return true
	}
	select {
	case j.back <- f:
		return true
	case <-ctx.Done():
	case <-j.ctx.Done():
	}
	return false
}

// stop ends the job of a slot.
func (s *slot) stop() {
	if s.cancel != nil {
		s.cancel()
	}
	s.busy = false
	s.serial++
}
