package tree

import (
	"errors"
	"fmt"
	"io/fs"

	"snapmount/ntfs"
)

// The errors that a front end has to tell apart, beside fs.ErrNotExist and those of package layer. What the system says
// of an image file is wrapped as it is, and so is the error of a context.
var (
	// ErrStale says that a number leads to nothing, or that a name leads to a record which is another file now.
	ErrStale = ntfs.ErrStale
	// ErrNotDir says that something has no entries.
	ErrNotDir = errors.New("not a directory")
	// ErrIsDir says that a directory has no content.
	ErrIsDir = errors.New("is a directory")
	// ErrNotLink says that something is no symbolic link.
	ErrNotLink = errors.New("not a symbolic link")
	// ErrLoop says that a path leads through too many links.
	ErrLoop = errors.New("too many symbolic links")
	// ErrNoXattr says that a node has no extended attribute of that name.
	ErrNoXattr = fmt.Errorf("extended attribute: %w", fs.ErrNotExist)
	// ErrTooBig says that something is too big to be an extended attribute.
	ErrTooBig = errors.New("too big for an extended attribute")
)
