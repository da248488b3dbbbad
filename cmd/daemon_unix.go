//go:build !windows

package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// readyMessage is what a daemon tells the process that started it, as JSON: how far it is, any number of times, then
// once how it ended.
type readyMessage struct {
	What        string `json:",omitempty"` // under way, Done of Total; empty in the last message
	Done, Total int64

	Out, Err string // for standard output; why it failed
	Said     string // lines for standard error
	Code     int
	Pid      int
	Log      string
}

// startDaemon runs this program again in a session of its own and returns when it serves, or has failed.
func startDaemon(stdout, stderr io.Writer, progress layer.Progress) error {
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
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(stop)
	err = cmd.Start()
	tell.Close()
	if err != nil {
		return err
	}
	go func() {
		<-stop
		signal.Stop(stop)                       // a second one ends this process
		_ = cmd.Process.Signal(syscall.SIGTERM) // one that ended meanwhile has told why
	}()
	m := readyMessage{What: "start"}
	for said := json.NewDecoder(ready); m.What != ""; {
		m = readyMessage{}
		if err := said.Decode(&m); err != nil {
			return fmt.Errorf("the background process ended without a word: %w", errors.Join(err, cmd.Wait()))
		}
		progress(m.What, m.Done, m.Total)
	}
	fmt.Fprint(stdout, m.Out)
	fmt.Fprint(stderr, m.Said)
	if m.Code != exitOK {
		return codedError{m.Code, errors.New(m.Err)}
	}
	fmt.Fprintf(stdout, "serving in process %d, log %s\n", m.Pid, m.Log)
	return cmd.Process.Release()
}

// serveChild serves in the background process. What it and programs that help to mount say until then goes to the
// caller, and to the log after it.
func (m *mountFlags) serveChild(args []string) error {
	tell := json.NewEncoder(os.NewFile(3, "ready"))
	helpers, stderr, err := os.Pipe()
	if err != nil {
		return err
	}
	defer helpers.Close()
	os.Stderr = stderr
	signal.Ignore(syscall.SIGHUP) // a lost terminal is not ours
	m.open.progress = func(what string, done, total int64) {
		if done < total {
			_ = tell.Encode(readyMessage{What: what, Done: done, Total: total}) // a parent that is gone does not end the mount
		}
	}
	var said, out strings.Builder
	v := &service{mountFlags: m, stderr: &said, end: []os.Signal{os.Interrupt, syscall.SIGTERM}}
	told := false
	if err = v.openLog(args, true); err == nil {
		v.crashesToLog()
		err = v.serve(args, func(s *points.Set, dir string) {
			printFound(&out, s)
			fmt.Fprintf(&out, "mounted on %s; \"snapmount umount %s\" ends it\n", dir, dir)
			told = true
			_ = tell.Encode(readyMessage{Out: out.String(), Said: said.String(), Pid: os.Getpid(), Log: v.logName()})
			v.stderr = io.Discard // nobody is there to read
			go v.logLines(helpers)
			_ = os.Chdir("/") // keep no directory busy
		})
	}
	if err != nil && !told {
		stderr.Close()
		more, _ := io.ReadAll(io.LimitReader(helpers, 4<<10)) // it only adds to the error
		text := report.OneLine(errors.Join(err, errors.New(string(more))))
		return errors.Join(errTold, tell.Encode(readyMessage{Err: text, Said: said.String(), Code: exitCode(err)}))
	}
	return err
}

func (v *service) logName() string {
	if v.log.place == "" {
		return "none"
	}
	return v.log.place
}

// crashesToLog makes the runtime write the trace of a crash to the log too.
func (v *service) crashesToLog() {
	if v.log.place == "" {
		return
	}
	if f, err := openLog(v.log.place); err == nil {
		_ = debug.SetCrashOutput(f, debug.CrashOptions{}) // it keeps a copy; without it a trace is lost
		f.Close()
	}
}

// logLines logs what is written to r.
func (v *service) logLines(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		v.log.Warn(lines.Text())
	}
	_, _ = io.Copy(io.Discard, r) // after a line too long; a full pipe would block its writer
}
