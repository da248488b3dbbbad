package selection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/pattern"
)

// DeletedFiles are what is to be undeleted.
type DeletedFiles struct {
	List []Deleted // one at least, what was deleted last first
	Dest string    // a directory
	Lost []error   // what could not be looked at, and may have more
}

// A Deleted is a file or directory that its volume has no more.
type Deleted struct {
	Location string // at the point that it is to be taken from
	Path     string // VOLUME:/PATH
	Point    string // that has it, by its name
	Size     int64
	Modified time.Time
	Now      string // where the file is at current, of one that was renamed; else empty

	index int // of the point in its volume, oldest first
}

// Below reports whether d is in a directory, as the point has it that the directory is taken from.
func (d Deleted) Below(dir Deleted) bool {
	return d.Point == dir.Point && strings.HasPrefix(d.Path, dir.Path+"/")
}

// ErrNothingDeleted says that no point has what the current state lacks by a name, ErrNothingSeen that this holds for what
// could be looked at, which is not all. They are fs.ErrNotExist.
var (
	ErrNothingDeleted = fmt.Errorf("no point in time has a deleted file of that name: %w", fs.ErrNotExist)
	ErrNothingSeen    = fmt.Errorf("no deleted file of that name is in what could be read, which is not all: %w", fs.ErrNotExist)
)

// Deleted understands IMAGE[:VOLUME] NAME [DEST], where NAME may be a pattern, and LOCATION [DEST], and finds what is
// deleted. at is a point to take it from; without, each comes from the newest that has it.
func (open Opener) Deleted(ctx context.Context, args []string, at string, progress layer.Progress) (*DeletedFiles, error) {
	m, locations, err := open.open(ctx, args[:1])
	if err != nil {
		return nil, err
	}
	defer m.Close()
	l := locations[0]
	f := &DeletedFiles{Dest: "."}
	targets, lost, err := l.set.ResolveAll(l.img, l.rest, points.Anywhere)
	if f.Lost = lost; err != nil {
		return nil, missOf(ctx, l.text, err)
	}
	rest := args[1:]
	byName := len(targets) > 0 && strings.Trim(targets[0].Path, `/\`) == ""
	if byName && len(rest) == 0 {
		return nil, usagef("%s: want the name of a file, a pattern, or a path behind the image", l.text)
	}
	name := ""
	if byName {
		name, rest = rest[0], rest[1:]
	}
	switch {
	case len(rest) > 1:
		return nil, usagef("%s: want one directory to restore to", strings.Join(rest, " "))
	case len(rest) == 1:
		f.Dest = rest[0]
	}
	if byName {
		err = f.byName(ctx, targets, name, at, progress)
	} else {
		err = f.byPath(ctx, m, l, targets, at)
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(f.List, func(a, b Deleted) int { return cmp.Or(cmp.Compare(b.index, a.index), cmp.Compare(a.Path, b.Path)) })
	return f, nil
}

// byName looks through all that is gone.
func (f *DeletedFiles) byName(ctx context.Context, targets []points.Target, name, at string, progress layer.Progress) error {
	var none error
	var gone []string // names
	below := targets[0].Volume.Image.Path
	name = asPath(name)
	for _, t := range targets {
		if !t.HasVolume {
			lost, _ := searched(t.Volume.Set(), t.Volume.Image)
			f.lose(lost...)
		}
		f.lose(t.Volume.Missing())
		shown, err := f.shown(t, at)
		if none = cmp.Or(none, err); errors.Is(err, points.ErrNoPoint) {
			continue // another volume may have one
		}
		if err != nil {
			return err
		}
		tree, err := shown[len(shown)-1].Files()
		if err != nil {
			f.lose(err)
			continue
		}
		p, err := pattern.Glob(name, tree.Upper)
		if err != nil {
			return usagef("%s: %w", name, err)
		}
		for _, g := range points.FindGone(ctx, shown, progress.As(t.Volume.Name+": looking for what is deleted"), func(err error) { f.lose(err) }) {
			matched := p.Match(path.Base(g.Path), g.Kind == ntfs.KindDir)
			if p.ByPath() {
				matched = p.Match(g.Path, g.Kind == ntfs.KindDir)
			}
			if matched {
				f.add(t, &g)
			} else if len(gone) < maxNames {
				gone = append(gone, path.Base(g.Path))
			}
		}
		if progress.Tell("", 0, 0); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if len(f.List) == 0 && none != nil {
		return none
	}
	if len(f.List) == 0 {
		what := ErrNothingDeleted
		if len(f.Lost) > 0 {
			what = ErrNothingSeen
		}
		err := errors.Join(append([]error{fmt.Errorf("%s: %w%s", name, what, starless(name))}, f.Lost...)...)
		return &Miss{Err: err, Text: name, Near: alike(gone, name), Below: below, Records: true}
	}
	return nil
}

// alike gives the names of what is gone that are spelt most nearly as one, the nearest first.
func alike(gone []string, name string) (list []string) {
	if pattern.HasMeta(name) {
		return nil
	}
	want := strings.ToLower(path.Base(name))
	cost := func(s string) int {
		if s = strings.ToLower(s); strings.TrimSuffix(s, path.Ext(s)) == want {
			return 0
		}
		return Distance(s, want, min(3, (len(want)+2)/3))
	}
	slices.SortStableFunc(gone, func(a, b string) int { return cmp.Or(cmp.Compare(cost(a), cost(b)), cmp.Compare(a, b)) })
	for _, s := range slices.Compact(gone) {
		if len(list) < maxNear && len(s) <= maxNamed && cost(s) <= min(3, (len(want)+2)/3) {
			list = append(list, s)
		}
	}
	return list
}

// asPath gives a name with backslashes, and perhaps the letter of a drive, as a path; others as they are.
func asPath(name string) string {
	rooted := name
	if len(name) > 2 && isLetter(name[0]) && name[1] == ':' && strings.ContainsRune(`/\`, rune(name[2])) {
		rooted = name[2:]
	}
	if rooted == name && (strings.Contains(name, "/") || !strings.Contains(name, `\`)) {
		return name
	}
	return "/" + strings.TrimPrefix(strings.ReplaceAll(rooted, `\`, "/"), "/")
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// starless tells what a name without a pattern matches.
func starless(name string) string {
	if pattern.HasMeta(name) || strings.Contains(name, "/") {
		return ""
	}
	return fmt.Sprintf(" (a part of a name is '*%s*')", name)
}

// shown are the points of a volume to look through, oldest first and the current state last; at is one to look at alone.
func (f *DeletedFiles) shown(t points.Target, at string) ([]*points.Point, error) {
	switch {
	case at != "":
		p, err := t.Named(at)
		return []*points.Point{p.Point, t.Volume.Current()}, err
	case t.HasPoint && t.Point.Snapshot != nil:
		return []*points.Point{t.Point, t.Volume.Current()}, nil
	}
	return inTime(t.Volume), nil
}

// add takes one that matches.
func (f *DeletedFiles) add(t points.Target, g *points.Gone) {
	t = t.At(g.Point)
	tree, err := g.Point.Files()
	var n *ntfs.Node
	if err == nil {
		n, err = tree.Node(g.Ref)
	}
	if err != nil {
		f.lose(fmt.Errorf("%s: %w", g.Path, g.Point.Because(err)))
		return
	}
	t.Path, t.HasPath = "/"+points.ShownPath(g.Path), true
	if there, err := g.Point.Walk(t.Path, false); err != nil || there.Ref != g.Ref { // no directory leads to it
		t.Path = fmt.Sprintf("#%d", g.Ref.Record)
	}
	f.List = append(f.List, Deleted{t.Location(), t.Volume.OwnName() + ":/" + g.Path, g.Point.Name, n.Size, n.Times.Modified.Time(), "",
		slices.Index(inTime(t.Volume), g.Point)})
}

// byPath takes the newest point that has a path which is there no more.
func (f *DeletedFiles) byPath(ctx context.Context, m *Images, l location, targets []points.Target, at string) error {
	var miss error
	several := &points.SeveralError{Text: l.text}
	for _, t := range targets {
		_, t, err := m.enter(l.set, t)
		if err != nil {
			return err
		}
		switch _, _, err := t.Volume.Current().Lookup(t.Path, false); {
		case err == nil:
			return usagef("%s: is there at current, and not deleted: history lists its versions, restore takes one", l.text)
		case !points.Absent(err):
			f.lose(err)
		}
		shown, err := f.shown(t, at)
		if err != nil {
			return err
		}
		for _, p := range slices.Backward(shown) {
			n, _, err := p.Lookup(t.Path, false)
			if err == nil {
				x := t.At(p)
				several.Targets = append(several.Targets, x)
				f.List = append(f.List, Deleted{x.Location(), t.Volume.OwnName() + ":" + t.Path, p.Name, n.Size, n.Times.Modified.Time(), movedTo(t.Volume.Current(), n), slices.Index(inTime(t.Volume), p)})
				break
			}
			if miss = cmp.Or(miss, err); !points.Absent(err) {
				f.lose(err)
			}
		}
	}
	switch {
	case len(f.List) > 1:
		return several
	case len(f.List) == 0:
		return missIn(ctx, &Miss{Err: cmp.Or(miss, error(points.ErrNoPoint)), Text: l.text}, targets)
	}
	return nil
}

func (f *DeletedFiles) lose(lost ...error) {
	for _, err := range lost {
		told := func(old error) bool { return old.Error() == err.Error() } // of the same image, for each of its volumes
		if err != nil && len(f.Lost) < maxLost && !slices.ContainsFunc(f.Lost, told) {
			f.Lost = append(f.Lost, err)
		}
	}
}

// maxLost is how much of what could not be looked at is told.
const maxLost = 100
