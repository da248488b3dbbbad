package restore

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/wintype"
)

// setTimes gives an open file the two times that every system has: futimens(3), which no name leads elsewhere. It names
// those that the file system does not hold: the kernel sets the nearest that it does.
func setTimes(f *os.File, m *Meta) (lost []string, err error) {
	times := [2]unix.Timespec{timespec(m.Accessed), timespec(m.Modified)}
	if _, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, f.Fd(), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0); errno != 0 {
		return nil, os.NewSyscallError("utimensat", errno)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if st.Mtim != times[1] {
		lost = append(lost, "modification time")
	}
	if st.Atim != times[0] {
		lost = append(lost, "access time")
	}
	return lost, nil
}

// timespec does not go by nanoseconds since 1970, of which 64 bits hold the years from 1678 to 2262 only. What this
// system has no form for at all stays as it is.
func timespec(t wintype.Filetime) unix.Timespec {
	out, err := unix.TimeToTimespec(t.Time())
	if err != nil {
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return out
}
