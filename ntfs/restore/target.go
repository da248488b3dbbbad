package restore

import (
	"fmt"
	"io/fs"
	"os"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// target is a file system to restore to.
type target interface {
	// apply gives name, which is in dir and open as f, what it can hold of m, times last. It names what it cannot.
	apply(dir *os.Root, name string, f *os.File, m *Meta) (lost []string, err error)
	// settles reports whether settle has to follow.
	settles() bool
	// settle gives an open file what it loses when it is renamed.
	settle(f *os.File, m *Meta) (lost []string)
	// makeLink makes a link as NTFS has it, with its metadata, and returns it open. It gives nil where the target has no
	// such links.
	makeLink(dir *os.Root, name string, m *Meta) (*os.File, error)
	// hasLink reports whether name is a link as makeLink makes it.
	hasLink(dir *os.Root, name string, m *Meta) bool
	// dress gives a file that became a link when it had its metadata the same again. It wraps fs.ErrExist where that cannot be.
	dress(dir *os.Root, name string, m *Meta) (lost []string, err error)
	// linkTimes gives a symbolic link its times.
	linkTimes(dir *os.Root, name string, m *Meta) error
}

// notSet are attributes that a program cannot set, or that tell how the content is kept.
const notSet = ntfs.AttrDirectory | ntfs.AttrReparse | ntfs.AttrSparse | ntfs.AttrCompressed | ntfs.AttrEncrypted

// losses names what of m a target without any of it does not hold.
func (m *Meta) losses() (lost []string) {
	for _, l := range []struct {
		name string
		has  bool
	}{
		{"permissions", len(m.Security) > 0}, {"extended attributes", len(m.EA) > 0}, {"reparse data", len(m.Reparse) > 0},
		{"object id", len(m.ObjectID) > 0}, {"EFS keys", len(m.EFS) > 0}, {"short name", m.ShortName != ""},
		{"attributes", m.Attributes&^(ntfs.AttrDirectory|ntfs.AttrArchive) != 0}, {"creation time", m.Created != 0},
		{"name", m.Name != ""}, {"hard link", m.Link != ""},
	} {
		if l.has {
			lost = append(lost, l.name)
		}
	}
	for _, s := range m.Streams {
		lost = append(lost, "stream "+s.Name)
	}
	return lost
}

// takeStreams gives each named stream to set, says which it refuses, and removes them from m.
func (m *Meta) takeStreams(set func(*Stream) error) (lost []string) {
	for i := range m.Streams {
		if err := set(&m.Streams[i]); err != nil {
			lost = append(lost, fmt.Sprintf("stream %s: %v", m.Streams[i].Name, err))
		}
	}
	m.Streams = nil
	return lost
}

// errLink says that a link is where a file should be.
func errLink() error { return fmt.Errorf("is a link: %w", fs.ErrExist) }

// bytes is the content of a stream.
func (s *Stream) bytes() ([]byte, error) {
	if s.Data != nil || s.Size == 0 {
		return s.Data, nil
	}
	b := make([]byte, s.Size)
	s.damage = layer.ReadFull(s.content, b, 0)
	return b, s.damage
}
