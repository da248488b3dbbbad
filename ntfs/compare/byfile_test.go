package compare

import (
	"errors"
	"fmt"
	"testing"

	"snapmount/ntfs"
)

func TestByFile(t *testing.T) {
	failed := errors.New("failed")
	a, b := ntfs.Ref{Record: 40, Seq: 1}, ntfs.Ref{Record: 40, Seq: 2}
	list := []Change{{Kind: Content, Path: "x", Ref: a}, {Kind: Metadata, Path: "x", Ref: a}, {Kind: Streams, Path: "x", Ref: b}, {Path: "x", Ref: b},
		{Kind: Streams, Path: "x", Ref: b}, {Kind: Content, Path: "y", Ref: b}}
	changes := func(yield func(Change, error) bool) {
		for i, c := range list {
			var err error
			if i == 3 {
				err = failed
			}
			if !yield(c, err) {
				return
			}
		}
	}
	got := ""
	for group, err := range ByFile(changes) {
		got += fmt.Sprint(len(group), err != nil, " ")
	}
	if want := "2 false 1 false 1 true 1 false 1 false "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for stop := range 5 { // a caller may go at any time
		n := 0
		for range ByFile(changes) {
			if n++; n > stop {
				break
			}
		}
	}
}

func TestTelling(t *testing.T) {
	all := []string{"created", "modified", "changed", "accessed", "attributes", "name_times"}
	for _, c := range []struct {
		in   Change
		want string
	}{
		{Change{Kind: Metadata, Fields: all}, "[created modified changed attributes name_times] true"},
		{Change{Kind: Metadata, Type: ntfs.KindDir, Fields: all}, "[attributes] true"},
		{Change{Kind: Metadata, Type: ntfs.KindDir, Fields: all[:4]}, "[] false"},
		{Change{Kind: Metadata, Fields: all[3:4]}, "[] false"},
		{Change{Kind: Streams, Fields: all[3:4]}, "[accessed] true"}, // the name of a stream
		{Change{Kind: Deleted}, "[] true"},
	} {
		got, ok := c.in.Telling()
		if s := fmt.Sprint(got.Fields, ok); s != c.want {
			t.Errorf("%v: %s, want %s", c.in, s, c.want)
		}
	}
	if len(all) != 6 || all[3] != "accessed" {
		t.Error("the fields of the caller are not as they were")
	}
}
