//go:build unix

package restore

import "golang.org/x/sys/unix"

// Free gives the bytes that are free for this user where dir is.
func Free(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
