package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount"
	"snapmount/mount/points"
	"snapmount/mount/process"
	"snapmount/mount/selection"
	"snapmount/mount/serve"
	"snapmount/mount/when"
)

// Exit codes. A number is never used again for something else.
const (
	exitOK          = 0
	exitError       = 1 // path not found, the disk failed, anything else
	exitUsage       = 2
	exitFormat      = 3 // no image, or no NTFS volume in it
	exitDamaged     = 4
	exitUnsupported = 5
	exitNoPoint     = 6  // no such point in time
	exitPartial     = 7  // some items failed, the rest is done
	exitRefused     = 8  // nothing was mounted, or is served
	exitUndecided   = 11 // all that is known to be damaged was restored, and people have to decide on the rest
	exitInterrupted = 130
)

// usageError is a mistake in how the program was called.
type usageError = selection.UsageError

func usagef(format string, args ...any) error { return usageError{Err: fmt.Errorf(format, args...)} }

// errTold marks an error that was printed already.
var errTold = errors.New("told")

// codedError carries an exit code of its own.
type codedError struct {
	code int
	error
}

func (e codedError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var usage usageError
	var coded codedError
	var partial text.PartialError
	var time *when.Error
	var several *points.SeveralError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, process.ErrInterrupted):
		return exitInterrupted
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &usage), errors.As(err, &several), errors.As(err, &time):
		return exitUsage
	case errors.As(err, &partial), errors.Is(err, selection.ErrNothingSeen):
		return exitPartial
	case errors.Is(err, mount.ErrRefused), errors.Is(err, serve.ErrRefused):
		return exitRefused
	case errors.Is(err, points.ErrNoPoint):
		return exitNoPoint
	case errors.Is(err, layer.ErrUnsupported):
		return exitUnsupported
	case errors.Is(err, layer.ErrCorrupt), errors.Is(err, layer.ErrUnknown):
		return exitDamaged
	case errors.Is(err, layer.ErrFormat):
		return exitFormat
	}
	return exitError
}

// flagError is one of flags. What stands behind one dash may be a secret ("-pSECRET"), so only few letters are said again.
type flagError struct{ error }

func (e flagError) Unwrap() error { return e.error }

func (e flagError) Error() string {
	var unknown *pflag.NotExistError
	if !errors.As(e.error, &unknown) || unknown.GetSpecifiedShortnames() == "" {
		return e.error.Error()
	}
	name, among := unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames()
	if len(among) > 3 || len(among) > len(name) && (name == "p" || name == "k") {
		among = name + unsaidRest
	}
	return fmt.Sprintf("unknown shorthand flag: %q in -%s", name[0], among)
}
