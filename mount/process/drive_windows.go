package process

import (
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// DriveBlocks says, in lines, what has to change before a drive can be mapped; nothing where nothing has.
func DriveBlocks() []string { return askWebClient().blocks() }

// DriveLimit is how large a file may be that a drive gives, in bytes.
func DriveLimit() int64 { return askWebClient().largest() }

// askWebClient reads the registry, which everybody may.
func askWebClient() webClient {
	w := webClient{basic: -1, limit: -1}
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, webClientKey, registry.QUERY_VALUE)
	if err != nil {
		return w
	}
	defer key.Close()
	start, _, err := key.GetIntegerValue("Start")
	w.there, w.disabled = true, err == nil && start == windows.SERVICE_DISABLED
	parameters, err := registry.OpenKey(registry.LOCAL_MACHINE, webClientKey+`\Parameters`, registry.QUERY_VALUE)
	if err != nil {
		return w
	}
	defer parameters.Close()
	for name, to := range map[string]*int64{"BasicAuthLevel": &w.basic, "FileSizeLimitInBytes": &w.limit} {
		if n, _, err := parameters.GetIntegerValue(name); err == nil {
			*to = int64(n)
		}
	}
	return w
}

// netResource is NETRESOURCEW of winnetwk.h.
type netResource struct {
	scope, kind, display, usage      uint32
	local, remote, comment, provider *uint16
}

const (
	isDisk           = 1 // RESOURCETYPE_DISK
	connectTemporary = 4 // CONNECT_TEMPORARY: not again when the user logs on
)

var (
	mpr           = windows.NewLazySystemDLL("mpr.dll")
	addConnection = mpr.NewProc("WNetAddConnection2W")
	cancelAll     = mpr.NewProc("WNetCancelConnection2W")
)

// MapDrive gives what is below a path of an HTTP server a drive letter, any that is free for an empty drive, and returns that.
// It is what "net use" does; but the password of that would be in a command line, which other programs see.
func MapDrive(drive, host, path, user, password string) (string, error) {
	share, err := shareOf(host, path)
	if err != nil {
		return "", err
	}
	if drive == "" {
		used, err := windows.GetLogicalDrives()
		if err != nil {
			return "", err
		}
		if drive, err = freeLetter(used); err != nil {
			return "", err
		}
	}
	var text [4]*uint16
	for i, s := range []string{drive, share, user, password} {
		if text[i], err = windows.UTF16PtrFromString(s); err != nil {
			return "", err
		}
	}
	r := netResource{kind: isDisk, local: text[0], remote: text[1]}
	if err := mpr.Load(); err != nil {
		return "", err
	}
	code, _, _ := addConnection.Call(uintptr(unsafe.Pointer(&r)), uintptr(unsafe.Pointer(text[3])), uintptr(unsafe.Pointer(text[2])), connectTemporary)
	if code != 0 {
		return "", windows.Errno(code)
	}
	return drive, nil
}

// UnmapDrive takes the letter away, although files of the drive may be open.
func UnmapDrive(drive string) error {
	name, err := windows.UTF16PtrFromString(drive)
	if err != nil {
		return err
	}
	const force = 1
	if code, _, _ := cancelAll.Call(uintptr(unsafe.Pointer(name)), 0, force); code != 0 {
		return windows.Errno(code)
	}
	return nil
}
