package device

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/windows"
)

const charDisks = false

// Control codes of winioctl.h.
const (
	ioctlGeometry   = 0x00070000 // IOCTL_DISK_GET_DRIVE_GEOMETRY
	ioctlGeometryEx = 0x000700a0 // IOCTL_DISK_GET_DRIVE_GEOMETRY_EX
	ioctlLength     = 0x0007405c // IOCTL_DISK_GET_LENGTH_INFO
	fsctlAllSectors = 0x00090083 // FSCTL_ALLOW_EXTENDED_DASD_IO
)

const shared = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE

// create opens a device with some access.
func create(path string, access uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(strings.ReplaceAll(path, "/", `\`)) // behind \\?\ Windows does not do that itself
	if err != nil {
		return 0, err
	}
	return windows.CreateFile(name, access, shared, nil, windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL, 0)
}

// there is why there is no such device. To open one for no access is for everybody.
func there(path string) error {
	h, err := create(path, 0)
	if err == nil {
		return windows.CloseHandle(h)
	}
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		return nil
	}
	return err
}

func open(path string) (*os.File, error) {
	if !Named(path) {
		return os.Open(path)
	}
	h, err := create(path, windows.GENERIC_READ)
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		err = fmt.Errorf("%w: disks and volumes are for administrators: run this as administrator", err)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	var n uint32 // a volume shows its last sectors, behind the file system, to who asks for them; a disk has all
	_ = windows.DeviceIoControl(h, fsctlAllSectors, nil, 0, nil, 0, &n, nil)
	return os.NewFile(uintptr(h), path), nil
}

func measure(f *os.File) (Geometry, error) {
	h := windows.Handle(f.Fd())
	ask := func(code uint32, out []byte) (uint32, error) {
		var n uint32
		err := windows.DeviceIoControl(h, code, nil, 0, &out[0], uint32(len(out)), &n, nil)
		return n, err
	}
	length, told := make([]byte, 8), int64(0)
	n, err := ask(ioctlLength, length)
	if err == nil && n == 8 {
		told = int64(uint64(length[0]) | uint64(length[1])<<8 | uint64(length[2])<<16 | uint64(length[3])<<24 |
			uint64(length[4])<<32 | uint64(length[5])<<40 | uint64(length[6])<<48 | uint64(length[7])<<56)
	}
	b := make([]byte, 1<<10) // partitions and more may follow
	n, err2 := ask(ioctlGeometryEx, b)
	if err2 != nil {
		n, err2 = ask(ioctlGeometry, b[:24])
	}
	if err2 != nil {
		n = 0
	}
	g, wrong := geometryOf(told, b[:n])
	if wrong != nil {
		return Geometry{}, errors.Join(wrong, err, err2)
	}
	return g, nil
}
