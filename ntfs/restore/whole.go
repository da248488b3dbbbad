package restore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Whole lets fill write the file of a name, which is there when all of it is, or not at all; one that is there is
// replaced, or is ErrExists. A name of - is stdout. warn, if it is not nil, is told what of runs that were killed stays.
func Whole(name string, replace bool, stdout io.Writer, warn func(error), fill func(io.Writer) error) error {
	if name == "-" {
		return buffered(stdout, fill)
	}
	f, err := Create(name, replace)
	if err != nil {
		return err
	}
	if f.left != nil && warn != nil {
		warn(f.left)
	}
	if err := buffered(f, fill); err != nil {
		return errors.Join(fmt.Errorf("%s: not written: %w", name, err), f.Abort())
	}
	return f.Commit()
}

func buffered(w io.Writer, fill func(io.Writer) error) error {
	b := bufio.NewWriterSize(w, 1<<20)
	if err := fill(b); err != nil {
		return err
	}
	return b.Flush()
}

// Room gives the bytes that are free where a name is or would be made, and the directory that there is.
func Room(name string) (free int64, dir string, err error) {
	dir, err = filepath.Abs(name)
	if err != nil {
		return 0, "", err
	}
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	if free, err = Free(dir); err != nil {
		err = fmt.Errorf("%s: free space: %w", dir, err)
	}
	return free, dir, err
}
