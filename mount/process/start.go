package process

import (
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

// message is what a background process tells the one that started it, as JSON: how far it is, any number of times, then
// once the Answer.
type message struct {
	What        string `json:",omitempty"` // under way, Done of Total; empty in the last message
	Done, Total int64
	Answer
}

// variable tells a process that Start started it.
const variable = "SNAPMOUNT_DAEMON_CHILD"

// Start runs this program again in a session of its own, with the same arguments, and returns when that serves, or has
// failed. The first signal meanwhile ends it. Windows has none of that (layer.ErrUnsupported).
func Start(progress layer.Progress) (Answer, error) {
	self, err := os.Executable()
	if err != nil {
		return Answer{}, err
	}
	ready, tell, err := os.Pipe()
	if err != nil {
		return Answer{}, err
	}
	defer ready.Close()
	c := exec.Command(self, os.Args[1:]...)
	c.Env = append(os.Environ(), variable+"=1")
	c.ExtraFiles = []*os.File{tell} // descriptor 3 there
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(stop)
	if err = detach(c); err == nil {
		err = c.Start()
	}
	tell.Close()
	if err != nil {
		return Answer{}, err
	}
	go func() {
		<-stop
		signal.Stop(stop)                     // a second one ends this process
		_ = c.Process.Signal(syscall.SIGTERM) // one that ended meanwhile has told why
	}()
	m := message{What: "start"}
	for said := json.NewDecoder(ready); m.What != ""; {
		m = message{}
		if err := said.Decode(&m); err != nil {
			return Answer{}, fmt.Errorf("the background process ended without a word: %w", errors.Join(err, c.Wait()))
		}
		progress(m.What, m.Done, m.Total)
	}
	if m.Err == "" {
		err = c.Process.Release()
	}
	return m.Answer, err
}
