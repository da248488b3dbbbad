//go:build !windows

package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"snapmount/mount/tree"
)

// readyMessage is what a daemon tells the process that started it, once, as JSON.
type readyMessage struct {
	Out, Err string
	Code     int
	Pid      int
}

// startDaemon runs this program again in a session of its own and returns when it serves, or has failed.
func startDaemon(stdout io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ready, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	cmd.ExtraFiles = []*os.File{tell} // descriptor 3 of the child
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	tell.Close()
	if err != nil {
		return err
	}
	var m readyMessage
	if err := json.NewDecoder(ready).Decode(&m); err != nil {
		return fmt.Errorf("the background process ended without a word: %w", errors.Join(err, cmd.Wait()))
	}
	fmt.Fprint(stdout, m.Out)
	if m.Code != exitOK {
		return codedError{m.Code, errors.New(m.Err)}
	}
	fmt.Fprintf(stdout, "serving in process %d\n", m.Pid)
	return cmd.Process.Release()
}

// serveChild serves in the background process. What programs that help to mount say until then goes to the caller.
func (m *mountFlags) serveChild(args []string) error {
	tell := os.NewFile(3, "ready")
	defer tell.Close()
	said, stderr, err := os.Pipe()
	if err != nil {
		return err
	}
	defer said.Close()
	os.Stderr = stderr
	c := &cobra.Command{}
	c.SetErr(io.Discard) // nobody is there to read
	told := false
	say := func(r readyMessage) error {
		told = true
		return errors.Join(json.NewEncoder(tell).Encode(r), tell.Close())
	}
	err = m.serve(c, args, func(s *tree.Set, dir string) {
		var out strings.Builder
		printFound(&out, s)
		fmt.Fprintf(&out, "mounted on %s; \"snapmount umount %s\" ends it\n", dir, dir)
		// A parent that is gone does not end the mount.
		_ = say(readyMessage{Out: out.String(), Pid: os.Getpid()})
	})
	if err != nil && !told {
		stderr.Close()
		more, _ := io.ReadAll(io.LimitReader(said, 4<<10)) // it only adds to the error
		return errors.Join(errTold, say(readyMessage{Err: oneLine(errors.Join(err, errors.New(string(more)))), Code: exitCode(err)}))
	}
	return err
}
