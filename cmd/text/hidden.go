package text

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// CanAsk reports whether somebody can be asked: what is read and where lines are written are a terminal. It gives the former.
func CanAsk(in io.Reader, out io.Writer) (*os.File, bool) {
	f, ok := in.(*os.File)
	if !ok || !IsTerminal(f) || !IsTerminal(out) || !typesTo(f) { // /dev/null is none
		return nil, false
	}
	return f, true
}

// AskHidden writes a question, and reads a line from the terminal in without showing what is typed; whatever comes of it,
// the terminal shows what is typed afterwards. Where ctx ends, so does it. No line at all is io.EOF.
func AskHidden(ctx context.Context, in *os.File, out io.Writer, question string) (string, error) {
	restore, err := hideTyping(in)
	if err != nil {
		return "", err
	}
	defer fmt.Fprintln(out) // the line end was not shown either
	defer restore()
	fmt.Fprint(out, question)
	type answer struct {
		line string
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(in).ReadString('\n') // a terminal gives one line at a time
		typed <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case a := <-typed:
		if a.line != "" {
			a.err = nil // Ctrl-D ends a line too
		}
		return strings.TrimSuffix(strings.TrimSuffix(a.line, "\n"), "\r"), a.err
	}
}
