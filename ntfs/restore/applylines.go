package restore

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
)

// told is told what became of a line: of which path, what could not be set, and why.
type told = func(path string, lost []string, err error)

// lines applies the lines of a sidecar.
func (a *applier) lines(f io.ReaderAt, done told) error {
	var late []lateLine
	end := int64(0) // of the line
	lines := bufio.NewScanner(io.NewSectionReader(f, 0, math.MaxInt64))
	lines.Buffer(make([]byte, 1<<16), maxLine)
	lines.Split(func(data []byte, last bool) (int, []byte, error) {
		n, line, err := bufio.ScanLines(data, last)
		end += int64(n)
		return n, line, err
	})
	for n, start := 1, int64(0); lines.Scan(); n, start = n+1, end {
		var m Meta
		if err := decodeMeta(lines.Bytes(), &m); err != nil {
			done(fmt.Sprintf("%s, line %d", SidecarName, n), nil, fmt.Errorf("%w: %w", layer.ErrCorrupt, err))
			continue
		}
		switch {
		case m.Type == securityType:
			if err := a.remember(&m); err != nil {
				return err
			}
		case m.Type == "dir" || m.Name != "":
			late = append(late, lateLine{start, end - start, m.turn()})
		default:
			lost, err := a.line(&m)
			done(m.Path, lost, err)
		}
	}
	return errors.Join(lines.Err(), a.late(f, late, done))
}

// A lateLine is a line to apply when the others are: one of a directory, whose times change with what is in it, or one
// that changes a name, by which others find what they are of.
type lateLine struct {
	off, len int64
	turn     int
}

// turn says how late a line is, least first: hard links, which name another file, then the deepest.
func (m *Meta) turn() int {
	if m.Link != "" {
		return math.MinInt
	}
	return -strings.Count(path.Clean(m.Path), "/")
}

// late applies lines again that were read before.
func (a *applier) late(f io.ReaderAt, list []lateLine, done told) error {
	slices.SortStableFunc(list, func(x, y lateLine) int { return cmp.Compare(x.turn, y.turn) })
	for _, l := range list {
		b := make([]byte, l.len)
		if _, err := f.ReadAt(b, l.off); err != nil {
			return fmt.Errorf("%s: 0x%x bytes at 0x%x: %w", SidecarName, l.len, l.off, err)
		}
		var m Meta
		if err := decodeMeta(b, &m); err != nil {
			return fmt.Errorf("%s: 0x%x bytes at 0x%x: %w", SidecarName, l.len, l.off, err)
		}
		lost, err := a.line(&m)
		done(m.Path, lost, err)
	}
	return nil
}
