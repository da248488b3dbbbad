package imagefmt

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/vmdk"
)

func openVMDK(o *opener, src layer.Source, at place) (layer.Source, error) {
	d, err := o.vmdk(src, at)
	if errors.Is(err, vmdk.ErrExtent) {
		return nil, fmt.Errorf("%w, open %s: %w", err, descriptorOf(at), layer.ErrUnsupported)
	}
	return d, err
}

// vmdk opens a disk, its extents and its parents.
func (o *opener) vmdk(src layer.Source, at place) (*vmdk.Disk, error) {
	return vmdk.Open(src, vmdk.Options{
		Warn: o.warnAt(at),
		OpenExtent: func(name string) (layer.Source, error) {
			f, err := at.extent(name)
			if err != nil {
				return nil, err
			}
			return o.file(f.name)
		},
		OpenParent: func(name string) (*vmdk.Disk, error) {
			below, err := at.anySibling(name)
			if err != nil {
				return nil, err
			}
			f, err := o.file(below.name)
			if err != nil {
				return nil, err
			}
			disk, err := o.vmdk(f, below)
			if err == nil {
				o.keep(below, "vmdk", disk)
			}
			return disk, err
		},
	})
}

// anySibling is sibling for a name from Linux (ESXi) or from Windows.
func (p place) anySibling(name string) (place, error) {
	f, err := p.sibling(name)
	if errors.Is(err, fs.ErrNotExist) {
		return p.windowsSibling(name)
	}
	return f, err
}

// extent finds a file that the descriptor at p names: by that name, else, when all files of a disk were renamed, by the
// descriptor's own name with the ending of the extent's.
func (p place) extent(name string) (place, error) {
	f, err := p.anySibling(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	_, ending := cutEnding(path.Base(strings.ReplaceAll(name, `\`, "/")))
	own, _ := strings.CutSuffix(path.Base(p.name), path.Ext(p.name))
	if renamed, err := p.windowsSibling(own + ending); ending != "" && err == nil {
		return renamed, nil
	}
	return place{}, err
}

// cutEnding cuts what VMware appends to a disk's name for its extents: disk-flat.vmdk, disk-s001.vmdk.
func cutEnding(base string) (disk, ending string) {
	i := strings.LastIndexByte(base, '-')
	if i < 0 || !strings.EqualFold(path.Ext(base), ".vmdk") {
		return base, ""
	}
	kind := strings.ToLower(base[i+1 : len(base)-len(".vmdk")])
	switch kind {
	case "flat", "delta", "sesparse":
		return base[:i], base[i:]
	}
	if digits := strings.TrimLeft(kind, "sf"); len(digits) >= 3 && len(kind) == len(digits)+1 && strings.Trim(digits, "0123456789") == "" {
		return base[:i], base[i:]
	}
	return base, ""
}

// descriptorOf says which file is the descriptor of an extent, as far as its name tells.
func descriptorOf(extent place) string {
	disk, ending := cutEnding(path.Base(extent.name))
	if ending == "" {
		return "the descriptor (.vmdk) that names it"
	}
	if _, err := extent.sibling(disk + ".vmdk"); err != nil {
		return disk + ".vmdk, which is not beside it"
	}
	return disk + ".vmdk"
}

// warnFlat tells of a raw file that by its name is an extent of a disk of VMware: the disk may have others, and
// snapshots on it.
func (o *opener) warnFlat(at place) {
	if _, ending := cutEnding(path.Base(at.name)); ending != "" {
		o.warnAt(at)(fmt.Errorf("shown as raw, but its name is that of %w: open %s", vmdk.ErrExtent, descriptorOf(at)))
	}
}
