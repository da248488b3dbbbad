package mount

import (
	"math/bits"
	"os"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hanwen/go-fuse/v2/splice"

	"snapmount/imagefmt/layer"
)

// minPiece is how many bytes in a row a splice must move to be faster than reading and copying them.
const minPiece = 32 << 10

// A piece is bytes of a file that another file holds as they are.
type piece struct {
	file     *os.File
	off, len int64
}

// spliced moves bytes of s to the kernel without copying them through this program, when they lie in few pieces in image
// files. It loads them first: a read that comes up short, as from a failing disk, must become an error and not a short
// answer, which the kernel would take for the end of the file.
func spliced(s layer.Source, off, n int64) (fuse.ReadResult, bool) {
	list := pieces(s, off, layer.Clip(s.Size(), off, n))
	if list == nil {
		return nil, false
	}
	pipe, err := splice.Get()
	if err != nil {
		return nil, false
	}
	if total, ok := load(pipe, list); ok {
		return fuse.ReadResultPipe(pipe, total), true
	}
	splice.Drop(pipe)
	return nil, false
}

// pieces returns where n bytes lie, or nil when a splice is not worth it.
func pieces(s layer.Source, off, n int64) []piece {
	m, ok := s.(layer.Mapper)
	if !ok || n < minPiece {
		return nil
	}
	var list []piece
	for e, err := range layer.Resolve(m, off, n) {
		leaf, ok := e.Base.(layer.FileBacked)
		if err != nil || e.Kind != layer.Data || !ok {
			return nil
		}
		if list = append(list, piece{leaf.File(), e.BaseOff, e.Len}); int64(len(list)) > n/minPiece {
			return nil
		}
	}
	return list
}

// load fills a pipe. A pipe holds so many pieces of pages, and one that is full would block: the library moves what is in
// this one behind a header into another, which it makes as large as the bytes, the header and one page.
func load(pipe *splice.Pair, list []piece) (int, bool) {
	const header = 16
	page := int64(os.Getpagesize())
	total, slots := int64(0), int64(1) // the header's
	for _, p := range list {
		total += p.len
		slots += (p.off%page + p.len + page - 1) / page
	}
	if slots*page > powerOfTwo(total+header+page) || pipe.Grow(int(total+header+page)) != nil {
		return 0, false
	}
	for _, p := range list {
		if got, err := pipe.LoadFromAt(p.file.Fd(), int(p.len), p.off); err != nil || got != int(p.len) {
			return 0, false
		}
	}
	return int(total), true
}

// powerOfTwo rounds up, as the kernel does with the size of a pipe.
func powerOfTwo(n int64) int64 { return 1 << bits.Len64(uint64(n-1)) }
