package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/serve/evidence"
)

// lines is an answer of one JSON object a line, sent as they come. A report.Failed says what could not be given; as the last
// line, without a path, that more is missing.
type lines struct {
	w     http.ResponseWriter
	ctx   context.Context
	buf   *bufio.Writer
	enc   *json.Encoder
	begun bool
	sent  time.Time
	err   error // of the client
}

// How long lines may wait for more of them; the first ones are as many as a screen has.
const (
	lineDelay  = 80 * time.Millisecond
	firstDelay = 15 * time.Millisecond
)

func newLines(w http.ResponseWriter, r *http.Request) *lines {
	w.Header().Set("Content-Type", "application/x-ndjson")
	l := &lines{w: w, ctx: r.Context(), buf: bufio.NewWriterSize(w, 64<<10), sent: time.Now().Add(firstDelay - lineDelay)}
	l.enc = json.NewEncoder(wintype.JSONWriter{W: l.buf})
	return l
}

// put sends a line, and reports whether more are wanted.
func (l *lines) put(v any) bool {
	l.begun = true
	if l.err == nil {
		l.err = l.enc.Encode(v)
	}
	if time.Since(l.sent) > lineDelay {
		l.flush()
	}
	return l.err == nil && l.ctx.Err() == nil
}

// fail sends a line of what could not be given, after which more may come.
func (l *lines) fail(path string, err error) bool {
	one := report.FailedOf(path, err)
	one.On = true
	return l.put(one)
}

func (l *lines) flush() {
	if l.err == nil {
		l.err = l.buf.Flush()
	}
	if err := http.NewResponseController(l.w).Flush(); l.err == nil && !errors.Is(err, http.ErrNotSupported) {
		l.err = err
	}
	l.sent = time.Now()
}

// end ends the answer. An error before the first line is an answer of its own, with its status.
func (l *lines) end(err error) {
	if err == nil {
		err = context.Cause(l.ctx)
	}
	if err != nil && !l.begun {
		fail(l.w, err)
		return
	}
	if err != nil {
		l.put(report.FailedOf("", err))
	}
	l.flush()
}

// answer sends one JSON object.
func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(wintype.JSONWriter{W: w}).Encode(v) // an error is of a client that has gone
}

// fail sends why there is no answer.
func fail(w http.ResponseWriter, err error) {
	code := evidence.Status(err)
	var none *points.NoPointError
	switch {
	case errors.Is(err, errRequest):
		code = http.StatusBadRequest
	case errors.As(err, &none) && !errors.Is(err, layer.ErrCorrupt) && !errors.Is(err, layer.ErrUnknown): // a name that none can have
		code = http.StatusNotFound
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(wintype.JSONWriter{W: w}).Encode(report.FailedOf("", err)) // likewise
}
