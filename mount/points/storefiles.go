package points

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"snapmount/diffstore"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

// vssSuffix ends the names of the files that VSS keeps in systemFolder.
const (
	systemFolder = "System Volume Information"
	vssSuffix    = "{3808876b-c176-4e48-b7ae-04046e6cc752}"
)

// openStoreFiles opens the files of VSS that were copied out of a volume: files, or directories with all below them.
// What they are, diffstore tells by their content.
func (s *Set) openStoreFiles(paths []string) error {
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			return s.openStoreFile(path)
		})
		if err != nil {
			return fmt.Errorf("diff area: %w", err)
		}
	}
	return nil
}

func (s *Set) openStoreFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, f.Close())
	}
	s.closers = append(s.closers, f)
	s.captured = append(s.captured, diffstore.File{Name: filepath.Base(path), Data: io.NewSectionReader(f, 0, info.Size())})
	return nil
}

// storeEntries returns the entries of store files and catalogs that the current file system of v lists. Damage there is no
// concern here: what is found may help.
func (v *Volume) storeEntries() (out []ntfs.Entry) {
	if v.Filesystem != "ntfs" {
		return nil
	}
	t, err := v.Current().Files()
	if err != nil {
		return nil
	}
	dir, err := t.Lookup(systemFolder)
	if err != nil {
		return nil
	}
	entries, _ := dir.Children() // with an error, what could be read is there too
	for _, e := range entries {
		if strings.HasSuffix(strings.ToLower(e.Name), vssSuffix) {
			out = append(out, e)
		}
	}
	return out
}

// storeFiles returns the files of storeEntries, read by their clusters.
func (v *Volume) storeFiles() (out []diffstore.File) {
	for _, e := range v.storeEntries() {
		n, err := e.Node()
		if err != nil {
			continue
		}
		if m, err := n.Clusters(); err == nil {
			out = append(out, diffstore.File{Name: e.Name, Data: m, Created: n.Times.Created.Time(), Listed: true})
		}
	}
	return out
}

// storeFilesFor returns the store files in the volume images that concern v: its own, and those of the volume that holds
// its diff area.
func (s *Set) storeFilesFor(v *Volume) []diffstore.File {
	files := v.storeFiles()
	if c := s.storageOf(v); c != nil {
		files = append(files, c.storeFiles()...)
	}
	return files
}

// storageOf is the volume that holds the diff area of v, nil for v itself or when it is not there.
func (s *Set) storageOf(v *Volume) *Volume {
	if v.header == nil || v.header.Local() {
		return nil
	}
	c, _ := s.holder(v, v.header.StorageGUID)
	return c
}

// orphans reports whether a store file is listed, here or where the diff area is, that no catalog of these has.
func (s *Set) orphans(v *Volume, vss *diffstore.Volume) bool {
	known := vss.Stores()
	for _, x := range vss.Snapshots() {
		known = append(known, x.StoreID)
	}
	entries := v.storeEntries()
	if c := s.storageOf(v); c != nil {
		snapshots, stores := c.catalog()
		known, entries = slices.Concat(known, snapshots, stores), append(entries, c.storeEntries()...)
	}
	return slices.ContainsFunc(entries, func(e ntfs.Entry) bool {
		g := diffstore.StoreOf(e.Name)
		return !g.IsZero() && !slices.Contains(known, g)
	})
}

// claimed reports whether another volume than v has the snapshot of a store in its catalog.
func (s *Set) claimed(v *Volume, store wintype.GUID) bool {
	for _, c := range s.Volumes {
		if c == v || c.header == nil || v.header != nil && c.header.VolumeGUID == v.header.VolumeGUID {
			continue // copies of a volume have the same snapshots
		}
		if snapshots, _ := c.catalog(); slices.Contains(snapshots, store) {
			return true
		}
	}
	return false
}
