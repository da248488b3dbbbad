package ntfstest

import (
	"os"
	"syscall"
	"testing"
)

// lock waits for other processes that hold the lock.
func lock(t testing.TB, path string) (unlock func()) {
	f, err := os.Create(path)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}
