package ntfs

import (
	"cmp"
	"fmt"
	"io/fs"

	"snapmount/imagefmt/layer"
)

const (
	// maxReused bounds the ranges that Reuse lists.
	maxReused = 4096
	// bitmapWindow is how much of $Bitmap is read at once where its use is scattered.
	bitmapWindow = 16 << 10
)

// Range is a range of a stream, in bytes.
type Range struct{ Off, Len int64 }

// Recovery tells which bytes of a deleted file's stream may still be what they were. Holes, and what was never
// initialized, count nowhere: they read as zeros as before. Offsets in a compressed stream are those of its clusters, each
// compression unit at its place.
type Recovery struct {
	Free   int64   // in clusters that no file has now, or in the file record: as they were, unless another file came and went
	Reused int64   // in clusters that have a new owner: its bytes, not the file's
	Lost   int64   // mapped by records that are gone or damaged: reading gives an error
	Ranges []Range // what makes up Reused, in order; the first 4096
	More   int     // ranges left out of Ranges
}

// Reuse compares the clusters of a deleted file's stream with $Bitmap. The stream is named as in Stream; it wraps
// fs.ErrNotExist when there is none. All of a file that was not deleted counts as Reused, by itself.
func (n *Node) Reuse(name string) (Recovery, error) {
	var r Recovery
	list, damage := n.attributes()
	extents := n.tree.pickStream(list, name)
	if len(extents) == 0 {
		return r, fmt.Errorf("%v: stream %q: %w", n.Ref, name, cmp.Or(damage, fs.ErrNotExist))
	}
	if extents[0].resident && extents[0].err == nil {
		r.Free = int64(len(extents[0].value))
		return r, nil
	}
	s, err := n.tree.newStream(extents, func() string { return fmt.Sprintf("%v: stream %q", n.Ref, name) })
	if err != nil {
		return r, err
	}
	bitmap, err := n.tree.openBitmap()
	if err != nil {
		return r, err
	}
	for e, err := range layer.Extents(s, 0, s.Size()) {
		switch {
		case err != nil:
			r.Lost += e.Len
		case e.Kind == layer.Zero:
		default:
			if err := r.count(bitmap, e); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// count adds the bytes of an extent of the volume.
func (r *Recovery) count(b *bitmap, e layer.Extent) error {
	for e.Len > 0 {
		in := e.BaseOff % b.cluster
		used, clusters, err := b.run(e.BaseOff/b.cluster, (in+e.Len-1)/b.cluster+1)
		if err != nil {
			return err
		}
		n := min(clusters*b.cluster-in, e.Len)
		if used {
			r.reused(e.Off, n)
		} else {
			r.Free += n
		}
		e.Off, e.BaseOff, e.Len = e.Off+n, e.BaseOff+n, e.Len-n
	}
	return nil
}

func (r *Recovery) reused(off, n int64) {
	r.Reused += n
	k := len(r.Ranges)
	switch {
	case r.More == 0 && k > 0 && r.Ranges[k-1].Off+r.Ranges[k-1].Len == off:
		r.Ranges[k-1].Len += n
	case k < maxReused:
		r.Ranges = append(r.Ranges, Range{off, n})
	default:
		r.More++
	}
}

// A bitmap is $Bitmap, read in pieces as it is asked.
type bitmap struct {
	s       layer.Mapper
	cluster int64 // bytes
	win     []byte
	first   int64 // byte of s that win starts at
}

// Allocation returns what $Bitmap says: whether the cluster at an offset of the volume is in use, and how many of the n bytes
// from there are alike, which are some at least. It is for one goroutine at a time.
func (t *Tree) Allocation() (func(off, n int64) (used bool, same int64, err error), error) {
	b, err := t.openBitmap()
	if err != nil {
		return nil, err
	}
	return func(off, n int64) (bool, int64, error) {
		lcn := off / b.cluster
		used, clusters, err := b.run(lcn, (off+n-1)/b.cluster-lcn+1)
		return used, min(n, (lcn+clusters)*b.cluster-off), err
	}, nil
}

func (t *Tree) openBitmap() (*bitmap, error) {
	n, err := t.Node(Ref{Record: recordBitmap})
	var s layer.Mapper
	if err == nil {
		s, err = n.Stream("")
	}
	if err != nil {
		return nil, fmt.Errorf("$Bitmap: %w", err)
	}
	return &bitmap{s: s, cluster: int64(t.geo.cluster)}, nil
}

// run reports whether the cluster lcn is in use, and how many of the n clusters from it are like it, as far as is known
// at once: 1 at least.
func (b *bitmap) run(lcn, n int64) (used bool, clusters int64, err error) {
	at := lcn / 8
	if at < b.first || at >= b.first+int64(len(b.win)) {
		if err := b.load(at); err != nil {
			return false, 0, fmt.Errorf("$Bitmap: cluster 0x%x: %w", lcn, err)
		}
	}
	used = b.bit(lcn)
	n = min(n, (b.first+int64(len(b.win)))*8-lcn)
	all := byte(0)
	if used {
		all = 0xff
	}
	for clusters = 1; clusters < n; {
		next := lcn + clusters
		if next%8 == 0 && b.win[next/8-b.first] == all {
			clusters = min(clusters+8, n)
			continue
		}
		if b.bit(next) != used {
			break
		}
		clusters++
	}
	return used, clusters, nil
}

func (b *bitmap) bit(lcn int64) bool { return b.win[lcn/8-b.first]>>(lcn%8)&1 != 0 }

// load reads the window that holds byte at.
func (b *bitmap) load(at int64) error {
	b.first = at - at%bitmapWindow
	b.win = make([]byte, layer.Clip(b.s.Size(), b.first, bitmapWindow))
	err := layer.ReadFull(b.s, b.win, b.first)
	if err == nil && at-b.first >= int64(len(b.win)) {
		err = layer.Corrupt("bitmap", at, "it ends at 0x%x", b.s.Size())
	}
	if err != nil {
		b.win = nil
	}
	return err
}
