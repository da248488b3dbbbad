package restore

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"

	"snapmount/ntfs"
)

// A windowsTarget holds what NTFS holds and a program can set there: streams, permissions, attributes, all four times.
type windowsTarget struct{ plain }

func detect(*os.Root) (t target, left, err error) { return windowsTarget{}, nil, nil }

func (t windowsTarget) apply(dir *os.Root, name string, f *os.File, m *Meta) (lost []string, err error) {
	rest := *m
	lost = rest.takeStreams(func(s *Stream) error { return writeStream(f, s) })
	if err := setSecurity(f, m.Security); err != nil {
		lost = append(lost, fmt.Sprintf("permissions: %v", err))
	}
	rest.Security = nil
	if err := setBasic(f, m); err != nil {
		lost = append(lost, fmt.Sprintf("attributes: %v", err))
		changed, err := chtimes(dir, name, m)
		return slices.Concat(lost, rest.losses(), changed), err
	}
	rest.Attributes, rest.Created = rest.Attributes&ntfs.AttrEncrypted, 0
	return append(lost, rest.losses()...), nil
}

// reopen opens an open file again, with other rights, or with name ":stream" a stream of it. No path is looked up.
func reopen(f *os.File, name string, access, disposition uint32) (windows.Handle, error) {
	text, err := windows.NewNTUnicodeString(name)
	if err != nil {
		return 0, err
	}
	attributes := windows.OBJECT_ATTRIBUTES{RootDirectory: windows.Handle(f.Fd()), ObjectName: text}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	const options = windows.FILE_OPEN_FOR_BACKUP_INTENT | windows.FILE_OPEN_REPARSE_POINT | windows.FILE_SYNCHRONOUS_IO_NONALERT
	var h windows.Handle
	var status windows.IO_STATUS_BLOCK
	err = windows.NtCreateFile(&h, access|windows.SYNCHRONIZE, &attributes, &status, nil, 0,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, disposition, options, 0, 0)
	runtime.KeepAlive(f)
	return h, err
}

func writeStream(f *os.File, s *Stream) error {
	h, err := reopen(f, ":"+s.Name, windows.GENERIC_WRITE, windows.FILE_OVERWRITE_IF)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(h), s.Name)
	return errors.Join(s.copyTo(out), out.Close())
}

// setBasic sets times and attributes: FILE_BASIC_INFORMATION, [MS-FSCC] 2.4.7.
func setBasic(f *os.File, m *Meta) error {
	h, err := reopen(f, "", windows.FILE_WRITE_ATTRIBUTES, windows.FILE_OPEN)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	attributes := m.Attributes &^ notSet
	if attributes == 0 {
		attributes = windows.FILE_ATTRIBUTE_NORMAL
	}
	info := struct {
		created, accessed, modified, changed int64 // 0 leaves a time as it is
		attributes, _                        uint32
	}{created: int64(m.Created), accessed: int64(m.Accessed), modified: int64(m.Modified), changed: int64(m.Changed), attributes: uint32(attributes)}
	return windows.SetFileInformationByHandle(h, windows.FileBasicInfo, (*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
}

// setSecurity sets a self-relative security descriptor, without the owner where only that is refused.
func setSecurity(f *os.File, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	valid := windows.NewLazySystemDLL("ntdll.dll").NewProc("RtlValidRelativeSecurityDescriptor")
	if ok, _, _ := valid.Call(uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0); byte(ok) == 0 {
		return errors.New("not a security descriptor")
	}
	sd := (*windows.SECURITY_DESCRIPTOR)(unsafe.Pointer(&b[0]))
	h, err := reopen(f, "", windows.WRITE_DAC|windows.WRITE_OWNER, windows.FILE_OPEN)
	if err == nil {
		defer windows.CloseHandle(h)
		err = windows.SetKernelObjectSecurity(h, windows.OWNER_SECURITY_INFORMATION|windows.GROUP_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION, sd)
	}
	if err == nil {
		return nil
	}
	h2, err2 := reopen(f, "", windows.WRITE_DAC, windows.FILE_OPEN)
	if err2 != nil {
		return errors.Join(err, err2)
	}
	defer windows.CloseHandle(h2)
	return errors.Join(fmt.Errorf("owner: %w", err), windows.SetKernelObjectSecurity(h2, windows.DACL_SECURITY_INFORMATION, sd))
}

func (windowsTarget) linkTimes(*os.Root, string, *Meta) error { return nil }
