package ntfs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// maxPathDepth is more directories than a path of 32,767 characters, the most that Windows takes, can name.
const maxPathDepth = 1 << 14

// Path is a way to a node.
type Path struct {
	Name   string // names, as WTF-8 and as they are, a slash between two; from the root, unless Orphan
	Orphan bool   // the first directory that is named is not known to be in any other: Name is the end of the path
}

// Paths gives the paths of a node, one for each hard link; 8.3 names count where there is no other name only. It
// follows the references to parent directories, checking sequence numbers. Directories that were deleted count while
// their records are as the deletion left them; where a record has a new owner, or no name left, the path is an orphan's.
// The root has the path "". With an error, what could be had is there too.
func (t *Tree) Paths(n *Node) ([]Path, error) {
	if n.Ref.Record == recordRoot {
		return []Path{{}}, nil
	}
	names, damage := n.Names()
	if long := slices.DeleteFunc(slices.Clone(names), isDOS); len(long) > 0 {
		names = long
	}
	var out []Path
	for _, name := range names {
		p, err := t.path(name)
		if err != nil {
			damage = errors.Join(damage, fmt.Errorf("%v: parent directories: %w", n.Ref, err))
		}
		out = append(out, p)
	}
	return out, damage
}

func isDOS(n Name) bool { return n.Namespace == NamespaceDOS }

// path walks up from one name.
func (t *Tree) path(name Name) (Path, error) {
	var p Path
	parts := []string{name.Name}
	up, mark := name.Parent, Ref{Record: recordRoot}
	var err error
	for depth := 1; up.Record != recordRoot; depth++ {
		if up == mark || depth > maxPathDepth {
			p.Orphan, err = true, fmt.Errorf("%v: nest without end: %w", up, layer.ErrCorrupt)
			break
		}
		if depth&(depth-1) == 0 { // a loop meets the mark once the steps between marks are more than it is long
			mark = up
		}
		var next *Name
		if next, err = t.directoryName(up); next == nil {
			p.Orphan = true
			break
		}
		parts, up = append(parts, next.Name), next.Parent
	}
	slices.Reverse(parts)
	p.Name = strings.Join(parts, "/")
	return p, err
}

// directoryName returns the name of the directory that ref led to, live or deleted; nil when that is not known.
func (t *Tree) directoryName(ref Ref) (*Name, error) {
	r, err := t.record(ref.Record)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", ref, err)
	}
	if r.base != (Ref{}) || r.flags&layout.RecordDirectory == 0 || r.live().Seq != ref.Seq {
		return nil, nil
	}
	n := t.newNode(&r)
	names, err := n.Names()
	if i := slices.IndexFunc(names, func(n Name) bool { return !isDOS(n) }); i >= 0 {
		return &names[i], nil
	}
	if len(names) > 0 {
		return &names[0], nil
	}
	if n.Deleted { // what a deletion and time have left
		return nil, nil
	}
	return nil, err
}
