package mount

import (
	"os"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hanwen/go-fuse/v2/splice"
)

// spliced moves n bytes of a file to the kernel without copying them through this program. It loads them first: a read
// that comes up short, as from a failing disk, must become an error and not a short answer, which the kernel would take
// for the end of the file.
func spliced(f *os.File, off, n int64) (fuse.ReadResult, bool) {
	const worthIt = 32 << 10
	if n < worthIt {
		return nil, false
	}
	pipe, err := splice.Get()
	if err != nil {
		return nil, false
	}
	if err := pipe.Grow(int(n) + os.Getpagesize()); err == nil {
		if got, err := pipe.LoadFromAt(f.Fd(), int(n), off); err == nil && got == int(n) {
			return fuse.ReadResultPipe(pipe, int(n)), true
		}
	}
	splice.Drop(pipe)
	return nil, false
}
