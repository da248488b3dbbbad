package cmd

import (
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the files of testdata/script. "snapmount CODE ARGUMENT..." runs the program in this process and wants
// the exit code; $DEMO is the demo image. Paths it is given begin with $WORK: the directory of this process is another one.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(e *testscript.Env) error { e.Setenv("DEMO", demo(t)); return nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"snapmount": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) == 0 {
					ts.Fatalf("usage: snapmount CODE ARGUMENT...")
				}
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				if code := Main(args[1:], ts.Stdout(), ts.Stderr()); code != want {
					ts.Fatalf("exit code %d, want %d", code, want)
				}
			},
		},
	})
}
