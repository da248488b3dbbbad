package layer

import "os"

// FileBacked is a leaf whose bytes are those of an open file at the same offsets, for a front end that hands them to the
// kernel without copying them. The file is not to be read past the Source's Size, nor closed.
type FileBacked interface {
	Source
	File() *os.File
}

// Packed is a leaf that unpacks what is kept elsewhere.
type Packed interface {
	Source
	Packed() (Mapper, error) // what it unpacks
	Method() int64           // how: with the same method and Size, the same bytes unpack to the same
}

// Described is a leaf that says in words what it is.
type Described interface {
	Source
	Describe() string
}

// Holed is a leaf whose file may keep no blocks for some ranges, which read as zeros.
type Holed interface {
	Source
	// NextHole returns the first such range at or behind off; n is 0 for none.
	NextHole(off int64) (at, n int64, err error)
}
