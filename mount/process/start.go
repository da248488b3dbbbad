package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"snapmount/imagefmt/layer"
)

// Answer is how a background process began to serve, or why it does not.
type Answer struct {
	Out, Said string // for standard output, and lines for standard error
	Err       string // why it failed, and with which exit code
	Code      int
	Pid       int
	Log       string // place of its log, empty without one
}

// message is what a background process tells the one that started it, as JSON: how far it is and what it asks, any number
// of times, then once the Answer.
type message struct {
	What        string `json:",omitempty"` // under way, Done of Total
	Done, Total int64
	Question    string `json:",omitempty"` // which a reply answers; like What empty in the last message
	Answer
}

// reply is what a background process is told, as JSON: what it was given, then the answer to each of its questions.
type reply struct {
	Given    []byte `json:",omitempty"`
	Asked    bool   // questions are answered
	Answer   string `json:",omitempty"`
	NoAnswer bool   `json:",omitempty"`
}

// A Call is how Start starts this program once more.
type Call struct {
	Args     []string // of the process, without its name
	Given    []byte   // what Background.Given returns there: arguments and the environment are for everybody to see
	Progress layer.Progress
	// Ask answers what the process asks with Background.Ask; nil where nobody can be asked.
	Ask func(ctx context.Context, question string) (string, error)
}

// variable tells a process that Start started it.
const variable = "SNAPMOUNT_DAEMON_CHILD"

// Start runs this program again in a session of its own, under the same name, and returns when that serves, or has failed.
// The first signal meanwhile ends it. Windows has none of that (layer.ErrUnsupported).
func (c Call) Start() (Answer, error) {
	self, err := os.Executable()
	if err != nil {
		return Answer{}, err
	}
	ready, tell, err := os.Pipe()
	if err != nil {
		return Answer{}, err
	}
	defer ready.Close()
	told, replies, err := os.Pipe()
	if err != nil {
		tell.Close()
		return Answer{}, err
	}
	defer replies.Close()
	p := exec.Command(self, c.Args...)
	p.Args[0] = os.Args[0]
	p.Env = append(os.Environ(), variable+"=1")
	p.ExtraFiles = []*os.File{tell, told} // descriptors 3 and 4 there
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(stop)
	if err = detach(p); err == nil {
		err = p.Start()
	}
	tell.Close()
	told.Close()
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		<-stop
		signal.Stop(stop)                     // a second one ends this process
		_ = p.Process.Signal(syscall.SIGTERM) // one that ended meanwhile has told why
		cancel(ErrInterrupted)
	}()
	a, err := c.talk(ctx, json.NewDecoder(ready), json.NewEncoder(replies))
	switch {
	case err != nil:
		err = fmt.Errorf("the background process ended without a word: %w", errors.Join(err, p.Wait()))
	case a.Err == "":
		err = p.Process.Release()
	}
	return a, err
}

// talk gives the process what is for it, and answers it until it has told how it began.
func (c Call) talk(ctx context.Context, said *json.Decoder, replies *json.Encoder) (Answer, error) {
	// One that has ended takes no reply; what it said before is read.
	_ = replies.Encode(reply{Given: c.Given, Asked: c.Ask != nil})
	for {
		var m message
		if err := said.Decode(&m); err != nil {
			return Answer{}, err
		}
		switch {
		case m.Question != "":
			c.Progress("", 0, 0)
			answer, err := c.Ask(ctx, m.Question)
			_ = replies.Encode(reply{Answer: answer, NoAnswer: err != nil})
		case m.What != "":
			c.Progress(m.What, m.Done, m.Total)
		default:
			c.Progress("", 0, 0)
			return m.Answer, nil
		}
	}
}
