package selection

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// An Example is a file of an image to show commands with, and how to name it.
type Example struct {
	Volume  *points.Volume
	Several bool          // the image has other volumes
	Point   *points.Point // the newest that has Path otherwise than the current state; else some that has it
	Path    string        // from the root on; the first that was met where none has changed, and empty where none was
	Gone    string        // the path of a file that the current state lacks, where one was met
}

// mostLooked is how many names are looked at for an example.
const mostLooked = 3000

// PickExample finds an example by looking at a part of the directories of a volume with snapshots; what cannot be read is
// passed over. It is nil where there is no volume.
func PickExample(ctx context.Context, volumes []*points.Volume) *Example {
	if len(volumes) == 0 {
		return nil
	}
	v := volumes[0]
	if i := slices.IndexFunc(volumes, func(v *points.Volume) bool { return len(v.Snapshots()) > 0 }); i > 0 {
		v = volumes[i]
	}
	e := &Example{Volume: v, Several: len(volumes) > 1, Point: v.Current()}
	if l := v.Latest(); l != nil {
		e.Point = l
	}
	for _, p := range inTime(v) { // the oldest that opens has most that is gone
		if t, err := p.Files(); err == nil {
			e.look(ctx, p, t)
			break
		}
	}
	return e
}

// PointWord is a POINT for a LOCATION; empty is the current state.
func (e *Example) PointWord() string {
	if e.Point.Snapshot == nil {
		return ""
	}
	return fmt.Sprintf("vss%d", e.Point.Snapshot.Index)
}

// look goes through the directories of a point, those of users first.
func (e *Example) look(ctx context.Context, p *points.Point, t *ntfs.Tree) {
	now, err := e.Volume.Current().Files()
	root, err2 := t.Root()
	if err != nil || err2 != nil {
		return
	}
	type dir struct {
		path string
		node *ntfs.Node
	}
	queue, changed := []dir{{"/", root}}, false
	for left := mostLooked; len(queue) > 0 && left > 0 && ctx.Err() == nil && !(changed && e.Gone != ""); {
		d := queue[0]
		queue = queue[1:]
		children, _ := d.node.Children() // an example of what can be read is enough
		for _, c := range children[:min(len(children), left)] {
			left--
			full := path.Join(d.path, c.Name)
			if c.Metafile() || ofWindows[strings.ToLower(full)] || strings.Trim(c.Name, " ") != c.Name || points.IsRecord(full) {
				continue
			}
			n, err := c.Node()
			switch {
			case err != nil || n.Damage != nil:
			case n.Kind == ntfs.KindDir && strings.EqualFold(full, "/Users"):
				queue = slices.Insert(queue, 0, dir{full, n})
			case n.Kind == ntfs.KindDir:
				queue = append(queue, dir{full, n})
			case n.Kind == ntfs.KindFile && n.Size > 0:
				changed = e.weigh(n, full, now, changed) || changed
			}
		}
	}
}

// weigh takes a file for what it is an example of, and reports whether it changed since.
func (e *Example) weigh(n *ntfs.Node, full string, now *ntfs.Tree, known bool) bool {
	current := e.Volume.Current()
	c, err := current.Walk(full, false)
	if points.Absent(err) {
		if _, err := now.Node(n.Ref); errors.Is(err, ntfs.ErrStale) && e.Gone == "" {
			e.Gone = full
		}
		return false
	}
	if err != nil || known {
		return false
	}
	if e.Path == "" {
		e.Path = full
	}
	if c.Ref != n.Ref || c.Size == n.Size && c.Times.Modified == n.Times.Modified {
		return false
	}
	e.Path = full
	for _, p := range slices.Backward(e.Volume.Snapshots()) {
		if x, err := p.Walk(full, false); err == nil && (x.Size != c.Size || x.Times.Modified != c.Times.Modified) {
			e.Point = p
			break
		}
	}
	return true
}

// ofWindows are directories whose files nobody looks for first.
var ofWindows = map[string]bool{"/windows": true, "/program files": true, "/program files (x86)": true, "/programdata": true, "/system volume information": true,
	"/$recycle.bin": true, "/recovery": true, "/perflogs": true, "/$windows.~bt": true}
