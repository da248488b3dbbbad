package compare

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// maxRanges bounds the memory for ranges of the volume.
const maxRanges = 1 << 22

// explain notes that changes of a node's clusters are accounted for, and so are those of the directories of its names,
// whose indexes have copies of what the record says.
func (d *differ) explain(n *ntfs.Node, links []link) {
	if n == nil || d.opts.Paranoid {
		return
	}
	for r := range n.Places() {
		d.account(r)
	}
	for _, l := range links {
		d.parents[l.parent] = true
	}
}

func (d *differ) account(r ntfs.Range) {
	if len(d.explained) < maxRanges { // what is left out costs time
		d.explained = append(d.explained, r)
	}
}

// findInPlace looks for changes that no record tells of.
func (d *differ) findInPlace() {
	for _, s := range []*side{&d.a, &d.b} {
		for ref := range d.parents {
			if d.ctx.Err() != nil {
				return
			}
			if n, err := s.t.Node(ref); err == nil && n.Attr&ntfs.AttrDirectory != 0 {
				d.explain(n, nil)
			}
		}
		if !d.opts.System {
			for _, n := range s.system() {
				d.explain(n, nil)
			}
		}
	}
	slices.SortFunc(d.explained, func(x, y ntfs.Range) int { return cmp.Compare(x.Off, y.Off) })
	suspects := d.suspects()
	if len(suspects) == 0 {
		return
	}
	seen := map[uint64]bool{}
	for ref, err := range d.b.t.Owners(d.ctx, suspects) {
		_, done := slices.BinarySearch(d.candidates, ref.Record)
		if seen[ref.Record] || done {
			continue
		}
		seen[ref.Record] = true
		if err != nil {
			d.lost = append(d.lost, fmt.Errorf("whether content of its file changed in place is not known: %w", err))
			continue
		}
		d.collect(d.ask(ref.Record, true))
	}
}

// suspects returns the ranges of the volume, in order, that differ and are in use, and that no changed record accounts
// for. What cannot be read counts as different.
func (d *differ) suspects() (out []ntfs.Range) {
	c := clusters{a: d.a.t.Volume(), b: d.b.t.Volume(), size: int64(d.b.t.ClusterSize())}
	for _, s := range []*side{&d.a, &d.b} {
		used, err := s.t.Used()
		if err != nil {
			used = func(_, n int64) (bool, int64, error) { return true, n, nil }
		}
		c.used = append(c.used, used)
	}
	for r := range d.unexplained(c.size) {
		for pair := range layer.Pairs(c.a, c.b, r.Off, r.Len) {
			if out = c.pair(d.ctx, out, pair); d.ctx.Err() != nil {
				return nil
			}
			d.opts.Progress.Tell("comparing what records do not explain, MiB", layer.MiB(pair.Off), layer.MiB(d.b.t.Size()))
		}
	}
	return out
}

// pair appends to out what of a range is in use, and differs or is not known: that as a whole, however long it is.
func (c *clusters) pair(ctx context.Context, out []ntfs.Range, p layer.Pair) []ntfs.Range {
	known, step := p.Err == nil && p.A.Kind != layer.Unknown && p.B.Kind != layer.Unknown, p.Len
	if known {
		step = window
	}
	for off, end := p.Off, p.Off+p.Len; off < end && ctx.Err() == nil; {
		used, n := c.inUse(off, min(end-off, step))
		switch {
		case used && known:
			out = c.compare(out, off, n)
		case used:
			out = join(out, ntfs.Range{Off: off, Len: n})
		}
		off += n
	}
	return out
}

// inUse reports whether a range is in use at either time, as far as both are as they are at its first byte.
func (c *clusters) inUse(off, n int64) (used bool, same int64) {
	for _, f := range c.used {
		in, same, err := f(off, n)
		if err != nil { // then it may be in use
			in, same = true, n
		}
		used, n = used || in, same
	}
	return used, n
}

// unexplained yields what differs between the two volumes, whole clusters, without what is explained.
func (d *differ) unexplained(cluster int64) iter.Seq[ntfs.Range] {
	return func(yield func(ntfs.Range) bool) {
		a, b := d.a.t.Volume(), d.b.t.Volume()
		size := min(a.Size(), b.Size(), d.a.t.Size(), d.b.t.Size())
		skip, done := d.explained, int64(0)
		for off, n := range layer.Differ(d.ctx, a, b, 0, size, nil) {
			off, end := max(off-off%cluster, done), min((off+n+cluster-1)/cluster*cluster, size)
			for off < end {
				for len(skip) > 0 && skip[0].Off+skip[0].Len <= off {
					skip = skip[1:]
				}
				stop := end
				if len(skip) > 0 {
					stop = min(stop, skip[0].Off)
				}
				if stop > off && !yield(ntfs.Range{Off: off, Len: stop - off}) {
					return
				}
				off = stop
				if len(skip) > 0 && off >= skip[0].Off {
					off = max(off, min(skip[0].Off+skip[0].Len, end))
				}
			}
			done = max(done, end)
		}
	}
}

// clusters compares the volumes at two times.
type clusters struct {
	a, b layer.Source
	size int64
	used []func(off, n int64) (bool, int64, error)
	p, q []byte
}

// compare appends to out what of a range differs, by clusters or the parts of them that are kept apart, or is not known.
func (c *clusters) compare(out []ntfs.Range, off, n int64) []ntfs.Range {
	if c.p == nil {
		c.p, c.q = make([]byte, c.size), make([]byte, c.size)
	}
	for end := off + n; off < end; {
		n := min(end-off, c.size)
		p, q := c.p[:n], c.q[:n]
		known := layer.ReadFull(c.a, p, off) == nil && layer.ReadFull(c.b, q, off) == nil
		if !known || !bytes.Equal(p, q) {
			out = join(out, ntfs.Range{Off: off, Len: n})
		}
		off += n
	}
	return out
}

// join appends a range to those before it. When there are too many, what lies between two counts too.
func join(out []ntfs.Range, r ntfs.Range) []ntfs.Range {
	if k := len(out) - 1; k >= 0 && (out[k].Off+out[k].Len == r.Off || len(out) >= maxRanges) {
		out[k].Len = r.Off + r.Len - out[k].Off
		return out
	}
	return append(out, r)
}
