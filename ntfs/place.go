package ntfs

import (
	"context"
	"iter"

	"snapmount/imagefmt/layer"
)

// MFT is the content of $MFT: the file records, each of RecordSize bytes. Points in time whose $MFT lies in the same
// place somewhere have the same records there.
func (t *Tree) MFT() layer.Mapper { return t.mft }

// Differ yields the ranges of two streams, as offset and length in bytes, whose equality the places where their bytes
// lie do not prove, as layer.Differ does. Compressed content is the same when what it is unpacked from is.
func Differ(ctx context.Context, a, b layer.Mapper) iter.Seq2[int64, int64] {
	return layer.Differ(ctx, a, b, 0, min(a.Size(), b.Size()), samePacked)
}

// samePacked compares what two leaves unpack.
func samePacked(x, y layer.Source) bool {
	p, ok := x.(layer.Packed)
	q, ok2 := y.(layer.Packed)
	if !ok || !ok2 || x.Size() != y.Size() || p.Method() != q.Method() {
		return false
	}
	m, err := p.Packed()
	o, err2 := q.Packed()
	if err != nil || err2 != nil || m.Size() != o.Size() {
		return false
	}
	for range layer.Differ(context.Background(), m, o, 0, m.Size(), nil) {
		return false
	}
	return true
}
