package points

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"snapmount/diffstore"
)

// vssSuffix ends the names of the files that VSS keeps in System Volume Information.
const vssSuffix = "{3808876b-c176-4e48-b7ae-04046e6cc752}"

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

// storeFiles returns the store files that the current file system of v lists, read by their clusters. Damage there is
// no concern here: what is found may help.
func (v *Volume) storeFiles() []diffstore.File {
	if v.Filesystem != "ntfs" {
		return nil
	}
	t, err := v.Current().Files()
	if err != nil {
		return nil
	}
	dir, err := t.Lookup("System Volume Information")
	if err != nil {
		return nil
	}
	entries, _ := dir.Children() // with an error, what could be read is there too
	var out []diffstore.File
	for _, e := range entries {
		if !strings.HasSuffix(strings.ToLower(e.Name), vssSuffix) {
			continue
		}
		n, err := e.Node()
		if err != nil {
			continue
		}
		if m, err := n.Clusters(); err == nil {
			out = append(out, diffstore.File{Name: e.Name, Data: m, Created: n.Times.Created.Time()})
		}
	}
	return out
}

// storeFilesFor returns the store files in the volume images that concern v: its own, and those of the volume that holds
// its diff area.
func (s *Set) storeFilesFor(v *Volume) []diffstore.File {
	files := v.storeFiles()
	if v.header != nil && !v.header.Local() {
		if c, err := s.holder(v, v.header.StorageGUID); err == nil {
			files = append(files, c.storeFiles()...)
		}
	}
	return files
}
