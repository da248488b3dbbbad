package restore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"snapmount/imagefmt/layer"
)

const (
	// maxLine is the most bytes of a line of a sidecar that is read.
	maxLine = 64 << 20
	// maxSecurity is the most bytes of security descriptors of a sidecar that are kept.
	maxSecurity = 64 << 20
)

// Apply gives the files below root what the sidecar there says: the metadata that the place where they were restored
// could not hold. done is told each line's path and what could not be set. Lines that fail cost no other.
func Apply(root *os.Root, done func(path string, lost []string, err error)) error {
	f, err := root.Open(SidecarName)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := detect(root)
	if err != nil {
		return err
	}
	a := &applier{root: root, target: t, security: map[string][]byte{}}
	defer a.leave()
	return a.lines(f, done)
}

// An applier applies lines of a sidecar.
type applier struct {
	root     *os.Root
	target   target
	security map[string][]byte // by SecurityID
	bytes    int

	dir     *os.Root // of the last line, nil for none
	dirPath string
}

func (a *applier) remember(m *Meta) error {
	if a.bytes += len(m.Security); a.bytes > maxSecurity {
		return fmt.Errorf("%s: more than 0x%x bytes of security descriptors: %w", SidecarName, maxSecurity, layer.ErrUnsupported)
	}
	a.security[m.SecurityID] = m.Security
	return nil
}

func (a *applier) leave() {
	if a.dir != nil {
		a.dir.Close()
		a.dir = nil
	}
}

// enter opens the directory of a path; most lines are of the same one as the line before.
func (a *applier) enter(file string) (*os.Root, error) {
	up := path.Dir(file)
	if up == "." {
		return a.root, nil
	}
	if a.dir != nil && up == a.dirPath {
		return a.dir, nil
	}
	a.leave()
	var err error
	if a.dir, err = a.root.OpenRoot(up); err != nil {
		a.dir = nil
		return nil, err
	}
	a.dirPath = up
	return a.dir, nil
}

// line gives what a line describes its metadata, and its name.
func (a *applier) line(m *Meta) ([]string, error) {
	dir, err := a.enter(m.Path)
	if err != nil {
		return nil, err
	}
	if m.SecurityID != "" {
		var ok bool
		if m.Security, ok = a.security[m.SecurityID]; !ok {
			return nil, fmt.Errorf("security descriptor %s is missing: %w", m.SecurityID, layer.ErrCorrupt)
		}
	}
	var damage error
	streams := m.Streams
	m.Streams = nil
	for _, s := range streams {
		f, err := a.stream(&s)
		if err != nil {
			damage = errors.Join(damage, fmt.Errorf("stream %q: %w", s.Name, err))
			continue
		}
		if f != nil {
			defer f.Close()
		}
		m.Streams = append(m.Streams, s)
	}
	name, lost := rename(dir, path.Base(m.Path), m.Name)
	bare := *m
	bare.Name, bare.Link = "", "" // they are seen to here
	more, err := a.apply(dir, name, m, &bare)
	return append(lost, more...), errors.Join(damage, err)
}

// stream opens the file of a stream, where it has one.
func (a *applier) stream(s *Stream) (*os.File, error) {
	if s.File == "" {
		if s.Size != int64(len(s.Data)) {
			return nil, fmt.Errorf("%d bytes, want %d: %w", len(s.Data), s.Size, layer.ErrCorrupt)
		}
		return nil, nil
	}
	f, err := a.root.Open(s.File)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() != s.Size) {
		err = fmt.Errorf("%s: %d bytes, want %d: %w", s.File, info.Size(), s.Size, layer.ErrCorrupt)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.content = io.NewSectionReader(f, 0, s.Size)
	return f, nil
}

// apply applies all of a line but the name.
func (a *applier) apply(dir *os.Root, name string, m, bare *Meta) ([]string, error) {
	info, err := dir.Lstat(name)
	if err == nil && m.Link != "" {
		err = a.join(dir, name, info, m)
	}
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if m.Type != "link" {
			return nil, fmt.Errorf("is a link: %w", fs.ErrExist)
		}
		return a.relink(dir, name, bare)
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if m.Link != "" && m.Created == 0 { // of its own, a hard link has a short name at most
		bare.Link = m.Link
		return a.target.settle(f, bare), nil
	}
	lost, err := a.target.apply(dir, name, f, bare)
	return append(lost, a.target.settle(f, bare)...), err
}

// join makes a file that was copied by itself a hard link again, where it has the same content.
func (a *applier) join(dir *os.Root, name string, info fs.FileInfo, m *Meta) error {
	other, err := a.root.Lstat(m.Link)
	if err != nil {
		return fmt.Errorf("hard link: %w", err)
	}
	if os.SameFile(info, other) {
		return nil
	}
	if same, err := a.same(dir, name, m.Link, info, other); err != nil || !same {
		return errors.Join(fmt.Errorf("hard link to %s: the content is another one", m.Link), err)
	}
	part := partName()
	if err := a.root.Link(m.Link, path.Join(path.Dir(m.Path), part)); err != nil {
		return fmt.Errorf("hard link: %w", err)
	}
	if err := dir.Rename(part, name); err != nil {
		return errors.Join(err, dir.Remove(part))
	}
	return nil
}

func (a *applier) same(dir *os.Root, name, other string, x, y fs.FileInfo) (bool, error) {
	if !x.Mode().IsRegular() || !y.Mode().IsRegular() || x.Size() != y.Size() {
		return false, nil
	}
	f, err := dir.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	g, err := a.root.Open(other)
	if err != nil {
		return false, err
	}
	defer g.Close()
	return sameFiles(f, g, x.Size())
}

// relink replaces a symbolic link by one of NTFS, where the target has these.
func (a *applier) relink(dir *os.Root, name string, m *Meta) ([]string, error) {
	part := partName()
	f, err := a.target.makeLink(dir, part, m)
	if f == nil {
		return []string{"link of Windows"}, err
	}
	if err == nil {
		err = dir.Remove(name)
	}
	if err == nil {
		err = dir.Rename(part, name)
	}
	var lost []string
	if err == nil {
		lost = a.target.settle(f, m)
	} else {
		err = errors.Join(err, dir.RemoveAll(part))
	}
	return lost, errors.Join(err, f.Close())
}

// rename gives a file back the name that it has on the volume, where the target takes it and no other file has it. It
// returns the name that the file has then.
func rename(dir *os.Root, name, original string) (now string, lost []string) {
	if original == "" {
		return name, nil
	}
	if original == "." || original == ".." || strings.ContainsAny(original, "/\x00") {
		return name, []string{"name"}
	}
	_, err := dir.Lstat(original)
	if err == nil {
		if _, err := dir.Lstat(name); errors.Is(err, fs.ErrNotExist) { // renamed before
			return original, nil
		}
		err = fs.ErrExist
	} else if errors.Is(err, fs.ErrNotExist) {
		err = dir.Rename(name, original)
	}
	if err != nil {
		return name, []string{fmt.Sprintf("name: %v", err)}
	}
	return original, nil
}
