//go:build unix

package restore

import "golang.org/x/sys/unix"

// Free gives the bytes that are free for this user where dir is, or -1 where the file system does not tell.
func Free(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	if s.Blocks == 0 {
		return -1, nil
	}
	return max(0, int64(s.Bavail)) * blockSize(&s), nil
}
