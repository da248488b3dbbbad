package process

import (
	"fmt"
	"syscall"
	"unsafe"
)

// Own lets all that this process makes from now on belong to u, whatever makes it: files, directories, links. The rights
// of root, to read and to write anywhere, stay. It is for the begin of a program: threads that exist change together.
//
// Linux creates files as the "file system user" of the thread, see setfsuid(2). Changing that drops capabilities, which
// are set again as they were.
func (u User) Own() error {
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522} // _LINUX_CAPABILITY_VERSION_3: two words of each set; process 0 is the caller
	var sets [2]struct{ effective, permitted, inheritable uint32 }
	if _, _, no := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0); no != 0 {
		return fmt.Errorf("capget: %w", no)
	}
	if _, _, no := syscall.AllThreadsSyscall(syscall.SYS_SETFSGID, uintptr(u.GID), 0, 0); no != 0 {
		return fmt.Errorf("setfsgid: %w (a program that was built with CGO_ENABLED=0 can)", no) // of a build with cgo, which has threads of others
	}
	if _, _, no := syscall.AllThreadsSyscall(syscall.SYS_SETFSUID, uintptr(u.UID), 0, 0); no != 0 {
		return fmt.Errorf("setfsuid: %w", no)
	}
	if _, _, no := syscall.AllThreadsSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0); no != 0 {
		return fmt.Errorf("capset: %w", no)
	}
	return nil
}
