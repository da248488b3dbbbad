package timeline

import (
	"context"
	"slices"

	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// A counter tells which version of its file a record is at each point, as compare.Tally defines it. Records that say the
// same, and content that lies in the same places, are the same without being read.
type counter struct {
	ctx    context.Context
	points []*ntfs.Tree
	files  []counted // of the record under way
	out    []Version
}

// counted is a file of a record.
type counted struct {
	ref   ntfs.Ref
	tally compare.Tally
	next  int // the point after those that it was seen at
}

// count numbers the versions of all that one record has had, oldest first, and parts those that are more than one. The
// result is good until the next call.
func (c *counter) count(group []Version) []Version {
	c.files, c.out = c.files[:0], c.out[:0]
	if len(group) == 1 && !group[0].Node.Deleted && c.still(&group[0]) {
		group[0].Number = 1
		return append(c.out, group[0])
	}
	for i := range group {
		if group[i].Node.Deleted {
			c.remains(group[i])
		} else {
			c.follow(group[i])
		}
	}
	return c.out
}

// still reports whether a record is one version of its file by proof.
func (c *counter) still(v *Version) bool {
	return v.Node.Damage == nil && len(v.Names) > 0 && v.Node.SameClustersIn(c.points[v.First+1:v.Last+1]...)
}

// remains numbers what is left of a deleted file, by what its record says: the content may be another file's by now.
func (c *counter) remains(v Version) {
	v.Number = 1
	for i := range c.out {
		if c.out[i].Node.Ref == v.Node.Ref && c.out[i].Node.Deleted {
			v.Number++
		}
	}
	c.out = append(c.out, v)
}

// follow goes on with a file, point by point.
func (c *counter) follow(v Version) {
	i := slices.IndexFunc(c.files, func(f counted) bool { return f.ref == v.Node.Ref })
	if i < 0 {
		i = len(c.files)
		c.files = append(c.files, counted{ref: v.Node.Ref, next: v.First})
	}
	f := &c.files[i]
	for ; f.next < v.First; f.next++ {
		if t := c.points[f.next]; t != nil {
			f.tally.Missing(t)
		}
	}
	f.next = v.Last + 1
	part, seen := v, v.Node
	part.Number, part.Unknown = f.tally.Next(c.ctx, seen)
	for p := v.First + 1; p <= v.Last; p++ {
		if t := c.points[p]; v.Node.Damage != nil || !seen.SameClustersIn(t) {
			seen = v.Node.In(t)
			number, err := f.tally.Next(c.ctx, seen)
			if number != part.Number {
				part.Last = p - 1
				c.out = append(c.out, part)
				part.Node, part.First, part.Number, part.Unknown = seen, p, number, err
			}
		}
	}
	part.Last = v.Last
	c.out = append(c.out, part)
}

// goesOn reports whether b goes on as the version that a is.
func (a *Version) goesOn(b *Version) bool {
	return a.Last+1 == b.First && a.Number == b.Number && a.Number > 0 && a.Node.Ref == b.Node.Ref && a.Node.Deleted == b.Node.Deleted
}
