package vsstest

import "fmt"

// FileName returns the name of the store file in System Volume Information.
func (s *Snapshot) FileName() string { return fmt.Sprintf("{%v}{%v}", s.Entry.Store, Identifier) }

// File returns the content of the store file as it is on the storage volume now.
func (s *Snapshot) File() ([]byte, error) { return gather(s.vol.storage, s.used) }

// CatalogFile returns the content of the catalog that has the snapshots, as it was flushed last.
func (v *Volume) CatalogFile() ([]byte, error) { return gather(v.live, v.catalog) }

// gather returns the blocks at places.
func gather(img Image, places []Place) ([]byte, error) {
	b := make([]byte, len(places)*BlockSize)
	for i, p := range places {
		if _, err := img.ReadAt(b[i*BlockSize:(i+1)*BlockSize], int64(p.Offset)); err != nil {
			return nil, err
		}
	}
	return b, nil
}
