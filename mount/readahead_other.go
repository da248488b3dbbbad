//go:build darwin || freebsd

package mount

// raiseReadAhead is Linux's; other systems let the mount options decide.
func raiseReadAhead(string) {}
