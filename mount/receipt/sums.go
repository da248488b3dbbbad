package receipt

import (
	"strings"
	"sync"

	"snapmount/ntfs/restore"
)

// Sums writes a line for each file that is there after a restore, as sha256sum --check takes them in the target's
// directory: the hash of what was written, two spaces, and the path. Its methods may be called from any goroutine.
type Sums struct {
	mu      sync.Mutex
	rows    rows
	without int64
}

// CreateSums begins a list, which has no name before Close. One that is there is replaced, or is restore.ErrExists.
func CreateSums(name string, replace bool) (*Sums, error) {
	s := &Sums{}
	return s, s.rows.create(name, replace, nil)
}

// sumNames escapes what would end a name, as sha256sum does; the line then begins with a backslash.
var sumNames = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)

// Add writes the line of a file that was restored, or was there and is right.
func (s *Sums) Add(res *restore.Result) {
	if res.Err != nil || res.Type != "file" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if res.SHA256 == "" {
		s.without++
		return
	}
	name, start := sumNames.Replace(res.Path), ""
	if name != res.Path {
		start = `\`
	}
	if s.rows.err == nil {
		s.rows.put(res.Order, []byte(start+res.SHA256+"  "+name+"\n"))
	}
}

// Without is how many files have no line, for want of a hash: those that were there and were not read, and those of holes
// almost without end.
func (s *Sums) Without() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.without
}

// Close gives the list its name, or removes it and says what went wrong.
func (s *Sums) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows.close(nil)
}

// Left says what of a complete list could not be removed, and is of no use; nil is nothing.
func (s *Sums) Left() error { return s.rows.left }
