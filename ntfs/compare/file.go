package compare

import (
	"bytes"
	"context"
	"slices"

	"snapmount/ntfs"
)

// SameFile tells whether two nodes hold the same: all streams byte for byte, or a link's reparse data. They need not be
// the same file; names, times and all other metadata do not count, and prove nothing. With an error, which may be the cause of the
// end of ctx, it is not known.
func SameFile(ctx context.Context, a, b *ntfs.Node) (bool, error) {
	if a.Ref == b.Ref && a.SameContentIn(b.Tree()) {
		return true, nil
	}
	if a.Kind != b.Kind {
		return false, nil
	}
	if a.Kind == ntfs.KindSymlink && a.ReparseTag != 0 {
		x, err := a.RawReparse()
		y, err2 := b.RawReparse()
		err = sideErr(err, err2)
		return err == nil && bytes.Equal(x, y), err
	}
	x, err := a.Streams()
	y, err2 := b.Streams()
	if err := sideErr(err, err2); err != nil {
		return false, err
	}
	if err := sideErr(a.Damage, b.Damage); err != nil || len(x) != len(y) {
		return false, err
	}
	for _, s := range x {
		if !slices.ContainsFunc(y, func(o ntfs.StreamInfo) bool { return o.Name == s.Name }) {
			return false, nil
		}
		if same, err := SameStream(ctx, a, b, s.Name); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// SameStream tells whether a stream that two nodes have is the same byte for byte, by what the volume keeps of it. With
// an error it is not known.
func SameStream(ctx context.Context, a, b *ntfs.Node, name string) (bool, error) {
	x, err := a.Stored(name)
	y, err2 := b.Stored(name)
	if err := sideErr(err, err2); err != nil {
		return false, err
	}
	same, _, err := SameContent(ctx, x, y)
	return same, err
}
