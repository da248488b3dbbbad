package complete

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"snapmount/mount/points"
	"snapmount/mount/selection"
	"snapmount/ntfs"
)

// image is the one that a word begins with.
type image struct {
	ctx  context.Context
	open selection.Opener
	name string // as typed, with its layer
}

// behind completes what follows the image, from its ':' or '@' on.
func (in *image) behind(rest string) []Candidate {
	if isPath(rest) {
		i := strings.LastIndexAny(rest, `/\`)
		return in.entries(rest[:i+1], rest[i+1:])
	}
	i := strings.LastIndexAny(rest, ":@")
	before, typed := rest[:i], rest[i+1:]
	switch {
	case rest[i] == '@' && strings.Contains(before, "@"):
		return nil
	case rest[i] == '@':
		return in.points(in.name+before, strings.TrimPrefix(before, ":"), typed)
	case before != "" && typed == "":
		return in.entries(before+":/", "")
	case before != "":
		return in.entries(before+":", typed)
	case typed == "":
		return append(in.volumes("", false), Candidate{Text: in.name + ":/", Open: true})
	}
	if out := in.volumes(typed, true); len(out) > 0 {
		return out
	}
	return in.entries(":", typed)
}

// isPath reports whether a slash is of a path, and not of a date as 2026/03/03.
func isPath(rest string) bool {
	first := strings.IndexAny(rest, `/\`)
	return first > 0 && rest[strings.LastIndexAny(rest[:first], ":@")] == ':' || strings.Contains(rest, ":/") || strings.Contains(rest, `:\`)
}

// start is what may follow an image.
func (in *image) start() []Candidate {
	return append(in.volumes("", false), in.points(in.name, "", "")...)
}

// volumes completes the name of a volume. One that is complete goes on with its root and its points, if it may.
func (in *image) volumes(typed string, on bool) []Candidate {
	s, err := in.set()
	if err != nil {
		return nil
	}
	defer s.Close()
	found := &names{head: in.name + ":", typed: typed, equal: strings.EqualFold}
	for _, v := range ofImage(s) {
		if on && strings.EqualFold(v.OwnName(), typed) {
			head := in.name + ":" + typed
			list := []Candidate{{Text: head + ":/", About: about(v), Open: true}}
			return append(list, pointsOf([]*points.Volume{v}, head, "")...)
		}
		found.add(v.OwnName(), "", true, about(v))
	}
	return found.all()
}

// points completes the name of a point behind head, of the volume of a name or, without, of any.
func (in *image) points(head, volume, typed string) []Candidate {
	s, err := in.set()
	if err != nil {
		return nil
	}
	defer s.Close()
	all := ofImage(s)
	if volume != "" {
		t, err := s.Resolve(s.Images[0], ":"+volume)
		if err != nil || t.Volume == nil {
			return nil
		}
		all = []*points.Volume{t.Volume}
	}
	return pointsOf(all, head, typed)
}

// pointsOf are the points of volumes, each name once: the words for them, then the newest first. A complete one goes on with
// a path.
func pointsOf(volumes []*points.Volume, head, typed string) []Candidate {
	found := &names{head: head + "@", typed: typed, equal: strings.EqualFold}
	seen := map[string]bool{}
	add := func(name, about string) {
		if !seen[name] {
			found.add(name, "", true, about)
		}
		seen[name] = true
	}
	var list []*points.Point
	for _, v := range volumes {
		list = append(list, v.Snapshots()...)
	}
	slices.SortStableFunc(list, func(a, b *points.Point) int { return cmp.Compare(b.Name, a.Name) })
	if len(list) > 0 {
		add("latest", "the newest snapshot")
		add("oldest", "the oldest snapshot")
	}
	add("current", "the volume as it is now")
	for _, p := range list {
		add(p.Name, created(p))
	}
	if strings.HasPrefix(strings.ToLower(typed), "v") {
		for _, p := range list {
			add(fmt.Sprintf("vss%d", p.Snapshot.Index), created(p))
		}
	}
	out := found.all()
	if len(out) == 1 && strings.EqualFold(strings.TrimPrefix(out[0].Text, found.head), typed) {
		out[0].Text += ":/"
	}
	return out
}

func created(p *points.Point) string {
	if p.Created().IsZero() {
		return "of an unknown time"
	}
	return "snapshot of " + p.Created().Local().Format(time.DateTime)
}

func about(v *points.Volume) string {
	if n := len(v.Snapshots()); n != 1 {
		return fmt.Sprintf("volume with %d snapshots", n)
	}
	return "volume with 1 snapshot"
}

// entries completes a name in the directory that a location leads to.
func (in *image) entries(before, typed string) []Candidate {
	dir := before
	if strings.HasSuffix(dir, ":") {
		dir += "/"
	}
	places, err := in.open.Places(in.ctx, in.name+dir, points.AtPoint)
	if err != nil {
		return nil
	}
	defer places.Close()
	found := &names{head: in.name + before, typed: typed}
	for _, p := range places.List {
		if n, _, err := p.Node(true); err == nil && n.Kind == ntfs.KindDir {
			found.equal = func(a, b string) bool { return n.Tree().Upper(a) == n.Tree().Upper(b) }
			in.list(n, found, before[len(before)-1:])
		}
	}
	return found.all()
}

// list adds the entries of a directory; mark is the slash that was typed.
func (in *image) list(n *ntfs.Node, found *names, mark string) {
	if mark == ":" {
		mark = "/"
	}
	for e, err := range n.Entries() {
		switch {
		case err != nil, in.ctx.Err() != nil:
			return
		case e.Ref.Record == n.Ref.Record, e.Metafile() && !strings.HasPrefix(found.typed, "$"):
		case e.Kind == ntfs.KindDir:
			found.add(points.ShownName(n, e.Name), mark, true, "")
		default:
			found.add(points.ShownName(n, e.Name), "", e.Kind == ntfs.KindSymlink, "") // a link may lead to a directory
		}
	}
}

// set opens the image alone.
func (in *image) set() (*points.Set, error) { return in.open(in.ctx, []string{in.name}) }

// ofImage are the volumes that have files, of the first image.
func ofImage(s *points.Set) (list []*points.Volume) {
	ntfs, _ := s.NTFS()
	for _, v := range ntfs {
		if v.Image == s.Images[0] {
			list = append(list, v)
		}
	}
	return list
}
