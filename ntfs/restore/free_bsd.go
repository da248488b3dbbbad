//go:build unix && !linux

package restore

import "golang.org/x/sys/unix"

// blockSize is the unit of the numbers of blocks.
func blockSize(s *unix.Statfs_t) int64 { return int64(s.Bsize) }
