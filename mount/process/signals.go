// Package process is what a program that serves a tree needs around it, whatever serves: signals that end its work
// (Signals), output that does not outlast them (Output), a log that nobody waits for (Log), a second process in the
// background (Start there, Background here), and a word to systemd (NotifyReady).
//
// Nothing here knows of images or trees. The methods of Signals and Log may be called from any goroutine; a Background
// is for one.
package process

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// ErrInterrupted is the cause of the end of a context that a signal ended.
var ErrInterrupted = errors.New("interrupted")

// Signals end a context: the first SIGINT or SIGTERM does, for the work to put away what is not complete. Nobody listens
// after it, so that a second one ends the program at once.
type Signals struct {
	Context context.Context

	come chan os.Signal
	left chan struct{}
	once sync.Once
}

// Listen begins to.
func Listen() *Signals {
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &Signals{Context: ctx, come: make(chan os.Signal, 1), left: make(chan struct{})}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if !signal.Ignored(sig) { // as those of a background job are, whose terminal is for another
			signal.Notify(s.come, sig)
		}
	}
	go func() {
		select {
		case <-s.come:
			cancel(ErrInterrupted)
			s.Leave()
		case <-s.left:
		}
	}()
	return s
}

// Leave ends the listening: signals are for others from now on, and the context lasts if it has lasted so far.
func (s *Signals) Leave() {
	s.once.Do(func() {
		signal.Stop(s.come)
		close(s.left)
	})
}
