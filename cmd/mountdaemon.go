package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount"
	"snapmount/mount/points"
	"snapmount/mount/process"
	"snapmount/mount/report"
	"snapmount/mount/selection"
)

// logFlags say where a mount logs what happens while it is served, and how much.
type logFlags struct {
	file  string
	level string
}

func (l *logFlags) add(f *pflag.FlagSet) {
	f.StringVar(&l.file, "log", "", "log to this file (default: standard error; of a mount with --daemon a file in the state directory)")
	f.StringVar(&l.level, "log-level", "", "log error, warn, info or debug (default info in a file, warn on standard error)")
}

// open opens the log of a mount, whose args these are, and tells why there is none.
func (l *logFlags) open(args []string, daemon bool, stderr io.Writer) (*process.Log, error) {
	images, dir := args[:len(args)-1], ""
	if daemon {
		dir = args[len(args)-1]
	}
	if err := selection.NotLog(l.file, images); err != nil {
		return nil, usagef("--log: %w", err)
	}
	level := slog.LevelWarn
	switch {
	case l.level == "" && (l.file != "" || daemon):
		level = slog.LevelInfo
	case l.level != "":
		if err := level.UnmarshalText([]byte(l.level)); err != nil || strings.ContainsAny(l.level, "+-") {
			return nil, usagef("--log-level %q: want error, warn, info or debug", l.level)
		}
	}
	log, err := process.OpenLog(l.file, dir, level, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "snapmount: %s\n", report.OneLine(err))
	}
	return log, nil
}

// start serves in the background, and tells how that began.
func (m *mountFlags) start(ctx context.Context, stdout, stderr io.Writer) error {
	keys := &m.open.keys
	if err := keys.read(ctx); err != nil {
		return err
	}
	given, err := json.Marshal(keys.texts)
	if err != nil {
		return err
	}
	m.signals.Leave() // the daemon tells how it ended
	call := process.Call{Args: masked(os.Args[1:]), Given: given, Progress: m.open.progress}
	if keys.ask != nil {
		call.Ask = keys.ask
	}
	a, err := call.Start()
	clear(given)
	switch {
	case errors.Is(err, layer.ErrUnsupported):
		return fmt.Errorf("%w: %w", mount.ErrRefused, err)
	case err != nil:
		return err
	}
	fmt.Fprint(stdout, a.Out)
	fmt.Fprint(stderr, a.Said)
	if a.Code != exitOK {
		return codedError{a.Code, errors.New(a.Err)}
	}
	if a.Log == "" {
		a.Log = "none"
	}
	fmt.Fprintf(stdout, "serving in process %d, log %s\n", a.Pid, a.Log)
	return nil
}

// inBackground serves in the process that start started.
func (m *mountFlags) inBackground(args []string) error {
	b, err := process.NewBackground()
	if err != nil {
		return err
	}
	if err := m.open.keys.take(b.Given()); err != nil {
		return err
	}
	if m.open.keys.ask = nil; b.Asked() {
		m.open.keys.ask = b.Ask
	}
	m.open.progress = b.Progress
	var said, out strings.Builder
	m.open.clock.Note = text.NewReporter(&said).Note
	v := &service{mountFlags: m, stderr: &said, end: []os.Signal{os.Interrupt, syscall.SIGTERM}}
	told := false
	if v.log, err = m.log.open(args, true, v.stderr); err == nil {
		v.log.Crashes()
		err = v.serve(args, func(s *points.Set, dir string) {
			m.printMounted(&out, s, dir, "")
			told = true
			b.Serves(process.Answer{Out: out.String(), Said: said.String()}, v.log)
			v.stderr = io.Discard // nobody is there to read
		})
	}
	if err != nil && !told {
		return errors.Join(errTold, b.Fails(process.Answer{Err: report.OneLine(err), Said: said.String(), Code: exitCode(err)}))
	}
	return err
}
