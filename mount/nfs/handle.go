package nfs

import (
	"errors"
	"fmt"

	"snapmount/mount/tree"
)

// A handle is the tag of what is served, and the u64 number of a node.
const (
	tagSize    = 8
	handleSize = tagSize + 8
	maxHandle  = 64 // of any server
)

var (
	// errStale says that a handle is of another image, another view of it, or of what this server has not met.
	errStale  = errors.New("stale file handle")
	errHandle = errors.New("no file handle of this server")
)

// id decodes the handle that comes next in the arguments.
func (r *request) id() (uint64, error) {
	b := r.args.opaque(maxHandle)
	switch {
	case len(b) != handleSize:
		return 0, errHandle
	case [tagSize]byte(b) != r.server.tag:
		return 0, errStale
	}
	return be.Uint64(b[tagSize:]), nil
}

// node finds what the next handle stands for, if the caller may have of it what it asks.
func (r *request) node() (tree.Node, error) {
	id, err := r.id()
	if err != nil {
		return tree.Node{}, err
	}
	n, err := r.server.tree.Node(id)
	if errors.Is(err, tree.ErrStale) {
		err = fmt.Errorf("%w: %w", errStale, err)
	}
	if err == nil {
		err = r.permit(n)
	}
	return n, err
}

func (r *request) putHandle(n tree.Node) {
	r.out.u32(handleSize)
	r.out.b = append(r.out.b, r.server.tag[:]...)
	r.out.u64(n.ID)
}
