package imagefmt

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/raw"
)

// given is what the user named beside the image, by paths of this machine: it may lie anywhere.
type given struct {
	parts   []string // of the image, after its own file
	parents []string // of the image or of what it stands on, in any order
	rescue  string   // the map of what was read when the image was made
	used    bool     // the map

	host    hostFolder // how to open files
	folders map[string]*listed
}

// place is where a file is that the user named.
func (g *given) place(name string, depth int) place {
	folder, own := hostPlace(name, g.host)
	key := folder.Path(own)
	if g.folders == nil {
		g.folders = make(map[string]*listed)
	}
	if g.folders[key] == nil {
		g.folders[key] = newListed(folder)
	}
	return place{folder: g.folders[key], name: own, depth: depth}
}

// rescued shows the raw disk in src as the map of GNU ddrescue says that was named for it, or that lies beside it and
// fits; without one it is src.
func (o *opener) rescued(src layer.Source, at place) (layer.Source, []error, error) {
	if at.depth == 0 && o.given.rescue != "" {
		m, err := readMap(o.given.place(o.given.rescue, 0))
		if err == nil && m.End() < src.Size() {
			err = fmt.Errorf("ends at 0x%x, want 0x%x as the image: %w", m.End(), src.Size(), layer.ErrFormat)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("map %s: %w", filepath.Base(o.given.rescue), err)
		}
		o.given.used = true
		return o.apply(m, src, at, o.given.rescue)
	}
	stem := strings.TrimSuffix(at.name, path.Ext(at.name))
	for _, name := range []string{at.name + ".map", at.name + ".mapfile", at.name + ".log", stem + ".map", stem + ".mapfile"} {
		full, err := at.exact(name, false)
		if err != nil {
			continue
		}
		m, err := readMap(place{folder: at.folder, name: full})
		if err != nil {
			continue // whatever else has such a name
		}
		if m.End() < src.Size() {
			o.warnAt(at)(fmt.Errorf("%s is a map of ddrescue, but ends at 0x%x and the image at 0x%x: not used", path.Base(full), m.End(), src.Size()))
			continue
		}
		return o.apply(m, src, at, full)
	}
	return src, nil, nil
}

// apply tells of a map and uses it.
func (o *opener) apply(m *raw.Map, src layer.Source, at place, name string) (layer.Source, []error, error) {
	disk := m.Rescue(src)
	bytes, ranges := m.Unread(disk.Size())
	name = filepath.Base(name)
	if bytes == 0 {
		o.warnAt(at)(fmt.Errorf("by %s, the map of ddrescue, all of the disk was read", name))
		return src, nil, nil
	}
	fault := fmt.Errorf("by %s, the map of ddrescue, 0x%x bytes in %d ranges were not read when the image was made", name, bytes, ranges)
	o.warnAt(at)(fault)
	return disk, []error{fault}, nil
}

func readMap(at place) (*raw.Map, error) {
	f, err := at.folder.Open(at.name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > raw.MaxMap {
		return nil, fmt.Errorf("0x%x bytes, want 0x%x at most: %w", f.Size(), raw.MaxMap, layer.ErrUnsupported)
	}
	b := make([]byte, min(f.Size(), format.EndLen))
	if err := layer.ReadFull(f, b, 0); err != nil {
		return nil, err
	}
	if strings.ContainsRune(string(b), 0) {
		return nil, fmt.Errorf("is no text: %w", layer.ErrFormat)
	}
	b = make([]byte, f.Size())
	if err := layer.ReadFull(f, b, 0); err != nil {
		return nil, err
	}
	return raw.ParseMap(string(b))
}
