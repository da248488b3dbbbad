package tree

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"slices"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// stream finds "file:stream" in a directory; the name of the stream as it is comes before one in other case.
func (n Node) stream(dir *ntfs.Node, file, name string) (Node, error) {
	c, err := n.named(dir, file)
	if err != nil {
		return Node{}, err
	}
	streams, damage := c.Streams()
	streams = slices.DeleteFunc(streams, func(s ntfs.StreamInfo) bool { return s.Name == "" })
	i := slices.IndexFunc(streams, func(s ntfs.StreamInfo) bool { return s.Name == name })
	if fold := c.Tree().Upper; i < 0 {
		i = slices.IndexFunc(streams, func(s ntfs.StreamInfo) bool { return fold(s.Name) == fold(name) })
	}
	if i < 0 {
		return Node{}, cmp.Or(damage, error(fs.ErrNotExist))
	}
	s := Node{Kind: KindFile, Point: n.Point, fs: n.fs, part: partStream, file: c, name: streams[i].Name}
	s.ID = n.fs.streamID(s, streams, damage)
	return s, nil
}

// streamID packs what it can: the hash of a name, when all streams of the file are known and no other one has it.
func (f *FS) streamID(s Node, streams []ntfs.StreamInfo, damage error) uint64 {
	point, record := f.points.of(s.Point), s.file.Ref.Record
	if damage == nil && record < 1<<streamRecordBits && len(hashed(streams, streamHash(s.name))) == 1 {
		return packID(idStream, point, streamHash(s.name)<<streamRecordBits|record)
	}
	return f.table.id(named{part: partStream, point: s.Point, record: record, name: s.name}, fmt.Sprintf("%x\x00%x\x00%s", point, record, s.name))
}

func streamHash(name string) uint64 {
	sum := sha256.Sum256([]byte(name))
	return uint64(sum[0])
}

// hashed returns the named streams of that hash.
func hashed(streams []ntfs.StreamInfo, hash uint64) []ntfs.StreamInfo {
	return slices.DeleteFunc(slices.Clone(streams), func(s ntfs.StreamInfo) bool { return s.Name == "" || streamHash(s.Name) != hash })
}

func (f *FS) streamNumbered(p *points.Point, number, hash uint64) (Node, error) {
	file, err := record(p, number)
	if err != nil {
		return Node{}, err
	}
	streams, damage := file.Streams()
	found := hashed(streams, hash)
	if len(found) != 1 {
		return Node{}, cmp.Or(damage, ErrStale)
	}
	return Node{ID: packID(idStream, f.points.of(p), hash<<streamRecordBits|number), Kind: KindFile, Point: p, fs: f,
		part: partStream, file: file, name: found[0].Name}, nil
}

// info describes the stream that n is.
func (n Node) info() (ntfs.StreamInfo, error) {
	streams, damage := n.file.Streams()
	for _, s := range streams {
		if s.Name == n.name {
			return s, nil
		}
	}
	return ntfs.StreamInfo{}, cmp.Or(damage, error(fs.ErrNotExist))
}
