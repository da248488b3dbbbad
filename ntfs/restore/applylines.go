package restore

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
)

// lines applies the lines of a sidecar.
func (a *applier) lines(f io.ReaderAt) error {
	for _, each := range []func(lateLine, *Meta, error) error{a.learn, a.early} {
		if err := readLines(a.ctx, f, each); err != nil {
			return fmt.Errorf("%s: %w", SidecarName, err)
		}
	}
	slices.SortStableFunc(a.late, func(x, y lateLine) int { return cmp.Compare(x.turn, y.turn) })
	for _, l := range a.late {
		if a.ctx.Err() != nil {
			return context.Cause(a.ctx)
		}
		b := make([]byte, l.len)
		_, err := f.ReadAt(b, l.off)
		var m Meta
		if err == nil {
			err = decodeMeta(b, &m)
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", SidecarName, l.number, err)
		}
		lost, err := a.line(&m)
		a.done(m.Path, lost, err)
	}
	return nil
}

// readLines gives each line of a sidecar, or why it cannot be read.
func readLines(ctx context.Context, f io.ReaderAt, each func(lateLine, *Meta, error) error) error {
	end := int64(0) // of the line
	lines := bufio.NewScanner(io.NewSectionReader(f, 0, math.MaxInt64))
	lines.Buffer(make([]byte, 1<<16), maxLine)
	lines.Split(func(data []byte, last bool) (int, []byte, error) {
		n, line, err := bufio.ScanLines(data, last)
		end += int64(n)
		return n, line, err
	})
	for n, start := 1, int64(0); lines.Scan(); n, start = n+1, end {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var m Meta
		err := decodeMeta(lines.Bytes(), &m)
		if err = each(lateLine{off: start, len: end - start, number: n}, &m, err); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

// learn remembers what other lines need, and which lines are late.
func (a *applier) learn(l lateLine, m *Meta, err error) error {
	switch {
	case err != nil:
		a.done(fmt.Sprintf("%s, line %d", SidecarName, l.number), nil, fmt.Errorf("%w: %w", layer.ErrCorrupt, err))
	case m.Type == securityType:
		a.security[m.SecurityID] = m.Security
		a.bytes += len(m.SecurityID) + len(m.Security)
	case m.late():
		l.turn = m.turn()
		a.late = append(a.late, l)
		if m.Name != "" {
			a.renamed[m.Path] = m.Name
			a.bytes += len(m.Path) + len(m.Name)
		}
	}
	if a.bytes > maxLearnt {
		return fmt.Errorf("more than 0x%x bytes of security descriptors and changed names: %w", maxLearnt, layer.ErrUnsupported)
	}
	return nil
}

// early applies a line that is not late.
func (a *applier) early(_ lateLine, m *Meta, err error) error {
	if err == nil && m.Type != securityType && !m.late() {
		lost, err := a.line(m)
		a.done(m.Path, lost, err)
	}
	return nil
}

// A lateLine is a line to apply when the others are: one of a directory, whose times change with what is in it, or one
// that changes a name, by which others find what they are of.
type lateLine struct {
	off, len     int64
	number, turn int
}

func (m *Meta) late() bool { return m.Type == "dir" || m.Name != "" }

// turn says how late a line is, least first: hard links, which name another file, then the deepest.
func (m *Meta) turn() int {
	if m.Link != "" {
		return math.MinInt
	}
	return -strings.Count(path.Clean(m.Path), "/")
}
