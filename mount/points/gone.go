package points

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
	"snapmount/ntfs/timeline"
)

// Gone is a file, link or directory that a volume has no more, by a path that it had last.
type Gone struct {
	Path   string // names of NTFS, "/" between them, from the root on unless Orphan
	Orphan bool   // the first name is not known to have been in any directory
	Ref    ntfs.Ref
	Kind   ntfs.Kind
	Point  *Point // the newest that has it
}

// FindGone looks through points of one volume, oldest first, for what the last of them lacks, and gives it by path. A
// file that has a new name is not gone, nor is one whose path has another file. What cannot be looked at is told to fail;
// what may be there still, for all that can be known, is not gone.
// Where ctx ends, fail is told its cause, and nothing is given. The file records are gone through twice, which progress
// is told.
func FindGone(ctx context.Context, points []*Point, progress layer.Progress, fail func(error)) []Gone {
	trees := make([]*ntfs.Tree, len(points))
	for i, p := range points {
		t, err := p.Files()
		if err != nil {
			fail(p.Because(err))
			continue
		}
		trees[i] = t
	}
	var found []timeline.Hit
	newest := map[ntfs.Ref]int{} // the last point that has a file
	for h, err := range timeline.Find(ctx, trees, timeline.ReadDirs(ctx, trees, progress), timeline.Query{Deleted: true}, progress) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			p := points[h.Last]
			fail(fmt.Errorf("%s@%s: %w", p.Volume.Name, p.Name, p.Because(err)))
		} else if !h.Deleted {
			found, newest[h.Ref] = append(found, h), max(newest[h.Ref], h.Last)
		}
	}
	now := points[len(points)-1]
	last := map[string]timeline.Hit{} // of each path
	for _, h := range found {
		if ctx.Err() != nil {
			break
		}
		if h.Last < newest[h.Ref] || h.Last < last[h.Path].Last {
			continue // it had another path later, or the path had another file
		}
		if _, err := now.Walk(ShownPath(h.Path), false); Absent(err) {
			last[h.Path] = h
		} else if err != nil { // it may be there
			fail(fmt.Errorf("%s@%s: %s: %w", now.Volume.Name, now.Name, h.Path, now.Because(err)))
		}
	}
	if ctx.Err() != nil {
		fail(context.Cause(ctx))
		return nil
	}
	out := make([]Gone, 0, len(last))
	for _, name := range slices.Sorted(maps.Keys(last)) {
		h := last[name]
		out = append(out, Gone{strings.TrimPrefix(name, "/"), h.Orphan, h.Ref, h.Kind, points[h.Last]})
	}
	return out
}

// Absent reports whether an error of a lookup proves that nothing has the path.
func Absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ntfs.ErrNotDir) }
