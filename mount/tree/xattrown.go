package tree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
	"snapmount/ntfs/security"
)

// ownXattrs are snapmount's own attributes. They are not listed, so that copies do not carry them; a stream of the very
// name is still there as file:stream.
var ownXattrs = map[string]func(context.Context, Node) ([]byte, error){
	ownPrefix + "point":    func(_ context.Context, n Node) ([]byte, error) { return n.pointName() },
	ownPrefix + "location": func(_ context.Context, n Node) ([]byte, error) { return n.location() },
	ownPrefix + "mft":      func(_ context.Context, n Node) ([]byte, error) { return n.mft() },
	ownPrefix + "owner":    func(_ context.Context, n Node) ([]byte, error) { return n.ownerSID() },
	ownPrefix + "sddl":     func(_ context.Context, n Node) ([]byte, error) { return n.sddl() },
	ownPrefix + "verdict":  func(_ context.Context, n Node) ([]byte, error) { return n.verdict() },
	ownPrefix + "trust":    func(_ context.Context, n Node) ([]byte, error) { return n.trust() },
	sambaAttr:              func(_ context.Context, n Node) ([]byte, error) { return n.dosAttrib() },
	sumXattr:               func(ctx context.Context, n Node) ([]byte, error) { return n.sha256(ctx) },
}

const (
	ownPrefix = UserPrefix + "snapmount."
	sumXattr  = ownPrefix + "sha256"
)

// pointName gives VOLUME@POINT, as a location on the command line has it.
func (n Node) pointName() ([]byte, error) {
	if n.Point == nil {
		return nil, ErrNoXattr
	}
	return []byte(n.Point.Volume.Name + "@" + n.Point.Name), nil
}

// owned returns the file that n is, or is a stream of.
func (n Node) owned() (*ntfs.Node, error) {
	if n.part == partStream {
		return n.file, nil
	}
	return n.metadataOf()
}

// mft gives the file reference, RECORD-SEQUENCE.
func (n Node) mft() ([]byte, error) {
	file, err := n.owned()
	if err != nil {
		return nil, err
	}
	return []byte(file.Ref.String()), nil
}

func (n Node) descriptor() (*security.Descriptor, error) {
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

func (n Node) ownerSID() ([]byte, error) {
	d, err := n.descriptor()
	if err != nil {
		return nil, err
	}
	if d.Owner.IsZero() {
		return nil, ErrNoXattr
	}
	return []byte(d.Owner.String()), nil
}

func (n Node) sddl() ([]byte, error) {
	d, err := n.descriptor()
	if err != nil {
		return nil, err
	}
	return []byte(d.SDDL()), nil
}

// verdict says whether all content of a file is in the image.
func (n Node) verdict() ([]byte, error) {
	v, ok := n.Verdict()
	if !ok {
		return nil, ErrNoXattr
	}
	return []byte(v.String()), nil
}

// trust says what a file of a deleted snapshot rests on.
func (n Node) trust() ([]byte, error) {
	file, err := n.owned()
	if err != nil || n.Point == nil || n.Point.Carved == nil {
		return nil, ErrNoXattr
	}
	stream := ""
	if n.part == partStream {
		stream = n.name
	}
	return []byte(n.Point.TrustIn(file, stream).String()), nil
}

// sha256 reads all of the content.
func (n Node) sha256(ctx context.Context) ([]byte, error) {
	if n.Kind != KindFile {
		return nil, ErrNoXattr
	}
	src, err := n.Open()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if err := layer.Hash(ctx, h, src, nil); err != nil {
		return nil, err
	}
	return []byte(hex.EncodeToString(h.Sum(nil))), nil
}
