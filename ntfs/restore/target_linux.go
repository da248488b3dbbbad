package restore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"snapmount/ntfs"
)

// A linuxTarget holds what its extended attributes can: of ntfs-3g (ntfs-3g(8), nearly all), of the kernel's ntfs3
// (Documentation/filesystems/ntfs3.rst: permissions and attributes) or of users.
type linuxTarget struct {
	ntfs3g, ntfs3 bool
	streams       bool // "file:stream" is a stream
}

// detect looks at the file system below root.
func detect(root *os.Root) (_ target, left, err error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, nil, err
	}
	defer d.Close()
	has := func(name string) bool {
		_, err := unix.Fgetxattr(int(d.Fd()), name, make([]byte, 64))
		return err == nil
	}
	t := &linuxTarget{ntfs3g: has("system.ntfs_times")}
	t.ntfs3 = !t.ntfs3g && has("system.ntfs_attrib")
	if t.ntfs3g {
		t.streams, left = hasStreams(root)
	}
	return t, left, nil
}

// hasStreams tries whether a name with a colon is a stream, as ntfs-3g takes it with streams_interface=windows. left is why
// what it tried that with is there still.
func hasStreams(root *os.Root) (has bool, left error) {
	name := partName()
	defer func() { // the second is gone with the first, unless it is a file
		for _, n := range []string{name, name + ":s"} {
			left = errors.Join(left, leftover(n, root.Remove(n)))
		}
	}()
	for _, n := range []string{name, name + ":s"} {
		f, err := root.OpenFile(n, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
		if err != nil {
			return false, nil
		}
		f.Close()
	}
	a, err := root.Lstat(name)
	b, err2 := root.Lstat(name + ":s")
	return err == nil && err2 == nil && os.SameFile(a, b), nil
}

func (t *linuxTarget) apply(dir *os.Root, name string, f *os.File, m *Meta) (lost []string, err error) {
	rest := *m
	fd := int(f.Fd())
	lost = rest.takeStreams(func(s *Stream) error { return t.stream(dir, name, fd, s) })
	switch {
	case t.ntfs3g:
		lost = append(lost, set(fd, []xattr{
			{"permissions", "system.ntfs_acl", m.Security}, {"object id", "system.ntfs_object_id", m.ObjectID},
			{"extended attributes", "system.ntfs_ea", m.EA}, {"reparse data", "system.ntfs_reparse_data", m.Reparse},
		})...)
		if len(m.EFS) > 0 {
			lost = append(lost, "EFS keys")
		}
		if m.Name != "" {
			lost = append(lost, "name")
		}
		return lost, nil
	case t.ntfs3:
		lost = append(lost, set(fd, []xattr{{"permissions", "system.ntfs_security", m.Security}, {"attributes", "system.ntfs_attrib", attributes(m)}})...)
		rest.Security, rest.Attributes = nil, 0
	}
	changed, err := setTimes(f, m)
	return slices.Concat(lost, rest.losses(), changed), err
}

func (t *linuxTarget) settles() bool { return t.ntfs3g }

// settle sets what ntfs-3g drops or changes when it renames or writes a file: the short name, the archive attribute, times.
func (t *linuxTarget) settle(f *os.File, m *Meta) []string {
	if !t.ntfs3g {
		return nil
	}
	list := []xattr{{"short name", "system.ntfs_dos_name", []byte(m.ShortName)}}
	if m.Created != 0 || m.Link == "" { // not the line of a hard link, which has the short name alone
		list = append(list, xattr{"attributes", "system.ntfs_attrib", attributes(m)}, xattr{"times", "system.ntfs_times", times(m)})
	}
	return set(int(f.Fd()), list)
}

// set sets extended attributes of an open file and says which could not be.
func set(fd int, list []xattr) (lost []string) {
	return setAll(list, func(x xattr) error { return unix.Fsetxattr(fd, x.name, x.value, 0) })
}

func setAll(list []xattr, one func(xattr) error) (lost []string) {
	for _, x := range list {
		if len(x.value) == 0 {
			continue
		}
		if err := one(x); err != nil {
			lost = append(lost, fmt.Sprintf("%s: %v", x.what, err))
		}
	}
	return lost
}

// stream makes a named stream: as such, or as an extended attribute.
func (t *linuxTarget) stream(dir *os.Root, name string, fd int, s *Stream) error {
	if !t.streams {
		if s.Size > maxInline {
			return unix.E2BIG
		}
		b, err := s.bytes()
		if err != nil {
			return err
		}
		return unix.Fsetxattr(fd, "user."+s.Name, b, 0)
	}
	if strings.ContainsAny(s.Name, "/\x00:") {
		return unix.EINVAL
	}
	f, err := dir.OpenFile(name+":"+s.Name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(s.copyTo(f), f.Close()); err != nil {
		err = errors.Join(err, dir.Remove(name+":"+s.Name)) // not a part of it
	}
	return err
}

// makeLink makes a file or directory with the reparse data, as ntfs-3g wants it. It is opened before it is a link.
func (t *linuxTarget) makeLink(dir *os.Root, name string, m *Meta) (*os.File, error) {
	if !t.ntfs3g || len(m.Reparse) == 0 {
		return nil, nil
	}
	var f *os.File
	var err error
	if m.Attributes&ntfs.AttrDirectory == 0 {
		f, err = dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	} else if err = dir.Mkdir(name, 0o700); err == nil {
		f, err = dir.Open(name)
	}
	if err != nil {
		return nil, err
	}
	lost, err := t.apply(dir, name, f, m)
	if len(lost) > 0 {
		err = errors.Join(err, fmt.Errorf("link: %s", strings.Join(lost, ", ")))
	}
	return f, err
}

func (t *linuxTarget) hasLink(dir *os.Root, name string, m *Meta) bool {
	if !t.ntfs3g || len(m.Reparse) == 0 {
		return false
	}
	b := make([]byte, len(m.Reparse)+1)
	n := 0
	err := atPath(dir, name, func(path string) (err error) {
		n, err = unix.Lgetxattr(path, "system.ntfs_reparse_data", b)
		return err
	})
	return err == nil && bytes.Equal(b[:n], m.Reparse)
}

// atPath calls do with a path of an entry of dir in which nothing but the entry can be a link.
func atPath(dir *os.Root, name string, do func(path string) error) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return do(fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name))
}

// dress serves ntfs-3g, which shows system files with the content of an Interix link as links.
func (t *linuxTarget) dress(dir *os.Root, name string, m *Meta) (lost []string, err error) {
	if !t.ntfs3g || m.Attributes&ntfs.AttrSystem == 0 {
		return nil, errLink()
	}
	err = atPath(dir, name, func(path string) error {
		lost = setAll(ntfsValues(m), func(x xattr) error { return unix.Lsetxattr(path, x.name, x.value, 0) })
		return nil
	})
	return lost, err
}

func (t *linuxTarget) linkTimes(dir *os.Root, name string, m *Meta) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.UtimesNanoAt(int(d.Fd()), name, []unix.Timespec{timespec(m.Accessed), timespec(m.Modified)}, unix.AT_SYMLINK_NOFOLLOW)
}
