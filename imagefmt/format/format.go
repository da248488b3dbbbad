// Package format says what a container format of disk images is: how a file of it is recognised, how it is opened, and
// what its disk can tell beside its bytes. A format is a package of its own that exports one Format; package imagefmt has
// the list of them and opens what they ask for. No format knows another.
//
// A Format, and an Env with what is in it, may be used by one goroutine at a time; the Disk that comes of it by any
// number, as every layer.Source.
package format

import (
	"strings"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// EndLen is how many bytes of either end of a file Match sees.
const EndLen = 512

// Format is a row of the table of formats.
type Format struct {
	// Name is what users are told. It is put before what Open refuses and, where Disk.Format is empty, stands there.
	// Only a format whose Open does both itself has none.
	Name string
	// Match tells a file of the format by its first and its last EndLen bytes, or all there are; tail is empty where
	// they cannot be read. The first format in the list that matches is final.
	Match func(head, tail string) bool
	// First has the mark count before those of all others, also of the file that holds this one in packed form.
	First bool
	// Advice is what users can do with files of a format that cannot be read.
	Advice string
	// Endings are how the names of such files end, in lower case with the dot: only those that no file without the
	// format's mark has by rights.
	Endings []string
	// Siblings are how the names of files end that ID may be asked for; nil for Endings.
	Siblings []string
	// Open presents the disk that is in a file, with the other files that it needs. It is nil for a format that is known
	// and cannot be read. Errors are layer.ErrFormat, *layer.CorruptError or layer.ErrUnsupported, and do not name the
	// file.
	Open func(src layer.Source, env Env) (Disk, error)
	// ID reads how others name the file in src; nil where they do so by paths alone.
	ID func(src layer.Source) (ID, error)
	// Part is for a file without any format's mark: it says what is lost when that is shown alone, if its name is that
	// of a part of such a disk, else nil. It is nil for a format whose parts all have marks.
	Part func(env Env) error
}

// Disk is the virtual disk of a file, most often a layer.Mapper, with what the format keeps beside it; all but the
// Source may be missing.
type Disk struct {
	layer.Source
	Created     time.Time   // when the file was made
	Parent      *Disk       // what it stands on, as Files gave it
	Snapshots   []Snapshot  // in the file itself
	Acquisition Acquisition // of evidence
	// Faults are what opening found to be lost of the file, or to contradict itself, each in one line. Where bytes of the
	// disk are lost by it, the Source says so too.
	Faults []error

	// What follows is filled in by who opens the file, not by its format. Only a format that unpacks a file of another
	// one sets Format, to both names.
	Format   string
	Name     string    // of the file, without its directory
	Modified time.Time // when the file was last written to
}

// Snapshot is a state of the disk that a file keeps beside the one that it shows.
type Snapshot struct {
	ID, Name string
	Time     time.Time // when it was taken
	Size     int64     // of the disk then, in bytes
}

// ID is what another file has noted of a file that it stands on. One of a format that keeps less has zeros.
type ID struct {
	File  wintype.GUID // by which it is named
	State wintype.GUID // changes when its disk is written to
}

// Begins matches files that begin with one of these magics.
func Begins(magics ...string) func(head, tail string) bool { return At(0, magics...) }

// At matches files that have one of these magics at an offset in their first EndLen bytes.
func At(off int, magics ...string) func(head, tail string) bool {
	return func(head, _ string) bool {
		for _, m := range magics {
			if len(head) >= off && strings.HasPrefix(head[off:], m) {
				return true
			}
		}
		return false
	}
}

// Ends matches files whose last EndLen bytes begin with this magic.
func Ends(magic string) func(head, tail string) bool {
	return func(_, tail string) bool { return strings.HasPrefix(tail, magic) }
}
