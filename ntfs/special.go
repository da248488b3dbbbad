package ntfs

import (
	"encoding/binary"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs/layout"
)

// Interix, Services for UNIX and ntfs-3g keep what is no file in system files that are not hidden: a FIFO in an empty one,
// a socket in one of a byte, links and devices behind a magic of eight bytes. Source: the headers of ntfs-3g and Linux'
// ntfs3.
const (
	interixLink  = "IntxLNK\x01" // and the target in UTF-16LE, with slashes
	interixChar  = "IntxCHR\x00" // and the numbers of the device, 64 bits each
	interixBlock = "IntxBLK\x00"

	interixMagic = 8
	maxInterix   = interixMagic + 2*4096 // PATH_MAX of Linux
)

// interixKind tells what a system file is by its unnamed stream.
func (n *Node) interixKind(a *attribute) Kind {
	const both = AttrSystem | AttrHidden
	if n.Attr&both != AttrSystem || n.Attr&(AttrDirectory|AttrReparse|AttrEncrypted) != 0 || n.Metafile() || n.Size > maxInterix || a.flags&layout.Encrypted != 0 {
		return KindFile
	}
	switch n.Size {
	case 0:
		return KindFIFO
	case 1:
		return KindSocket
	}
	b, err := n.tree.read(n.Ref, a, maxInterix)
	if err != nil || len(b) < interixMagic {
		return KindFile // reading it gives the error
	}
	switch string(b[:interixMagic]) {
	case interixLink:
		return KindSymlink
	case interixChar:
		return KindCharDevice
	case interixBlock:
		return KindBlockDevice
	}
	return KindFile
}

// interixTarget is the link that a system file holds.
func (n *Node) interixTarget() (*Reparse, error) {
	b, err := n.value(typeData, "", maxInterix)
	if err != nil {
		return nil, fmt.Errorf("link of Interix: %w", err)
	}
	if len(b)%2 != 0 || !strings.HasPrefix(string(b), interixLink) {
		return nil, fmt.Errorf("%v: link of Interix of %d bytes: %w", n.Ref, len(b), layer.ErrCorrupt)
	}
	target := strings.TrimRight(wintype.DecodeUTF16(b[interixMagic:]), "\x00")
	return &Reparse{Data: b, Target: target, Relative: !strings.HasPrefix(target, "/")}, nil
}

// reparseKind is what a reparse point makes of a file, as far as the tag, or for one of the NFS server all of the value,
// tells.
func reparseKind(tag uint32, value []byte) Kind {
	switch tag {
	case TagSymlink, TagMountPoint, TagLXSymlink:
		return KindSymlink
	case tagUnixSocket:
		return KindSocket
	case tagLXFifo:
		return KindFIFO
	case tagLXChar:
		return KindCharDevice
	case tagLXBlock:
		return KindBlockDevice
	case tagNFS:
		if len(value) >= 16 {
			return nfsKinds[binary.LittleEndian.Uint64(value[8:])]
		}
	}
	return KindFile
}

// nfsKinds are by the type that the NFS server notes.
var nfsKinds = map[uint64]Kind{nfsLink: KindSymlink, nfsChar: KindCharDevice, nfsBlock: KindBlockDevice, nfsFIFO: KindFIFO, nfsSocket: KindSocket}
