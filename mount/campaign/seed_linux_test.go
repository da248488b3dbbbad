package campaign

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// streams makes a file with more named streams than a record has room for.
func streams(dir, name string, n int) error {
	name = filepath.Join(dir, name)
	err := os.WriteFile(name, []byte("a file of many streams\n"), 0o644)
	for i := range n {
		err = errors.Join(err, unix.Setxattr(name, fmt.Sprintf("user.stream number %d", i), []byte(fmt.Sprintf("content of stream %d", i)), 0))
	}
	return err
}
