package restore

import (
	"errors"
	"io/fs"
	"sync"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// Overwrite says what happens to files that are there. Directories are always used as they are.
type Overwrite uint8

const (
	Never     Overwrite = iota // the file is an error
	Always                     // it is replaced
	IfChanged                  // it is replaced when size, time or content differ
	IfNewer                    // it is replaced when it was changed before
)

// ErrExists says that a file is there and stays as it is.
var ErrExists error = existsError{}

type existsError struct{}

func (existsError) Error() string { return "is there already, and stays" }

// Unwrap makes it an fs.ErrExist.
func (existsError) Unwrap() error { return fs.ErrExist }

// errSkipped says that a file need not be written. It is no failure.
var errSkipped = errors.New("need not be written")

// Options of Run; the zero value works.
type Options struct {
	Overwrite Overwrite
	Resume    bool // files that are there with the same content are done; parts that an earlier run left are removed
	Partial   bool // files of which ranges are lost are written, with holes there
	Verify    bool // files are read back
	NoSidecar bool
	Spare     bool // no line in the sidecar of what lost no more than a plain file does, see Result.Dropped, unless one is there
	NoHash    bool // Results have no SHA256, which costs more than the copying of large files; Verify wants it all the same
	Names     Names
	Jobs      int // files at once; 0 is one for each processor

	// Protected are files that are never replaced: those of the image.
	Protected []fs.FileInfo
	// LinkText gives the text of a symbolic link as this machine has it. nil is the target that Windows shows.
	LinkText func(n *ntfs.Node) (string, error)
	// Done is told each file, directory or link that was restored, or was not; from any goroutine.
	Done func(Result)
	// Last gives a member that an archive has after all others, when these are written: ReceiptName, which no file of a volume
	// gets. nil is none.
	Last func() (layer.Source, error)
	// Progress is told how many ProgressFiles are done and how many ProgressBytes were read, from any goroutine, one call at
	// a time. What there is in all is not known here: Count tells.
	Progress layer.Progress
	// Warn is told what of the program's own files could not be removed from the target, from any goroutine; nil drops it.
	Warn func(error)
}

// What Options.Progress is told to count.
const (
	ProgressFiles = "files" // directories and links among them
	ProgressBytes = "bytes"
)

// A tally adds up what is done.
type tally struct {
	told layer.Progress

	mu           sync.Mutex
	files, bytes int64
}

func (t *tally) add(files, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.files, t.bytes = t.files+files, t.bytes+bytes
	if files > 0 {
		t.told.Tell(ProgressFiles, t.files, 0)
	}
	if bytes > 0 {
		t.told.Tell(ProgressBytes, t.bytes, 0)
	}
}

// Source is a file or directory to restore, with all below it.
type Source struct {
	Node   *ntfs.Node
	Stream string // the stream that becomes a file; "" is all of the Node
	Name   string // on the target, as NTFS has it, "/" between names; "" restores what is in a directory, not itself
	As     string // what a file is called on the target, as it stands, in place of the last of Name; "" for that
	Origin string // what Results say of it: image, volume and point

	// Choose says whether to restore what path, below the source, leads to. It is called from one goroutine at a time.
	// nil takes all.
	Choose func(path string, n *ntfs.Node) (Choice, error)
}

// Choice says what to do with a file or directory.
type Choice uint8

const (
	Skip    Choice = iota // nothing, and with nothing below it
	Through               // look into it; a directory is made when something in it is taken
	Take
)

// Result says what became of one file, directory or link.
type Result struct {
	Path    string // below the target
	Origin  string // of its Source
	Ref     ntfs.Ref
	Type    string
	Stream  string // of its Source
	Size    int64
	SHA256  string // of what was written, in hexadecimal; "" of what has no content or holes without end, and with NoHash
	Link    string // what a symbolic link is written to lead to; "" of links that the target has otherwise
	Mapped  string // the name that it has on the volume, where the target has another
	Renamed bool   // its Source wanted the other name
	Gaps    []Gap  // ranges that are not in the image and read as zeros
	Skipped bool   // it was there already, and is right
	Aside   bool   // it is in the sidecar alone: a link, which the target does not take
	Lost    []string
	Dropped bool // Lost is nowhere, by Options.Spare
	Err     error
	At      time.Time
	Order   int64 // places results in a row that does not depend on Jobs: from 1, a directory behind what is in it; 0 of what no walk came to
}
