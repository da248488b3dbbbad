package ntfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// Reparse tags with a meaning here (winnt.h, [MS-FSCC] 2.1.2.1).
const (
	TagMountPoint = 0xa0000003
	TagSymlink    = 0xa000000c
	TagLXSymlink  = 0xa000001d
	TagDedup      = 0x80000013
	TagWOF        = 0x80000017

	tagHSM            = 0xc0000004
	tagHSM2           = 0x80000006
	tagDFS            = 0x8000000a
	tagDFSR           = 0x80000012
	tagNFS            = 0x80000014
	tagAppExecLink    = 0x8000001b
	tagOneDrive       = 0x80000021
	tagUnixSocket     = 0x80000023
	tagLXFifo         = 0x80000024
	tagLXChar         = 0x80000025
	tagLXBlock        = 0x80000026
	tagCloud          = 0x9000001a // and 0x9000101a to 0x9000f01a
	tagCloudMask      = 0xffff0fff
	tagNameSurrogate  = 0x20000000
	tagMicrosoft      = 0x80000000
	maxReparse        = 16<<10 + 8
	symlinkIsRelative = 1
)

// Reparse is a decoded reparse point.
type Reparse struct {
	Tag  uint32
	Data []byte // what follows the 8-byte header; where Tag is not Microsoft's, it starts with a GUID

	// Target and Print are decoded for TagSymlink and TagMountPoint as they are, in Windows' notation, and Target for
	// TagLXSymlink and for links of the NFS server and of Interix, which have no tag, with slashes. Relative is of symbolic
	// links only.
	Target, Print string
	Relative      bool

	AppExec *AppExecLink // of app execution aliases, else nil
	WOF     *WOF         // of TagWOF, else nil
	NFS     *NFS         // of what the NFS server made, else nil; its symbolic links have a Target
}

// Reparse decodes the node's reparse point, or the link that Interix keeps in its place. It wraps fs.ErrNotExist when
// there is none.
func (n *Node) Reparse() (*Reparse, error) {
	if n.ReparseTag == 0 && n.Kind == KindSymlink {
		return n.interixTarget()
	}
	list, damage := n.attributes()
	for i := range list {
		if list[i].typ != typeReparsePoint {
			continue
		}
		b, err := n.tree.read(n.Ref, &list[i], maxReparse)
		if err != nil {
			return nil, fmt.Errorf("reparse point: %w", err)
		}
		r, err := decodeReparse(b)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", n.Ref, err)
		}
		return r, nil
	}
	if damage != nil {
		return nil, fmt.Errorf("reparse point: %w", damage)
	}
	return nil, fmt.Errorf("%v: reparse point: %w", n.Ref, fs.ErrNotExist)
}

// decodeReparse decodes the value of a $REPARSE_POINT. Data is a copy.
func decodeReparse(b []byte) (*Reparse, error) {
	le := binary.LittleEndian
	if len(b) < 8 {
		return nil, layer.Corrupt("reparse point", 0, "%d bytes, want 8 at least", len(b))
	}
	r := &Reparse{Tag: le.Uint32(b[0:])}
	n := int(le.Uint16(b[4:]))
	if r.Tag&tagMicrosoft == 0 {
		n += 16
	}
	if n > len(b)-8 {
		return nil, layer.Corrupt("reparse point", 4, "0x%x bytes of data, 0x%x left", n, len(b)-8)
	}
	r.Data = append([]byte(nil), b[8:][:n]...)
	switch r.Tag {
	case TagSymlink, TagMountPoint:
		return r, r.decodeLink()
	case TagLXSymlink: // a version, 2, and UTF-8 without an end
		if n < 4 || le.Uint32(r.Data) != 2 {
			return nil, layer.Corrupt("reparse point", 8, "not a Linux symbolic link of version 2")
		}
		r.Target = string(r.Data[4:])
		r.Relative = !strings.HasPrefix(r.Target, "/")
	case tagAppExecLink:
		l, err := decodeAppExecLink(r.Data)
		r.AppExec = l
		return r, err
	case TagWOF:
		w, err := decodeWOF(r.Data)
		r.WOF = w
		return r, err
	case tagNFS:
		return r, r.decodeNFS()
	}
	return r, nil
}

// decodeLink decodes the data of a symbolic link or mount point.
func (r *Reparse) decodeLink() error {
	le := binary.LittleEndian
	b, names := r.Data, 8
	if r.Tag == TagSymlink {
		names = 12
	}
	if len(b) < names {
		return layer.Corrupt("reparse point", 8, "%d bytes, want %d at least", len(b), names)
	}
	field := func(at int) (string, error) {
		off, n := int(le.Uint16(b[at:])), int(le.Uint16(b[at+2:]))
		if off+n > len(b)-names {
			return "", layer.Corrupt("reparse point", int64(8+at), "name of 0x%x bytes at 0x%x of 0x%x", n, off, len(b)-names)
		}
		return wintype.DecodeUTF16(b[names+off:][:n]), nil
	}
	target, err := field(0)
	print, err2 := field(4)
	r.Target, r.Print = target, print
	r.Relative = r.Tag == TagSymlink && le.Uint32(b[8:])&symlinkIsRelative != 0
	return errors.Join(err, err2)
}

// checkContent refuses the unnamed stream where a reparse point says that the content is not there. s is nil when the
// stream is resident.
func (n *Node) checkContent(s *stream) error {
	tag, reason := n.ReparseTag, ""
	switch {
	case tag == 0 && n.Attr&AttrReparse == 0, tag&tagNameSurrogate != 0 && tag&tagMicrosoft != 0:
		return nil
	case tag == tagDFS, tag == tagDFSR, tag == tagNFS, tag == tagAppExecLink, tag == tagUnixSocket,
		tag == tagLXFifo, tag == tagLXChar, tag == tagLXBlock:
		return nil
	case tag == TagWOF:
		reason = "compressed by WOF"
	case tag == TagDedup:
		reason = "deduplicated"
	case tag == tagHSM, tag == tagHSM2:
		reason = "in hierarchical storage"
	case tag&tagCloudMask == tagCloud, tag == tagOneDrive:
		if n.Attr&(AttrOffline|AttrRecallOnOpen|AttrRecallOnData) == 0 && (s == nil || s.complete()) {
			return nil // the whole file is kept here beside the cloud
		}
		reason = "cloud placeholder"
	case n.tree.opts.ForeignReparse && (s == nil || s.complete()):
		return nil
	default:
		return fmt.Errorf("%v: content of another program (reparse tag 0x%08x), --reparse raw gives what the volume keeps: %w", n.Ref, tag, layer.ErrUnsupported)
	}
	return fmt.Errorf("%v: %s (reparse tag 0x%08x): %w", n.Ref, reason, tag, layer.ErrUnsupported)
}

// complete reports whether every byte of s has a cluster and was written.
func (s *stream) complete() bool {
	for _, r := range s.runs.runs {
		if r.lcn == hole && r.vcn*int64(s.t.geo.cluster) < s.size {
			return false
		}
	}
	return s.initialized == s.size
}
