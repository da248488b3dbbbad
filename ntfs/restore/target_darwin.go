package restore

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// A darwinTarget holds named streams as extended attributes of the same names, as the SMB client of macOS shows them, and
// the creation time.
type darwinTarget struct{ plain }

func detect(*os.Root) (t target, left, err error) { return darwinTarget{}, nil, nil }

func (t darwinTarget) apply(dir *os.Root, name string, f *os.File, m *Meta) (lost []string, err error) {
	rest := *m
	lost = rest.takeStreams(func(s *Stream) error {
		if s.Size > maxInline {
			return unix.E2BIG
		}
		b, err := s.bytes()
		if err != nil {
			return err
		}
		return unix.Fsetxattr(int(f.Fd()), s.Name, b, 0)
	})
	if err := setCreated(f, m); err == nil {
		rest.Created = 0
	}
	changed, err := chtimes(dir, name, m)
	return slices.Concat(lost, rest.losses(), changed), err
}

// setCreated sets the creation time of an open file: setattrlist(2), by the file's number, which no link can change.
func setCreated(f *os.File, m *Meta) error {
	var info unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &info); err != nil {
		return err
	}
	t := m.Created.Time()
	timespec := binary.NativeEndian.AppendUint64(nil, uint64(t.Unix()))
	timespec = binary.NativeEndian.AppendUint64(timespec, uint64(t.Nanosecond()))
	list := unix.Attrlist{Bitmapcount: unix.ATTR_BIT_MAP_COUNT, Commonattr: unix.ATTR_CMN_CRTIME}
	return unix.Setattrlist(fmt.Sprintf("/.vol/%d/%d", info.Dev, info.Ino), &list, timespec, 0)
}

func (darwinTarget) linkTimes(*os.Root, string, *Meta) error { return nil }
