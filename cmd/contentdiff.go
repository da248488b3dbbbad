package cmd

import (
	"bytes"
	"fmt"
	"io"

	"snapmount/imagefmt/layer"
)

// maxTextDiff is the size up to which content is compared as text, in bytes.
const maxTextDiff = 1 << 20

// writeContentDiff writes what differs between two contents, as one hunk of lines; of what is no text, or large, only
// that it differs.
func writeContentDiff(w io.Writer, oldName, newName string, a, b layer.Mapper) error {
	x, err := readText(a)
	if err != nil {
		return err
	}
	y, err := readText(b)
	if err != nil {
		return err
	}
	if x == nil || y == nil {
		_, err := fmt.Fprintf(w, "%s and %s differ (%d and %d bytes)\n", oldName, newName, a.Size(), b.Size())
		return err
	}
	from := 0
	for from < min(len(x), len(y)) && bytes.Equal(x[from], y[from]) {
		from++
	}
	x, y = x[from:], y[from:]
	for len(x) > 0 && len(y) > 0 && bytes.Equal(x[len(x)-1], y[len(y)-1]) {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	fmt.Fprintf(w, "--- %s\n+++ %s\n@@ -%d,%d +%d,%d @@\n", oldName, newName, from+1, len(x), from+1, len(y))
	for _, side := range []struct {
		sign  byte
		lines [][]byte
	}{{'-', x}, {'+', y}} {
		for _, line := range side.lines {
			if _, err := fmt.Fprintf(w, "%c%s\n", side.sign, printable(string(bytes.TrimRight(line, "\r\n")))); err != nil {
				return err
			}
		}
	}
	return nil
}

// readText returns the lines of a text, each with its end; nil for what is none or too large.
func readText(m layer.Mapper) ([][]byte, error) {
	if m.Size() > maxTextDiff {
		return nil, nil
	}
	b := make([]byte, m.Size())
	if err := layer.ReadFull(m, b, 0); err != nil || bytes.IndexByte(b, 0) >= 0 {
		return nil, err
	}
	return bytes.SplitAfter(b, []byte("\n")), nil
}
