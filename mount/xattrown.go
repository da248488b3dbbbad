//go:build linux || darwin || freebsd

package mount

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"syscall"

	"snapmount/mount/points"
	"snapmount/mount/tree"
	"snapmount/ntfs"
	"snapmount/ntfs/security"
)

const ownPrefix = userPrefix + "snapmount."

// ownXattrs are snapmount's own attributes. They are not listed, so that copies do not carry them; a stream of the very
// name is still there as file:stream.
var ownXattrs = map[string]func(n node, probe bool, cancel <-chan struct{}) ([]byte, error){
	ownPrefix + "point":   func(n node, _ bool, _ <-chan struct{}) ([]byte, error) { return n.pointName() },
	ownPrefix + "mft":     func(n node, _ bool, _ <-chan struct{}) ([]byte, error) { return n.mft() },
	ownPrefix + "owner":   func(n node, _ bool, _ <-chan struct{}) ([]byte, error) { return n.ownerSID() },
	ownPrefix + "sddl":    func(n node, _ bool, _ <-chan struct{}) ([]byte, error) { return n.sddl() },
	ownPrefix + "verdict": func(n node, _ bool, _ <-chan struct{}) ([]byte, error) { return n.verdict() },
	ownPrefix + "sha256":  node.sha256,
}

// pointName gives VOLUME@POINT, as a location on the command line has it.
func (n node) pointName() ([]byte, error) {
	if n.point == nil {
		return nil, errNoXattr
	}
	return []byte(n.point.Volume.Name + "@" + n.point.Name), nil
}

// owned returns the file that n is, or is a stream of.
func (n node) owned() (*ntfs.Node, error) {
	if n.part == partStream {
		return n.file, nil
	}
	return n.metadataOf()
}

// mft gives the file reference, RECORD-SEQUENCE.
func (n node) mft() ([]byte, error) {
	file, err := n.owned()
	if err != nil {
		return nil, err
	}
	return []byte(file.Ref.String()), nil
}

func (n node) descriptor() (*security.Descriptor, error) {
	file, err := n.owned()
	if err != nil {
		return nil, err
	}
	b, err := file.Security()
	if err != nil {
		return nil, err
	}
	return security.Decode(b)
}

func (n node) ownerSID() ([]byte, error) {
	d, err := n.descriptor()
	if err != nil {
		return nil, err
	}
	if d.Owner.IsZero() {
		return nil, errNoXattr
	}
	return []byte(d.Owner.String()), nil
}

func (n node) sddl() ([]byte, error) {
	d, err := n.descriptor()
	if err != nil {
		return nil, err
	}
	return []byte(d.SDDL()), nil
}

// verdict says whether all content of a file is in the image.
func (n node) verdict() ([]byte, error) {
	if n.file == nil || !n.isFile() {
		return nil, errNoXattr
	}
	return []byte(points.Judge(n.file, n.stream).String()), nil
}

func (n node) isFile() bool {
	if n.file != nil {
		return n.part == partStream || n.part == partSelf && n.file.Kind == ntfs.KindFile
	}
	return n.item.Kind == tree.ItemText || n.item.Kind == tree.ItemBlock
}

// sha256 reads all of the content, unless only the length of the sum is asked for.
func (n node) sha256(probe bool, cancel <-chan struct{}) ([]byte, error) {
	if !n.isFile() {
		return nil, errNoXattr
	}
	if probe {
		return make([]byte, 2*sha256.Size), nil
	}
	src, err := n.source()
	if err != nil {
		return nil, err
	}
	h, content := sha256.New(), &cancelled{r: io.NewSectionReader(src, 0, src.Size()), cancel: cancel}
	if _, err := io.CopyBuffer(h, content, make([]byte, 1<<20)); err != nil {
		return nil, err
	}
	return []byte(hex.EncodeToString(h.Sum(nil))), nil
}

// cancelled reads until its channel closes.
type cancelled struct {
	r      io.Reader
	cancel <-chan struct{}
}

func (c *cancelled) Read(p []byte) (int, error) {
	select {
	case <-c.cancel:
		return 0, syscall.EINTR
	default:
		return c.r.Read(p)
	}
}
