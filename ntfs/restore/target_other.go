//go:build !linux && !windows && !darwin

package restore

import (
	"os"
)

// A plainTarget holds names, content and the two times that every system has.
type plainTarget struct{ plain }

func detect(*os.Root) (t target, left, err error) { return plainTarget{}, nil, nil }

func (plainTarget) apply(dir *os.Root, name string, _ *os.File, m *Meta) (lost []string, err error) {
	lost, err = chtimes(dir, name, m)
	return append(m.losses(), lost...), err
}

func (plainTarget) linkTimes(*os.Root, string, *Meta) error { return nil }
