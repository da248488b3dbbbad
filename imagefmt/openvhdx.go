package imagefmt

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/vhdx"
)

func openVHDX(o *opener, src layer.Source, at place) (layer.Source, error) {
	mark := len(o.opened)
	disk, err := vhdx.Open(src, o.vhdxOptions(at))
	if err != nil {
		return nil, err
	}
	depth := at.depth
	for p := disk.Parent(); p != nil && mark < len(o.opened); p = p.Parent() {
		depth++
		o.keep(place{at.folder, o.opened[mark].name, depth}, "vhdx", p)
		mark++
	}
	return disk, nil
}

// vhdxOptions are those of the disk that was opened last. What is not its parent is closed before the next file is tried.
func (o *opener) vhdxOptions(at place) vhdx.Options {
	mark := len(o.opened)
	return vhdx.Options{
		Warn: o.warnAt(at),
		OpenParent: func(path string) (layer.Source, vhdx.Options, error) {
			o.rewind(mark)
			below, err := at.windowsSibling(path)
			if err != nil {
				return nil, vhdx.Options{}, err
			}
			return o.vhdxParent(below)
		},
		FindParent: func(match func(layer.Source) bool) (layer.Source, vhdx.Options, error) {
			return o.findVHDX(at, mark, match)
		},
	}
}

func (o *opener) vhdxParent(at place) (layer.Source, vhdx.Options, error) {
	f, err := o.file(at.name)
	if err != nil {
		return nil, vhdx.Options{}, err
	}
	return f, o.vhdxOptions(at), nil
}

// findVHDX looks for the parent among the disks beside the child, which is for when files were renamed, and for a child
// that had the name of its parent in another folder.
func (o *opener) findVHDX(child place, mark int, match func(layer.Source) bool) (layer.Source, vhdx.Options, error) {
	names, err := child.folder.List(path.Dir(child.name))
	if err != nil {
		return nil, vhdx.Options{}, err
	}
	for _, name := range names {
		if ext := strings.ToLower(path.Ext(name)); ext != ".vhdx" && ext != ".avhdx" {
			continue
		}
		o.rewind(mark)
		below, err := child.sibling(name)
		if err != nil {
			continue // a damaged link, or too deep
		}
		f, opts, err := o.vhdxParent(below)
		if err == nil && match(f) {
			o.warnAt(child)(fmt.Errorf("the parent is not where its names lead to, but %s has its identifier", name))
			return f, opts, nil
		}
	}
	return nil, vhdx.Options{}, fmt.Errorf("no file with this identifier is beside %s: %w", path.Base(child.name), fs.ErrNotExist)
}
