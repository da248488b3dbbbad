//go:build linux || darwin || freebsd

package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"

	"snapmount/mount/points"
)

// claim makes the mount point ready, and this start the only one on it: of two at once one gets the lock, and the other
// finds its mount. Whoever holds the lock for longer serves what was detached from here, and is no obstacle.
func (m *Server) claim(dir string, s *points.Set, opts Options) error {
	err := mend(dir, opts)
	if err == nil {
		err = CheckPoint(dir, s, opts)
	}
	if err != nil {
		return err
	}
	_, err = os.Lstat(m.dir)
	missing := errors.Is(err, fs.ErrNotExist)
	if err := os.Mkdir(m.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if m.lock, err = os.Open(m.dir); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	for range 100 {
		locked := tryLock(m.lock)
		m.created = missing && locked // else another start may be using it
		if err := CheckPoint(dir, s, opts); err != nil || locked {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// release undoes claim.
func (m *Server) release() error {
	var err error
	if m.created {
		if err = os.Remove(m.dir); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if m.lock != nil {
		err = errors.Join(err, m.lock.Close())
	}
	return err
}

// tryLock reports whether nobody else has the lock. A file system without locks cannot tell, and gives it to all.
func tryLock(f *os.File) bool {
	return !errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// mend detaches a mount of this program whose server is gone. Only Linux tells whose it was.
func mend(dir string, opts Options) error {
	const most = 8 // one on top of the other
	for range most {
		if err := answers(dir); runtime.GOOS != "linux" || !errors.Is(err, errStale) {
			return err
		}
		if err := Unmount(dir, true); err != nil {
			return fmt.Errorf("%w: a mount whose program has ended: %w", ErrRefused, err)
		}
		opts.warn(fmt.Errorf("%s: the mount of a program that has ended was still there, and is unmounted now", dir))
	}
	return nil
}

// answers is errStale for a mount whose server is gone, and refuses one whose server does not answer. The kernel asks
// for what statfs tells each time, while it remembers what stat does.
func answers(dir string) error {
	const limit = 5 * time.Second
	said := make(chan error, 1)
	go func() {
		var fs syscall.Statfs_t
		said <- syscall.Statfs(dir, &fs)
	}()
	select {
	case err := <-said:
		if errors.Is(err, errStale) {
			return err
		}
		return nil // what else is wrong with dir shows when it is used
	case <-time.After(limit):
		return fmt.Errorf("%w: %s is a mount whose program does not answer: run: snapmount umount --lazy %s", ErrRefused, dir, dir)
	}
}

// waitEnded waits until the program that served dir is done with it: until then it holds the lock.
func waitEnded(dir string) error {
	const limit, step = 10 * time.Second, 20 * time.Millisecond
	for range limit / step {
		f, err := os.Open(dir)
		if err != nil {
			return nil // it was removed, or is not to be looked at
		}
		free := tryLock(f)
		f.Close()
		if free {
			return nil
		}
		time.Sleep(step)
	}
	return fmt.Errorf("%s: unmounted, but its program has not ended after %v", dir, limit)
}
