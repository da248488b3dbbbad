package ntfs

import (
	"encoding/binary"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// AppExecLink is the data of an app execution alias: an empty file in WindowsApps that starts a packaged program.
type AppExecLink struct {
	PackageID  string // family name of the package
	AppID      string // application user model id: the package and the entry point
	Executable string // full path of the program
	Type       string // "0" for a desktop program, "1" for one that runs in a container
}

// appExecLinkVersion is the only version that is documented by use.
const appExecLinkVersion = 3

// decodeAppExecLink decodes a version and strings of UTF-16 with a zero after each.
func decodeAppExecLink(b []byte) (*AppExecLink, error) {
	if len(b) < 4 || binary.LittleEndian.Uint32(b) != appExecLinkVersion {
		return nil, layer.Corrupt("reparse point", 8, "not an app execution alias of version %d", appExecLinkVersion)
	}
	var l AppExecLink
	at := 4
	for _, field := range []*string{&l.PackageID, &l.AppID, &l.Executable, &l.Type} {
		end := at
		for end+1 < len(b) && (b[end] != 0 || b[end+1] != 0) {
			end += 2
		}
		if end+1 >= len(b) {
			return nil, layer.Corrupt("reparse point", int64(8+at), "string without an end")
		}
		*field = wintype.DecodeUTF16(b[at:end])
		at = end + 2
	}
	return &l, nil
}

// Providers of a WOF reparse point.
const (
	WOFProviderWIM  = 1 // the content is in a WIM file
	WOFProviderFile = 2 // the content is in the stream WofCompressedData
)

// WOF is the data of a file that the Windows Overlay Filter keeps compressed ([MS-FSCC] 2.1.2.1; wofapi.h, wimlib).
type WOF struct {
	Provider uint32

	// Format is of WOFProviderFile: 0 XPRESS4K, 1 LZX, 2 XPRESS8K, 3 XPRESS16K.
	Format uint32

	// What follows is of WOFProviderWIM. The WIM is named by WimOverlay.dat in System Volume Information.
	Flags        uint32
	DataSourceID uint64
	SHA1         [20]byte // of the unnamed stream
}

// decodeWOF decodes a version and provider, and what the provider has after them.
func decodeWOF(b []byte) (*WOF, error) {
	le := binary.LittleEndian
	if len(b) < 16 {
		return nil, layer.Corrupt("reparse point", 8, "%d bytes, want 16 at least", len(b))
	}
	version, providerVersion := le.Uint32(b[0:]), le.Uint32(b[8:])
	w := &WOF{Provider: le.Uint32(b[4:])}
	switch {
	case version == 1 && w.Provider == WOFProviderFile && providerVersion == 1:
		w.Format = le.Uint32(b[12:])
		return w, nil
	case version == 1 && w.Provider == WOFProviderWIM && providerVersion == 2:
		if len(b) < 44 {
			return nil, layer.Corrupt("reparse point", 8, "%d bytes, want 44 at least", len(b))
		}
		w.Flags, w.DataSourceID = le.Uint32(b[12:]), le.Uint64(b[16:])
		copy(w.SHA1[:], b[24:])
		return w, nil
	}
	return nil, fmt.Errorf("reparse point: WOF of version %d, provider %d of version %d: %w", version, w.Provider, providerVersion, layer.ErrUnsupported)
}

// FormatName names the method of WOFProviderFile, as compact.exe does; "" for one that is not known.
func (w *WOF) FormatName() string {
	names := [...]string{"XPRESS4K", "LZX", "XPRESS8K", "XPRESS16K"}
	if w.Provider != WOFProviderFile || w.Format >= uint32(len(names)) {
		return ""
	}
	return names[w.Format]
}

// Types of what the NFS server made: the letters of their names.
const (
	nfsLink   = 0x4b4e4c
	nfsChar   = 0x524843
	nfsBlock  = 0x4b4c42
	nfsFIFO   = 0x4f464946
	nfsSocket = 0x4b434f53
)

// NFS is the data of a special file that the NFS server made ([MS-FSCC] 2.1.2.6).
type NFS struct {
	Type         string // LNK, with the target in Reparse.Target; CHR, BLK, FIFO or SOCK
	Major, Minor uint32 // of CHR and BLK
}

// decodeNFS decodes a type, the characters of its name in 64 bits, and what it has after it.
func (r *Reparse) decodeNFS() error {
	le := binary.LittleEndian
	b := r.Data
	if len(b) < 8 {
		return layer.Corrupt("reparse point", 8, "%d bytes, want 8 at least", len(b))
	}
	names := map[uint64]string{nfsLink: "LNK", nfsChar: "CHR", nfsBlock: "BLK", nfsFIFO: "FIFO", nfsSocket: "SOCK"}
	n := &NFS{Type: names[le.Uint64(b)]}
	switch n.Type {
	case "":
		return fmt.Errorf("reparse point: NFS file of type 0x%x: %w", le.Uint64(b), layer.ErrUnsupported)
	case "LNK":
		r.Target = wintype.DecodeUTF16(b[8:])
		r.Relative = !strings.HasPrefix(r.Target, "/")
	case "CHR", "BLK":
		if len(b) < 16 {
			return layer.Corrupt("reparse point", 16, "%d bytes, want 8 at least", len(b)-8)
		}
		n.Major, n.Minor = le.Uint32(b[8:]), le.Uint32(b[12:])
	}
	r.NFS = n
	return nil
}
