package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"snapmount/imagefmt/layer"
)

const (
	// maxLine is the most bytes of a line of a sidecar that is read.
	maxLine = 64 << 20
	// maxLearnt is the most bytes of security descriptors and names of a sidecar that are kept.
	maxLearnt = 64 << 20
)

// Apply gives the files below root what the sidecar there says: the metadata that the place where they were restored
// could not hold. done is told each line's path and what could not be set. Lines that fail cost no other. Where ctx ends,
// the error is its cause; to apply all of it again goes on.
func Apply(ctx context.Context, root *os.Root, done func(path string, lost []string, err error)) error {
	f, err := openRegular(root, SidecarName)
	if err != nil {
		return err
	}
	defer f.Close()
	t, left, err := detect(root)
	if err != nil {
		return err
	}
	a := &applier{ctx: ctx, root: root, target: t, done: done, security: map[string][]byte{}, renamed: map[string]string{}}
	defer a.leave(0)
	a.stays(".", errors.Join(left, removeOwnParts(root)))
	return a.lines(f)
}

// An applier applies lines of a sidecar.
type applier struct {
	ctx      context.Context
	root     *os.Root
	target   target
	done     func(path string, lost []string, err error) // is told what became of a line: of which path, what could not be set, and why
	security map[string][]byte                           // by SecurityID
	renamed  map[string]string                           // names on the volume, which entries have here when this is done again; by path
	bytes    int                                         // in both
	late     []lateLine

	path []level // the directories of the last line, from the top
}

// level is an open directory.
type level struct {
	name, now string // as restored, and now
	dir       *os.Root
}

// stays tells what earlier runs left in a directory and could not be removed, if anything.
func (a *applier) stays(dir string, err error) {
	if err != nil {
		a.done(dir, nil, err)
	}
}

// leave closes directories but the first n.
func (a *applier) leave(n int) {
	for _, l := range a.path[n:] {
		l.dir.Close()
	}
	a.path = a.path[:n]
}

// enter opens the directory that a path is in, where those of the line before are left. No link is followed.
func (a *applier) enter(file string) (*os.Root, error) {
	if file == "." || path.Clean("/"+file) != "/"+file {
		return nil, fmt.Errorf("not a path below the target: %w", layer.ErrCorrupt)
	}
	dir, depth, most := a.root, 0, maxDepth()
	for start := 0; ; depth++ {
		n := strings.IndexByte(file[start:], '/')
		if n < 0 {
			a.leave(depth)
			return dir, nil
		}
		name := file[start : start+n]
		start += n + 1
		if depth < len(a.path) && a.path[depth].name == name {
			dir = a.path[depth].dir
			continue
		}
		a.leave(depth)
		if depth >= most {
			return nil, fmt.Errorf("more than %d directories deep: %w", most, layer.ErrUnsupported)
		}
		now := name
		next, err := openDir(dir, now)
		if other := a.renamed[file[:start-1]]; errors.Is(err, fs.ErrNotExist) && isName(other) {
			now = other
			next, err = openDir(dir, now)
		}
		if err != nil {
			return nil, err
		}
		a.path = append(a.path, level{name, now, next})
		dir = next
		a.stays(file[:start-1], removeParts(dir)) // of one that was killed
	}
}

// here is the path of a name in the directory that was entered last.
func (a *applier) here(name string) string {
	var out strings.Builder
	for _, l := range a.path {
		out.WriteString(l.now + "/")
	}
	return out.String() + name
}

// find gives the path that a restored file has now.
func (a *applier) find(file string) (string, error) {
	dir, err := a.enter(file)
	if err != nil {
		return "", err
	}
	name := path.Base(file)
	_, err = dir.Lstat(name)
	if other := a.renamed[file]; errors.Is(err, fs.ErrNotExist) && isName(other) {
		name = other
		_, err = dir.Lstat(name)
	}
	return a.here(name), err
}

// line gives what a line describes its metadata, and its name.
func (a *applier) line(m *Meta) ([]string, error) {
	first, firstErr := "", error(nil)
	if m.Link != "" {
		first, firstErr = a.find(m.Link)
	}
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
	if m.Link != "" {
		if firstErr == nil {
			firstErr = a.join(dir, name, first)
		}
		if firstErr != nil {
			return lost, errors.Join(damage, fmt.Errorf("hard link: %w", firstErr))
		}
	}
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
	f, err := openRegular(a.root, s.File)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != s.Size {
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
	if errors.Is(err, fs.ErrNotExist) && m.Type == "link" { // as what was killed in relink leaves it
		return a.relink(dir, name, bare)
	}
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if m.Type == "link" {
			return a.relink(dir, name, bare)
		}
		return a.target.dress(dir, name, bare)
	}
	if want := m.Type == "dir"; info.IsDir() != want || !want && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("is %v there, want a %s: %w", info.Mode().Type(), m.Type, fs.ErrExist)
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

// join makes a file that was copied by itself another name of first, where it has the same content.
func (a *applier) join(dir *os.Root, name, first string) error {
	info, err := dir.Lstat(name)
	if err != nil {
		return err
	}
	other, err := a.root.Lstat(first)
	if err != nil || os.SameFile(info, other) {
		return err
	}
	if same, err := a.same(dir, name, first, info, other); err != nil || !same {
		return errors.Join(fmt.Errorf("%s has another content", first), err)
	}
	part := partName()
	if err := a.root.Link(first, a.here(part)); err != nil {
		return err
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
		if err = dir.Remove(name); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
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
	if !isName(original) || isPart(original, partStart) { // such a one would be removed as what is left of an earlier run
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

// isName reports whether a name is one of an entry of a directory here.
func isName(s string) bool {
	return s != "." && filepath.IsLocal(s) && filepath.Base(s) == s && !strings.Contains(s, "\x00")
}
