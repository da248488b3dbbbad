package text

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// Out is standard output for results. It keeps its first error, which Flush gives.
type Out struct {
	*bufio.Writer
	Terminal bool
}

// NewOut makes an Out.
func NewOut(w io.Writer) *Out { return &Out{bufio.NewWriter(w), IsTerminal(w)} }

// Clean is Printable where somebody may be looking; programs get names as they are.
func (o *Out) Clean(s string) string {
	if o.Terminal {
		return Printable(s)
	}
	return s
}

// Cleaner is PrintableLines where somebody may be looking, else nil.
func (o *Out) Cleaner() func(string) string {
	if o.Terminal {
		return PrintableLines
	}
	return nil
}

// JSON writes an object a line.
func (o *Out) JSON(v any) { o.encode(json.NewEncoder(o), v) }

// Document writes JSON for people too.
func (o *Out) Document(v any) {
	e := json.NewEncoder(o)
	e.SetIndent("", "  ")
	o.encode(e, v)
}

func (o *Out) encode(e *json.Encoder, v any) { _ = e.Encode(v) } // the writer keeps its error

// Table writes rows of cells with tabs between them, as fill adds them, in columns.
func (o *Out) Table(fill func(row func(format string, args ...any))) {
	t := tabwriter.NewWriter(o, 0, 0, 2, ' ', 0)
	fill(func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) })
	_ = t.Flush() // the writer keeps its error
}
