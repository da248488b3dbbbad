package cmd

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"snapmount/mount/when"
)

// TestScripts runs the files of testdata/script. "snapmount CODE ARGUMENT..." runs the program in this process and wants
// the exit code, by the clock of $NOW and $ZONE where they are set; $DEMO is the demo image, and "lockeddisk" writes it with
// an encrypted volume. Paths it is given begin with $WORK: the directory of this process is another one.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(e *testscript.Env) error { e.Setenv("DEMO", demo(t)); return nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lockeddisk": func(ts *testscript.TestScript, _ bool, _ []string) {
				_, err := writeLocked(ts.Getenv("WORK"), ts.Getenv("DEMO"))
				ts.Check(err)
			},
			"snapmount": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) == 0 {
					ts.Fatalf("usage: snapmount CODE ARGUMENT...")
				}
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				here := when.Clock{Now: time.Now(), Zone: time.UTC}
				if now := ts.Getenv("NOW"); now != "" {
					here.Now, err = time.Parse(time.RFC3339, now)
					ts.Check(err)
					here.Zone, err = when.Zone(ts.Getenv("ZONE"))
					ts.Check(err)
				}
				var said bytes.Buffer
				code := mainAt(here, args[1:], ts.Stdout(), &said)
				_, err = ts.Stderr().Write(sayings(said.Bytes()))
				ts.Check(err)
				if code != want {
					ts.Fatalf("exit code %d, want %d", code, want)
				}
			},
		},
	})
}
