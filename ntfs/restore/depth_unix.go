//go:build unix

package restore

import "golang.org/x/sys/unix"

// maxDepth is how many directories may be in one another: of half of the descriptors that the process may have, which Go
// raises to the hard limit when it starts.
func maxDepth() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 100 // of the 256 that there are everywhere
	}
	return int(min(uint64(limit.Cur)/2, mostDeep))
}
