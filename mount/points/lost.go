package points

import (
	"context"
	"fmt"
	"strconv"

	"snapmount/ntfs"
)

// Lost is a file or directory of a point that no directory leads to.
type Lost struct {
	Name string // "#RECORD" and the best name that is known, as a directory entry: "#123 report.txt"
	Node *ntfs.Node
}

// Lost gives the files and directories that no directory of the point leads to, by record number, but not those below one
// of them. With an error, which says what could not be read, there may be more. It reads all directories.
func (p *Point) Lost(ctx context.Context) ([]Lost, error) {
	t, err := p.Files()
	if err != nil {
		return nil, err
	}
	found, err := t.Unreached(ctx)
	out := make([]Lost, 0, len(found))
	for _, s := range found {
		name := "#" + strconv.FormatUint(s.Node.Ref.Record, 10)
		if s.Name != "" {
			name += " " + EscapeName(s.Name)
		}
		if len(name) > maxShown {
			name = Shorten(name, 0)
		}
		out = append(out, Lost{name, s.Node})
	}
	if err != nil {
		err = fmt.Errorf("%s@%s: %w", p.Volume.Name, p.Name, p.Because(err))
	}
	return out, err
}
