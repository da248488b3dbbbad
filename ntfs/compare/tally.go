package compare

import (
	"context"
	"errors"
	"slices"

	"snapmount/ntfs"
)

// A Tally counts the versions of one file, moment by moment, the oldest first. It is what History, and all else that
// counts versions, means by one.
//
// A version is the longest run of moments over which a file is the same: its names, those of 8.3 too, and the
// directories that they are in; all streams, byte for byte; times, those that go with its names too, but for the last
// access; attributes, permissions, reparse data, extended attributes, object id and EFS keys. What NTFS counts by itself
// (USN, quota, the place in $LogFile), where records and content lie, and what directories above are called do not count.
//
// After a moment at which the file is known not to be there, a new version begins. So does one wherever it is not known
// whether the file is what it was: that is unknown, and never equal. A moment at which the file itself cannot be had has
// no version, and ends none.
//
// The zero value is ready. It is for one goroutine.
type Tally struct {
	last   *state // at the latest moment of which it is known; nil when the file was not there
	number int
}

// Next goes on to a moment at which the file is n, and returns the number of its version, from 1; 0 where it has none.
// The error is why it is not known whether that is the version before.
func (c *Tally) Next(ctx context.Context, n *ntfs.Node) (number int, err error) {
	s, err := stateOf(n, "", c.last)
	if err != nil {
		return 0, err
	}
	last := c.last
	c.last = s
	if last == nil {
		c.number++
		return c.number, n.Damage
	}
	same, err := sameState(ctx, last, s)
	if !same {
		c.number++
	}
	return c.number, err
}

// Missing goes on to a moment at which no such file was seen. If it may be there all the same, its version may go on.
func (c *Tally) Missing(t *ntfs.Tree) {
	if c.last == nil {
		return
	}
	if n, err := fileAt(t, c.last.node.Ref, c.last.names()); n == nil && err == nil {
		c.last = nil
	}
}

// sameState reports whether a file is the same, as Tally has it. With an error it is not known.
func sameState(ctx context.Context, a, b *state) (bool, error) {
	if !slices.Equal(a.links, b.links) {
		return false, errors.Join(a.node.Confirm(), b.node.Confirm())
	}
	c := stateChange{brief: true}
	same := c.compareFile(ctx, a, b, "")
	return same, c.err
}
