package text

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"snapmount/imagefmt/wintype"
)

// Out is standard output for results. It keeps its first error, which Flush gives.
type Out struct {
	*bufio.Writer
	Terminal bool
	Colour   bool
	Width    int            // letters of a line, to fold text to; 0 does not
	Zone     *time.Location // of times that people read; nil is UTC
	below    io.Writer
}

// NewOut makes an Out.
func NewOut(w io.Writer) *Out {
	return &Out{Writer: bufio.NewWriter(w), Terminal: IsTerminal(w), Width: WidthOf(w), below: w}
}

// Content returns where contents and names for programs go: to a terminal as all else does, else as they are.
func (o *Out) Content() io.Writer {
	if o.Terminal {
		return o
	}
	_ = o.Flush() // it keeps its error
	return Raw(o.below)
}

// JSON writes an object a line.
func (o *Out) JSON(v any) { o.encode(json.NewEncoder(wintype.JSONWriter{W: o}), v) }

// Document writes JSON for people too.
func (o *Out) Document(v any) {
	e := json.NewEncoder(wintype.JSONWriter{W: o})
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
