package restore

import "golang.org/x/sys/unix"

// blockSize is the unit of the numbers of blocks: of file systems in user space and over networks it is another one than
// Bsize, which is what is best to read at once.
func blockSize(s *unix.Statfs_t) int64 {
	if s.Frsize > 0 {
		return s.Frsize
	}
	return s.Bsize
}
