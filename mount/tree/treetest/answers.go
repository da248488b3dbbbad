package treetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"syscall"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// failures are errors that a front end may be given, each by a word. Every table from errors to what a protocol answers is
// held against all of them.
var failures = map[string]error{
	"none":             nil,
	"stale":            tree.ErrStale,
	"no xattr":         tree.ErrNoXattr,
	"not there":        fs.ErrNotExist,
	"no point":         points.ErrNoPoint,
	"damaged":          layer.Corrupt("record", 5, "bad"),
	"unknown":          &layer.UnknownError{Why: layer.Unprotected, Off: 5, Len: 1},
	"both":             errors.Join(layer.ErrUnknown, layer.Corrupt("record", 5, "bad")),
	"unsupported":      layer.ErrUnsupported,
	"no directory":     tree.ErrNotDir,
	"a directory":      tree.ErrIsDir,
	"no link":          tree.ErrNotLink,
	"too many links":   tree.ErrLoop,
	"too big":          tree.ErrTooBig,
	"cancelled":        context.Canceled,
	"the disk went":    &fs.PathError{Op: "read", Err: syscall.ENODEV},
	"the image went":   &fs.PathError{Op: "open", Path: "disk.vhd", Err: syscall.ENOENT}, // which is not that a name is not there
	"what nobody knew": errors.New("what nobody knows"),
}

// Answers holds a table from errors to answers against what it is to give for each of the failures, by their words.
func Answers[T comparable](t *testing.T, of func(error) T, want map[string]T) {
	t.Helper()
	for _, word := range slices.Sorted(maps.Keys(failures)) {
		err := failures[word]
		if err != nil {
			err = fmt.Errorf("%q: %w", "name", err)
		}
		answer, wanted := want[word]
		if got := of(err); !wanted || got != answer {
			t.Errorf("%s (%v): %v, want %v, which is told: %v", word, err, got, answer, wanted)
		}
	}
	for word := range want {
		if _, known := failures[word]; !known {
			t.Errorf("%s: is none of the failures", word)
		}
	}
}
