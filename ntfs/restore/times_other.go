//go:build !linux

package restore

import (
	"math"
	"os"
	"time"

	"snapmount/imagefmt/wintype"
)

// chtimes sets the two times that every system has, and names the one that counts where it could not be held.
func chtimes(dir *os.Root, name string, m *Meta) (lost []string, err error) {
	if err := dir.Chtimes(name, held(m.Accessed), held(m.Modified)); err != nil {
		return nil, err
	}
	info, err := dir.Lstat(name)
	if err == nil && !info.ModTime().Equal(m.Modified.Time()) {
		lost = []string{"modification time"}
	}
	return lost, err
}

// held is the nearest time that Chtimes takes: what fits nanoseconds since 1970 in 64 bits.
func held(t wintype.Filetime) time.Time {
	out, first, last := t.Time(), time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	switch {
	case out.Before(first):
		return first
	case out.After(last):
		return last
	}
	return out
}
