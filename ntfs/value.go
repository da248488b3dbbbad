package ntfs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"snapmount/imagefmt/layer"
)

// value returns a copy of the value of the node's attribute of that type and name, in one extent or more; limit is the
// most bytes that it may have. It wraps fs.ErrNotExist when there is none.
func (n *Node) value(typ uint32, name string, limit int64) ([]byte, error) {
	list, damage := n.attributes()
	extents := extentsOf(list, typ, func(a *attribute) bool { return a.is(typ, name) })
	if len(extents) == 0 {
		return nil, cmp.Or(damage, fmt.Errorf("%v: %w", n.Ref, fs.ErrNotExist))
	}
	a := &extents[0]
	switch {
	case a.err != nil:
		return nil, a.err
	case !a.resident:
		return n.tree.readAll(extents, n.Ref.String, limit)
	case int64(len(a.value)) > limit:
		return nil, fmt.Errorf("%v: attribute 0x%x of 0x%x bytes, want 0x%x at most: %w", n.Ref, typ, len(a.value), limit, layer.ErrCorrupt)
	}
	return bytes.Clone(a.value), nil
}

// must turns "there is none" of something that must be there into damage.
func must(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %v", layer.ErrCorrupt, err)
	}
	return err
}
