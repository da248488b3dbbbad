package format

import (
	"context"
	"fmt"
	"io/fs"

	"snapmount/imagefmt/layer"
)

// Env is what a format is opened in. The zero Env is that of a file that stands alone.
type Env struct {
	// Warn is told what is worth knowing and does not stop the reading, such as a wrong checksum; nil drops it. With
	// ZeroBad it is also called while the disk is read, from any goroutine.
	Warn func(error)
	// Fault is told what is lost of the file, or contradicts itself: it is Warn and one of the Disk's Faults. It is called
	// while the disk is opened only; nil is Warn.
	Fault func(error)
	// Progress is told, from time to time, how much of the file Open has gone through, when it must read all of it; nil
	// drops it.
	Progress layer.Progress
	// Context ends Open, which may take long, with its cause; nil never does.
	Context context.Context
	// Name is that of the file, without its directory.
	Name string
	// Snapshot is the ID or, where none has that ID, the name of the internal snapshot to show; "" is the file's own
	// state.
	Snapshot string
	// ZeroBad has pieces that fail their checksum read as zeros, and told to Warn, instead of as errors.
	ZeroBad bool
	// Files are the others of the image; nil for none.
	Files Files
}

// Ready is the Env without any nil.
func (e Env) Ready() Env {
	if e.Warn == nil {
		e.Warn = func(error) {}
	}
	if e.Fault == nil {
		e.Fault = e.Warn
	}
	if e.Context == nil {
		e.Context = context.Background()
	}
	if e.Files == nil {
		e.Files = alone{}
	}
	return e
}

// Style is how the name of a file is written that another file has noted.
type Style uint8

const (
	Slashes Style = iota // with slashes, in the case that it has
	Windows              // with backslashes and drives, in any case
	Either               // the first of these that leads to a file
)

// Lineage is what a file says of the one of its format that it stands on.
type Lineage struct {
	Names []string // where it may be, the most useful first
	Style Style    // of Names
	// Check reports why the file that was found is not the parent.
	Check func(file layer.Source) error
	// IDs are conditions by which to find the parent where no name leads to it: it satisfies the first that any file does.
	IDs []func(ID) bool
	ID  string // what they look for, in words
	// Alone says that an ID is not enough where several files have it.
	Alone bool
}

// String is how errors call the parent.
func (l Lineage) String() string {
	if len(l.Names) > 0 {
		return fmt.Sprintf("parent %q", l.Names[0])
	}
	return "parent " + l.ID
}

// ChainError is an error of a file that another stands on. It is passed on as it is: one name is enough to find the fault in
// a chain of hundreds.
type ChainError struct {
	Name string // of the file
	Err  error
}

func (e *ChainError) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap gives what is wrong with the file.
func (e *ChainError) Unwrap() error { return e.Err }

// Files are the files of an image, as one of them sees the others. What a name may reach is for Files to decide. A file
// that is not there is an fs.ErrNotExist, one that is open already a layer.ErrCorrupt. Errors do not repeat the name that
// was asked for.
type Files interface {
	// Has reports whether a name leads to a file.
	Has(name string, style Style) bool
	// Open opens a part of the disk.
	Open(name string, style Style) (layer.Source, error)
	// Instead closes the file itself and opens the one that the user should have named in its place.
	Instead(name string, style Style) (layer.Source, Env, error)

	// Parent opens the disk of the same format that this one stands on. Errors name it, once in a whole chain.
	Parent(l Lineage) (*Disk, error)
	// Backing opens a disk whose name has slashes, of any format or, when the name of one is given, of that alone.
	Backing(name, format string) (*Disk, error)

	// Known refuses what begins so and is of a format that Inside cannot open.
	Known(head string) error
	// Inside opens the disk of the file that this one holds in packed form, of a format further down in the list.
	Inside(src layer.Source) (Disk, error)
}

// alone are the files of an image that has one only.
type alone struct{}

var errAlone = fmt.Errorf("not opened: %w: %w", layer.ErrUnsupported, fs.ErrNotExist)

func (alone) Has(string, Style) bool                           { return false }
func (alone) Open(string, Style) (layer.Source, error)         { return nil, errAlone }
func (alone) Instead(string, Style) (layer.Source, Env, error) { return nil, Env{}, errAlone }
func (alone) Parent(l Lineage) (*Disk, error)                  { return nil, fmt.Errorf("%v: %w", l, errAlone) }
func (alone) Backing(string, string) (*Disk, error)            { return nil, errAlone }
func (alone) Known(string) error                               { return nil }
func (alone) Inside(src layer.Source) (d Disk, _ error)        { return d, errAlone }
