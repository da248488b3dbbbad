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

	// Parent opens a disk of the same format, after check found nothing wrong with its file. What it opened before, and
	// was not the parent, is closed.
	Parent(name string, style Style, check func(file layer.Source) error) (*Disk, error)
	// Find returns the name of the file of the same format beside this one whose ID satisfies the first of these
	// conditions that any satisfies; "" for none. Slashes is its style.
	Find(conditions ...func(ID) bool) (name string, err error)
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
func (alone) Parent(string, Style, func(layer.Source) error) (*Disk, error) {
	return nil, errAlone
}
func (alone) Find(...func(ID) bool) (string, error)     { return "", errAlone }
func (alone) Backing(string, string) (*Disk, error)     { return nil, errAlone }
func (alone) Known(string) error                        { return nil }
func (alone) Inside(src layer.Source) (d Disk, _ error) { return d, errAlone }
