//go:build !darwin

package imagefmt

import (
	"fmt"
	"io"
	"os"
)

// deviceSize is where a block device ends, in bytes.
func deviceSize(f *os.File) (int64, error) {
	n, err := f.Seek(0, io.SeekEnd)
	if err == nil && n <= 0 {
		err = fmt.Errorf("seeking to the end gives %d", n)
	}
	return n, err
}
