package imagefmt

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Layer is a state of the disk that an image keeps: the one in the file itself, those in the files that it stands on,
// and internal snapshots.
type Layer struct {
	Name   string    // of the file or, with an ID, of an internal snapshot
	ID     string    // of an internal snapshot
	Format string    // as Image.Format
	Time   time.Time // when the file was made, or the snapshot taken; zero when the format does not tell
	Size   int64     // of the disk, in bytes
	// Modified is when the file was last written to, which is all that there is to know of a format that keeps no times;
	// zero when it is not known, and of an internal snapshot.
	Modified time.Time

	disk layer.Source // of a file
}

// Layers returns all states, the image's own first, then files downwards, then internal snapshots.
func (i *Image) Layers() []Layer { return i.layers }

// list describes a disk, what it stands on, and its internal snapshots.
func list(disk *format.Disk) []Layer {
	var list []Layer
	for d := disk; d != nil; d = d.Parent {
		list = append(list, Layer{Name: d.Name, Format: d.Format, Time: d.Created, Size: d.Size(), Modified: d.Modified, disk: d.Source})
	}
	for _, s := range disk.Snapshots {
		list = append(list, Layer{Name: s.Name, ID: s.ID, Format: disk.Format, Time: s.Time, Size: s.Size})
	}
	return list
}

// find returns the layer that a user names: by its number in the list, a snapshot's ID, or its name.
func find(list []Layer, want string) (Layer, error) {
	if n, err := strconv.Atoi(want); err == nil && n >= 0 && n < len(list) {
		return list[n], nil
	}
	return layerNamed(list, want)
}

// layerNamed is find without numbers.
func layerNamed(list []Layer, want string) (Layer, error) {
	for _, same := range []func(Layer) bool{
		func(l Layer) bool { return l.ID != "" && l.ID == want },
		func(l Layer) bool { return l.Name == want },
		func(l Layer) bool { return strings.EqualFold(l.Name, want) },
	} {
		if i := slices.IndexFunc(list, same); i >= 0 {
			return list[i], nil
		}
	}
	var names []string
	for n, l := range list {
		names = append(names, fmt.Sprintf("%d %s", n, l.Name))
	}
	return Layer{}, fmt.Errorf("no layer %q (there are: %s): %w", want, strings.Join(names, ", "), fs.ErrNotExist)
}

// internal returns the internal snapshots, whose IDs are numbers too.
func internal(list []Layer) []Layer {
	return slices.DeleteFunc(slices.Clone(list), func(l Layer) bool { return l.ID == "" })
}

// show makes the layer that the options name the disk of the image.
func (i *Image) show(opts Options, at place) error {
	l, err := Layer{}, error(nil)
	switch {
	case opts.Snapshot != "":
		l, err = layerNamed(internal(i.layers), opts.Snapshot)
	case opts.Layer != "":
		l, err = find(i.layers, opts.Layer)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	i.format = l.Format
	if l.ID == "" {
		i.disk = l.disk
		return nil
	}
	i.files.rewind(0)
	i.files.snapshot = l.ID
	disk, err := i.files.disk(at)
	if err == nil {
		i.disk = disk.Source
	}
	return err
}
