package imagefmt

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/vdi"
	"snapmount/imagefmt/wintype"
)

func openVDI(o *opener, src layer.Source, at place) (layer.Source, error) { return o.vdi(src, at) }

// vdi opens a disk and its parents.
func (o *opener) vdi(src layer.Source, at place) (*vdi.Disk, error) {
	return vdi.Open(src, vdi.Options{Warn: o.warnAt(at), OpenParent: func(image, modified wintype.GUID) (*vdi.Disk, error) {
		name, err := o.findVDI(at, vdi.IDs{Image: image, Modified: modified})
		if err != nil {
			return nil, err
		}
		below, err := at.sibling(name)
		if err != nil {
			return nil, err
		}
		f, err := o.file(below.name)
		if err != nil {
			return nil, err
		}
		disk, err := o.vdi(f, below)
		if err == nil {
			o.keep(below, "vdi", disk)
		}
		return disk, err
	}})
}

// findVDI looks through the .vdi files beside a child for the one with an image UUID. Of several copies the first counts
// that was not changed since, else the first.
func (o *opener) findVDI(child place, want vdi.IDs) (string, error) {
	list, err := o.vdisIn(child.folder, path.Dir(child.name))
	if err != nil {
		return "", err
	}
	found := ""
	for _, f := range list {
		switch {
		case f.ids == want:
			return f.name, nil
		case found == "" && f.ids.Image == want.Image:
			found = f.name
		}
	}
	if found == "" {
		return "", fmt.Errorf("no .vdi file in the image's folder has that UUID: %w", fs.ErrNotExist)
	}
	return found, nil
}

// vdiFile is a disk by its name in a directory.
type vdiFile struct {
	name string
	ids  vdi.IDs
}

// vdisIn looks into all .vdi files of a directory, once for all disks of a chain.
func (o *opener) vdisIn(folder Folder, dir string) ([]vdiFile, error) {
	if list, ok := o.vdis[dir]; ok {
		return list, nil
	}
	names, err := folder.List(dir)
	if err != nil {
		return nil, err
	}
	var list []vdiFile
	for _, name := range names {
		if strings.EqualFold(path.Ext(name), ".vdi") && len(list) < maxTries {
			list = append(list, vdiFile{name, idsOf(folder, path.Join(dir, name))})
		}
	}
	if o.vdis == nil {
		o.vdis = make(map[string][]vdiFile)
	}
	o.vdis[dir] = list
	return list, nil
}

// idsOf returns no UUIDs for what is not a VDI or cannot be read.
func idsOf(folder Folder, name string) vdi.IDs {
	f, err := folder.Open(name)
	if err != nil {
		return vdi.IDs{}
	}
	defer f.Close()
	ids, err := vdi.ReadIDs(f)
	if err != nil {
		return vdi.IDs{}
	}
	return ids
}
